# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""WIDER FACE (Yang et al., CVPR 2016) to COCO json of one class, ``face``, for training a detector.

::

    RELEASE/wider_face_split/wider_face_{train,val}_bbx_gt.txt
    RELEASE/WIDER_{train,val}/images/0--Parade/0_Parade_marchingband_1_849.jpg

The text file has for each image its path, the number of faces, and a line per face:
``x y w h blur expression illumination invalid occlusion pose``. An image without a face has the
number 0 and then one line of zeros all the same.
"""

import json
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from PIL import Image

from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.skipped import Skip, report_skipped
from fmae_iat_plugin.videos import PICTURE_ERRORS

from .base import ConversionError
from .release_files import place_image, read_lines

SPLITS = ('train', 'val')
ATTRIBUTES = ('blur', 'expression', 'illumination', 'invalid', 'occlusion', 'pose')
#: number of images in the release
PUBLISHED_IMAGES = dict(train=12880, val=3226)

#: reasons, the fixed phrases of the list of what was left out
NO_AREA = 'box without an area'
OUTSIDE = 'box outside the image'
NO_IMAGE = 'missing image'
BAD_IMAGE = 'unreadable image'

_PATH = re.compile(r'[^/\\]+(?:/[^/\\]+)*\.jpe?g', re.IGNORECASE)
_FACE = re.compile(r'-?[0-9]{1,9}(?: +-?[0-9]{1,9}){9}')


class WiderFace(NamedTuple):
    """A face: ``values`` are the ten numbers of its line, ``line`` is where it stands (from 1)."""

    values: Tuple[int, ...]
    line: int

    @property
    def box(self) -> Tuple[int, ...]:
        """x, y, width, height in pixels."""
        return self.values[:4]

    @property
    def invalid(self) -> bool:
        """Marked as no face that a detector could be asked for."""
        return self.values[4 + ATTRIBUTES.index('invalid')] == 1


class WiderImage(NamedTuple):
    """An image: its path below ``images``, the line that names it, its faces."""

    name: str
    line: int
    faces: List[WiderFace]


def read_faces(path: Path) -> List[WiderImage]:
    """The images and faces of one annotation file, in its order.

    Raises:
        ConversionError: If the file does not have the format of the release; names the line.
    """

    def fail(expected, remedy='restore the file from the release'):
        found = f'{lines[place]!r:.80}' if place < len(lines) else 'the end of the file'
        raise ConversionError(f'{path}, line {place + 1}: {found} instead of {expected}. Remedy: '
                              f'{remedy}.')

    lines = [line.strip() for line in read_lines(path)]
    while lines and not lines[-1]:
        lines.pop()
    images, first_line, place = [], {}, 0
    while place < len(lines):
        name, start = lines[place], place + 1
        if not _PATH.fullmatch(name) or '..' in name.split('/'):
            fail('the path of an image (more face lines than the number above them says?)')
        if name in first_line:
            fail(f'an image that is new; it stands in line {first_line[name]} already')
        first_line[name] = start
        place += 1
        if place == len(lines) or not re.fullmatch('[0-9]{1,9}', lines[place]):
            fail(f'the number of faces of {name}')
        number, faces = int(lines[place]), []
        place += 1
        if number == 0 and place < len(lines) and _FACE.fullmatch(lines[place]):
            if any(map(int, lines[place].split())):
                fail(f'a line of zeros: {name} has 0 faces')
            place += 1
        for _ in range(number):
            if place == len(lines) or not _FACE.fullmatch(lines[place]):
                fail(f'the ten whole numbers of face {len(faces) + 1} of {number} of {name}')
            faces.append(WiderFace(tuple(map(int, lines[place].split())), place + 1))
            if faces[-1].values[7] not in (0, 1):
                fail('a face whose `invalid`, the eighth number, is 0 or 1')
            place += 1
        images.append(WiderImage(name, start, faces))
    if not images:
        fail('the path of an image')
    return images


def _coco(images: List[WiderImage], file: Path, folder: Path) -> Tuple[dict, List[Skip]]:
    """COCO's dictionary of the images that are there, and what was left out."""
    coco = dict(images=[], annotations=[], categories=[dict(id=1, name='face')])
    skipped = []
    for name, line, faces in images:
        try:
            with Image.open(folder / name) as image:
                width, height = image.size
        except FileNotFoundError:
            skipped.append(Skip(name, NO_IMAGE, str(file), line, f'in {folder}'))
            continue
        except PICTURE_ERRORS as error:
            skipped.append(Skip(name, BAD_IMAGE, str(folder / name), 0, str(error)))
            continue
        coco['images'].append(dict(id=len(coco['images']) + 1, file_name=name, width=width,
                                   height=height))
        for face in faces:
            x, y, w, h = face.box
            if w <= 0 or h <= 0:
                skipped.append(Skip(name, NO_AREA, str(file), face.line, f'{w} x {h} pixels'))
            elif x >= width or y >= height or x + w <= 0 or y + h <= 0:
                skipped.append(Skip(name, OUTSIDE, str(file), face.line,
                                    f'box {face.box}, image {width} x {height}'))
            else:
                coco['annotations'].append(dict(
                    id=len(coco['annotations']) + 1, image_id=len(coco['images']), category_id=1,
                    bbox=list(face.box), area=w * h, iscrowd=int(face.invalid),
                    **dict(zip(ATTRIBUTES, face.values[4:]))))
    return coco, skipped


