# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is to be cropped: an image, a folder, a video or an annotation table, cut into units."""

import os
from collections import Counter
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

from fmae_iat_plugin.datasets.annotation import AnnotationTable, read_annotation
from fmae_iat_plugin.files import short_name
from fmae_iat_plugin.media import (
    IMAGE_SUFFIXES,
    OTHER_SUFFIXES,
    VIDEO_SUFFIXES,
    MediaFiles,
    find_media,
    kind_of,
    looks_like_media,
    natural,
    not_read,
)
from fmae_iat_plugin.skipped import Skip
from fmae_iat_plugin.videos import is_animated

from .structures import CropError, CropOptions, FrameFile, Unit

CHUNK = 64  #: unrelated images in a unit
FRAME_TABLE = 'annotation_frames.csv'  #: the table of whole frames, where crops lie beside them
COLUMNS = ('source', 'face', 'x1', 'y1', 'x2', 'y2', 'score')  #: added to an annotation table


class CropInput(NamedTuple):
    """What is to be cropped.

    Attributes:
        units (list[Unit]): In a fixed order.
        table (AnnotationTable, optional): The labels.
        passed_over (list[Skip]): Of a folder, what looks like a picture or video and is not read.
    """

    units: List[Unit]
    table: Optional[AnnotationTable] = None
    passed_over: Sequence[Skip] = ()


def find_source(path: Path, out: Path, options: CropOptions,
                images: Optional[Path] = None) -> CropInput:
    """Look at what is to be cropped.

    Args:
        path: An image, a video, an annotation table, a folder that holds ``annotation.csv``, or any
            folder of images and videos.
        out: Output folder; never searched.
        options: ``track`` makes a sequence of every folder of images.
        images: Folder of a table's images. Defaults to ``images`` beside the table, or the table's
            own folder, wherever they are.

    Raises:
        CropError: If there is nothing to crop, or faces cannot be tracked or chosen in it.
        AnnotationError: If the table breaks the format.
    """
    if not path.exists():
        raise CropError(f'{path} does not exist.')
    if path.is_dir() and not (path / 'annotation.csv').is_file():
        if path.resolve() == out.resolve():
            raise CropError(f'{path} is a folder of images: its crops need another folder.')
        media = _films(find_media(path, without=out))
        return CropInput(_folder_units(path, media, options), passed_over=media.passed_over)
    kind = kind_of(path) if path.is_file() else None
    if kind == 'video' or (kind and is_animated(path)):
        return CropInput([Unit(path.name, [], path, related=True)])
    if kind == 'image':
        stem, = _stems([path.name])
        return CropInput([Unit(path.name, [FrameFile(path.name, path, 1, stem)])])
    if path.is_file() and (path.suffix.lower() in OTHER_SUFFIXES or looks_like_media(path)):
        raise CropError(f'{path}: {not_read(path).detail}.')
    table = path / 'annotation.csv' if path.is_dir() else path
    if path.is_dir() and path.resolve() == out.resolve():
        table = _frame_table(path)
    return _table_source(table, images, options)


def _frame_table(folder: Path) -> Path:
    """The table of whole frames of a folder that is cropped in place, kept under its own name."""
    table, kept = folder / 'annotation.csv', folder / FRAME_TABLE
    with open(table, encoding='utf-8-sig') as file:
        columns = file.readline().strip().split(',')
    if 'face' in columns and kept.is_file():
        return kept
    return table


