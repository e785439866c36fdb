# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The file of landmarks beside a table: found by dlib, or exact where the faces were rendered.

The table's images are cut into chunks; what a chunk gave is kept until the file is whole, so a
stopped command goes on where it stopped.
"""

import argparse
import json
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import List, NamedTuple, Optional, Union

import cv2
import numpy as np

from fmae_iat_plugin.datasets.annotation import AnnotationError
from fmae_iat_plugin.datasets.decoding import UnreadableImageError, decode_image
from fmae_iat_plugin.datasets.landmarks import write_landmarks
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.files import claim_folder, write_whole
from fmae_iat_plugin.parallel import (
    ParallelError,
    Processes,
    add_parallel_arguments,
    parallel_arguments,
    run_parallel,
)
from fmae_iat_plugin.skipped import Skip, report_skipped
from fmae_iat_plugin.synthfacs import Population, read_population
from fmae_iat_plugin.synthfacs.renderer import render

from .dlib_detector import DlibDetector, import_dlib
from .landmarks import find_landmarks, find_predictor
from .structures import CropError
from .table_images import find_images

CHUNK = 64
SOURCES = ('dlib', 'rendered')
WHOLE_CROP = 'whole'  # where no face is found: the image is a face crop, look in all of it


class Found(NamedTuple):
    """What a command did.

    Attributes:
        path, missing_path (Path): The file, and the list of what has no landmarks.
        images, missing (int): Their numbers.
    """

    path: Path
    missing_path: Path
    images: int
    missing: int


def find_table_landmarks(table: Union[str, Path], out: Optional[str] = None,
                         source: str = 'dlib', images: Optional[str] = None,
                         whole: bool = False, workers: Processes = 1) -> Found:
    """Write the landmarks of a table's images.

    Args:
        table: Annotation table, or its folder.
        out: CSV file. Defaults to ``landmarks.csv`` beside the table.
        source: ``'dlib'``: detector and 68-landmark predictor. ``'rendered'``: the exact ones, for
            a folder that ``write_synthfacs`` wrote.
        images: Folder of the images; see :func:`~.table_images.find_images`.
        whole: Where dlib finds no face, take the whole image as the face.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.

    Raises:
        CropError, AnnotationError, FileNotFoundError, ParallelError, ValueError: See the message.
    """
    if source not in SOURCES:
        raise ValueError(f'source {source!r} is none of {", ".join(SOURCES)}.')
    found = find_images(table, images)
    beside = Path(found.table.path).parent
    path = Path(out) if out is not None else beside / 'landmarks.csv'
    names = list(found.table.images)
    if source == 'rendered':
        work = partial(_rendered, read_population(beside), str(found.folder))
    else:
        import_dlib()
        find_predictor(68)
        work = partial(_by_dlib, str(found.folder), whole)
    parts = path.with_name(f'.{path.name}.parts')
    claim_folder(parts, 'settings.json', dict(source=source, whole=whole, images=names,
                                              folder=str(found.folder.resolve())),
                 'landmarks', f'delete {parts}')
    starts = range(0, len(names), CHUNK)
    done = run_parallel(partial(_kept, work, parts),
                        [(start, names[start:start + CHUNK]) for start in starts], workers,
                        'Landmarks')
    rows = [row for chunk in done for row in chunk]
    write_landmarks(path, names, [row['size'] for row in rows],
                    [row['points'] for row in rows])
    skipped = [Skip(name, row['reason'], found.table.path, found.table.line(number), row['detail'])
               for number, (name, row) in enumerate(zip(names, rows)) if row['points'] is None]
    missing_path = path.with_name(f'{path.stem}_missing.csv')
    report_skipped(f'Landmarks of {found.table.path}', skipped, str(missing_path))
    for file in parts.iterdir():
        file.unlink()
    parts.rmdir()
    return Found(path, missing_path, len(names), len(skipped))


def _kept(work, parts: Path, chunk) -> List[dict]:
    """The rows of a chunk, from its file where an earlier run left one."""
    start, names = chunk
    path = parts / f'{start}.json'
    if path.is_file():
        return json.loads(path.read_text(encoding='utf-8'))
    rows = [work(name) for name in names]
    write_whole(path, json.dumps(rows).encode())
    return rows


def _row(size, points=None, reason: str = '', detail: str = '') -> dict:
    return dict(size=size, points=points, reason=reason, detail=detail)


@lru_cache(maxsize=1)
def _detector() -> DlibDetector:
    return DlibDetector()


def _by_dlib(folder: str, whole: bool, name: str) -> dict:
    cv2.setNumThreads(0)
    try:
        image = decode_image(Path(folder, name).read_bytes())
    except (OSError, UnreadableImageError, SyntaxError, ValueError) as error:
        return _row(['', ''], None, 'unreadable image', f'{type(error).__name__}: {error}')
    height, width = image.shape[:2]
    detections = _detector()([image])[0]
    if len(detections.boxes):
        box = detections.boxes[int(np.argmax(detections.scores))]
    elif whole:
        box = (0, 0, width, height)
    else:
        return _row([width, height], None, 'no face found')
    shape = find_landmarks(image, box, 68)
    return _row([width, height], [[point.x, point.y] for point in shape.parts()])


def _rendered(population: Population, folder: str, name: str) -> dict:
    subject, frame = population.parse(name)
    image = cv2.imread(str(Path(folder, name)), cv2.IMREAD_UNCHANGED)
    if image is None:
        return _row(['', ''], None, 'unreadable image', name)
    face, size = population.face(subject, frame), image.shape[0]
    points = render(face.identity, face.shown, face.pose, face.light, size=size)[1]
    return _row([size, size], points.tolist())


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code: 0, or 2 with one line that says why."""
    parser = argparse.ArgumentParser(description='68 landmarks of the images of a table.')
    parser.add_argument('table', help='annotation table, or the folder that holds annotation.csv')
    parser.add_argument('--out', help='CSV file; default: landmarks.csv beside the table')
    parser.add_argument('--images', help='image folder; default: faces or images beside the table')
    parser.add_argument('--source', choices=SOURCES, default='dlib',
                        help='rendered: the exact ones of faces that synthfacs.py wrote')
    parser.add_argument('--whole', action='store_true', help='where dlib finds no face, take the '
                        'whole image as the face: the images are face crops')
    add_parallel_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        found = find_table_landmarks(args.table, args.out, args.source, args.images, args.whole,
                                     parallel_arguments(args))
    except (CropError, AnnotationError, ParallelError, ValueError, OSError, ImportError) as error:
        return say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write('stopped. The same command goes on from here.\n')
        return 130
    sys.stdout.write(f'{found.images - found.missing} of {found.images} faces have landmarks: '
                     f'{found.path}; {found.missing} have none, listed in {found.missing_path}\n')
    return 0