def convert_widerface(release: str, out: str, place: str = 'link') -> dict:
    """Convert a release of WIDER FACE.

    Faces that are marked invalid get ``iscrowd=1``: neither a target nor, if found, an error.
    Boxes without an area or outside their image are left out and listed; so are images that are
    missing or cannot be read. Images without a face stay.

    Args:
        release: Folder that holds ``wider_face_split`` and ``WIDER_train``, ``WIDER_val``.
        out: Folder for ``{train,val}.json``, ``images/{train,val}``, ``skipped.csv`` and
            ``summary.json``.
        place: How images get there: ``'link'``, ``'copy'`` or ``'symlink'``.

    Returns:
        dict: Split -> images, faces, ignored (marked invalid), images_without_face, skipped
        (reason -> number).

    Raises:
        ConversionError: If a file or folder is missing or malformed, or no image is left.
    """
    release_dir, out_dir = Path(release), Path(out)
    sources: Dict[str, Tuple[Path, Path]] = {}
    for split in SPLITS:
        sources[split] = (release_dir / 'wider_face_split' / f'wider_face_{split}_bbx_gt.txt',
                          release_dir / f'WIDER_{split}' / 'images')
        for path in sources[split]:
            if not path.exists():
                raise ConversionError(f'{path} does not exist. Remedy: RELEASE is the folder that '
                                      'holds wider_face_split, WIDER_train and WIDER_val.')
    summary, all_skipped = {}, []
    for split, (file, folder) in sources.items():
        coco, skipped = _coco(read_faces(file), file, folder)
        if not coco['images']:
            raise ConversionError(f'{folder}: none of the images that {file} names is there and '
                                  'can be read. Remedy: unpack the images of the release there.')
        for image in coco['images']:
            place_image(folder / image['file_name'],
                        out_dir / 'images' / split / image['file_name'], place)
        write_whole(out_dir / f'{split}.json', json.dumps(coco).encode())
        ignored = sum(face['iscrowd'] for face in coco['annotations'])
        with_face = {face['image_id'] for face in coco['annotations']}
        summary[split] = dict(
            images=len(coco['images']), images_published=PUBLISHED_IMAGES[split],
            faces=len(coco['annotations']) - ignored, ignored=ignored,
            images_without_face=len(coco['images']) - len(with_face),
            skipped={reason: sum(entry.reason == reason for entry in skipped)
                     for reason in (NO_AREA, OUTSIDE, NO_IMAGE, BAD_IMAGE)})
        all_skipped += skipped
    report_skipped('WIDER FACE', all_skipped, str(out_dir / 'skipped.csv'))
    write_whole(out_dir / 'summary.json', (json.dumps(summary, indent=2) + '\n').encode())
    return summary