def _table_source(path: Path, images: Optional[Path], options: CropOptions) -> CropInput:
    table = read_annotation(path)
    double = [name for name in COLUMNS if name in table.frame]
    if double:
        raise CropError(f'{path}: the table has the columns {", ".join(double)} already, which '
                        'cropping adds: it is a table of crops. Remedy: give the table of the '
                        'frames.')
    if options.faces == 'all':
        raise CropError(f'{path}: the labels of a row are those of one face. Remedy: choose '
                        'largest or central; all is for images and videos without labels.')
    folders = [images] if images is not None else [path.parent / 'images', path.parent]
    images = next((folder for folder in folders
                   if any((folder / name).is_file() for name in table.images)), None)
    if images is None:
        raise CropError(f'{path}: not one of its {len(table.images)} images exists, first '
                        f'{" or ".join(str(folder / table.images[0]) for folder in folders)}. '
                        'Remedy: name the folder of the images with --images.')
    outside = [row for row, name in enumerate(table.images)
               if os.path.isabs(name) or '..' in Path(name).parts]
    if outside:  # the crop would be written there
        raise CropError(f'{path}, line {table.line(outside[0])}: image '
                        f'{table.images[outside[0]]!r} leaves the image folder ({len(outside)} '
                        'such lines). Remedy: use paths below --images.')
    stems = _stems(list(table.images))
    files = [FrameFile(name, images / name, 0, stem) for name, stem in zip(table.images, stems)]
    keys = [name for name in ('subject', 'sequence') if name in table.frame]
    if 'sequence' not in keys:
        if options.track:
            raise CropError(f'{path}: tracking needs the column `sequence` (and `frame`). Remedy: '
                            'add it, or leave tracking out.')
        return CropInput(_chunks(files, 'rows'), table)
    groups = {}
    for row, key in enumerate(zip(*(table.frame[name] for name in keys))):
        groups.setdefault(key, []).append(row)
    units = []
    for key in sorted(groups, key=lambda key: [natural(part) for part in key]):
        numbers = _numbers(table, groups[key])
        frames = [files[row]._replace(number=number)
                  for number, row in sorted(zip(numbers, groups[key]))]
        units.append(Unit('/'.join(key), frames, related=True))
    return CropInput(units, table)


def _numbers(table: AnnotationTable, rows: List[int]) -> List[int]:
    """Frame numbers of a sequence's rows; their order where the table has no usable ones."""
    if 'frame' in table.frame:
        cells = [table.frame['frame'].iloc[row] for row in rows]
        if all(cell.isascii() and cell.isdigit() for cell in cells):
            numbers = [int(cell) for cell in cells]
            if len(set(numbers)) == len(numbers):
                return numbers
    return list(range(len(rows)))


def _films(media: MediaFiles) -> MediaFiles:
    """Animated images count as videos."""
    films = [path for path in media.images if is_animated(path)]
    return media._replace(images=[path for path in media.images if path not in films],
                          videos=[*media.videos, *films])


def _folder_units(folder: Path, media: MediaFiles, options: CropOptions) -> List[Unit]:
    images, videos = ([path.relative_to(folder).as_posix() for path in paths]
                      for paths in (media.images, media.videos))
    if not images and not videos:
        raise CropError(f'{folder} holds neither images ({", ".join(IMAGE_SUFFIXES)}) nor videos '
                        f'({", ".join(VIDEO_SUFFIXES)}).')
    images.sort(key=lambda path: [natural(part) for part in path.split('/')])
    videos.sort(key=lambda path: [natural(part) for part in path.split('/')])
    files = [FrameFile(name, folder / name, number, stem)
             for number, (name, stem) in enumerate(zip(images, _stems(images)), 1)]
    if options.track:
        groups = {}
        for file in files:
            groups.setdefault(os.path.dirname(file.source), []).append(file)
        units = [Unit(f'{name}/', [file._replace(number=number)
                                   for number, file in enumerate(group, 1)], related=True)
                 for name, group in groups.items()]
    else:
        units = _chunks(files, 'images')
    return units + [Unit(name, [], folder / name, related=True) for name in videos]


def _chunks(files: List[FrameFile], name: str) -> List[Unit]:
    """Units of unrelated images."""
    return [Unit(f'{name} {first + 1}', files[first:first + CHUNK])
            for first in range(0, len(files), CHUNK)]


def _stems(names: List[str]) -> List[str]:
    """Paths without suffix; with it where two images share the rest (``1.jpg``, ``1.png``)."""
    stems = [os.path.splitext(name)[0] for name in names]
    counts = Counter(stems)
    chosen = [name if counts[stem] > 1 else stem for name, stem in zip(names, stems)]
    return [f'{head}{slash}{short_name(tail)}'
            for head, slash, tail in (name.rpartition('/') for name in chosen)]
