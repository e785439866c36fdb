# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Proportions and brightness of faces, of photos and of renders, measured in the same way.

::

    python tools/benchmark/face_statistics.py PHOTOS [PHOTOS ...] --rendered 100 --aus 1=4 2=4

prints a row for each folder and one for the rendered people, so that a renderer can be compared
with photos: where dlib's 68 landmarks lie, in distances between the eyes, and how bright eyes,
lids, brows and mouth are beside the cheeks. No number of a single face is kept.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from fmae_iat_plugin.action_units import au_name
from fmae_iat_plugin.datasets.annotation import read_annotation
from fmae_iat_plugin.datasets.decoding import read_image_file
from fmae_iat_plugin.errors import exit_code, path_argument
from fmae_iat_plugin.faces.dlib_detector import DlibDetector
from fmae_iat_plugin.faces.landmarks import find_landmarks
from fmae_iat_plugin.faces.structures import CropError
from fmae_iat_plugin.inference.real_faces import TABLES
from fmae_iat_plugin.media import find_media
from fmae_iat_plugin.parallel import (
    ParallelError,
    add_parallel_arguments,
    parallel_arguments,
    run_parallel,
)
from fmae_iat_plugin.synthfacs.proportions import sample_varied_identity
from fmae_iat_plugin.synthfacs.renderer import Pose, render

from .rendered_crops import FIRST_IDENTITY, draw

BORDER = 0.2    # of a photo's side, on each side, by repeating its edge: crops may be tight
SIDE = 240      # pixels; smaller photos are enlarged to it for dlib
BETWEEN = 20    # pixels between the eyes at which brightness is read, as in CK+ at 48 pixels
RENDERED = 224
_EYES = (slice(36, 42), slice(42, 48))


def shape(points: np.ndarray) -> Dict[str, float]:
    """Where landmarks lie, in the turned frame of the eyes' corners.

    Args:
        points: ``[68, 2]`` pixels in iBUG order.

    Returns:
        dict: In distances between the eyes' middles (of their corners), heights above the line
        through them: ``inner brow``, ``outer brow``, ``brow gap`` (half), ``eye opening``,
        ``nose``, ``mouth corners``, ``mouth width``, ``lips apart``, ``chin``.
    """
    left, right = (points[36] + points[39]) / 2, (points[42] + points[45]) / 2
    across = right - left
    unit = np.hypot(*across)
    turn = np.array([[across[0], across[1]], [-across[1], across[0]]]) / unit
    x, y = ((points - (left + right) / 2) @ turn.T / unit).T
    y = -y
    return {
        'inner brow': y[[21, 22]].mean(), 'outer brow': y[[17, 26]].mean(),
        'brow gap': (x[22] - x[21]) / 2,
        'eye opening': y[[37, 38, 43, 44]].mean() - y[[40, 41, 46, 47]].mean(),
        'nose': y[33], 'mouth corners': y[[48, 54]].mean(), 'mouth width': x[54] - x[48],
        'lips apart': y[62] - y[66], 'chin': y[8]}


def brightness(image: np.ndarray, points: np.ndarray) -> Dict[str, float]:
    """How bright places of a face are, beside its cheeks, at :data:`BETWEEN` pixels.

    Args:
        image: Grey, uint8 ``[H, W]``.
        points: ``[68, 2]`` pixels in iBUG order.

    Returns:
        dict: Grey value as a part of that of cheeks and nose: ``brow``, ``inner brow``, ``pupil``,
        ``eye``, ``lid``, ``between brows``, ``mouth``.
    """
    eyes = [points[part].mean(0) for part in _EYES]
    scale = BETWEEN / np.hypot(*(eyes[1] - eyes[0]))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grey = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how).astype(float)
    points = points * scale
    eyes = [eye * scale for eye in eyes]

    def at(x: float, y: float) -> float:
        row, column = (int(np.clip(round(v), 0, n - 1)) for v, n in zip((y, x), grey.shape))
        return grey[row, column]

    def mean(places) -> float:
        return float(np.mean([at(*place) for place in places]))

    def dark(indices) -> float:  # the line of landmarks lies at the brow's edge
        return float(np.mean([min(at(points[k, 0], points[k, 1] + down) for down in (0, 1, 2))
                              for k in indices]))

    cheeks = mean([(points[31] + points[2]) / 2, (points[35] + points[14]) / 2,
                   (points[31] + points[48]) / 2 - (3, 0), (points[35] + points[54]) / 2 + (3, 0),
                   points[29]])
    found = {
        'brow': dark((18, 19, 20, 23, 24, 25)), 'inner brow': dark((21, 22)), 'pupil': mean(eyes),
        'eye': mean([eye + (dx, dy) for eye in eyes for dx in (-3, -1.5, 0, 1.5, 3)
                     for dy in (-.7, .7)]),
        'lid': mean([(points[a] + points[b]) / 2 for a, b in ((37, 19), (38, 20), (43, 23),
                                                              (44, 24))]),
        'between brows': mean([(points[21] + points[22]) / 2]),
        'mouth': mean(points[[62, 66]])}
    return {name: value / max(cheeks, 1) for name, value in found.items()}


def measure(image: np.ndarray) -> Optional[Dict[str, Dict[str, float]]]:
    """``shape`` and ``brightness`` of the only face of a picture; None if dlib does not find one.

    Args:
        image: uint8 BGR ``[H, W, 3]``.
    """
    edge = round(BORDER * min(image.shape[:2]))
    image = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
    enlarged = max(1.0, SIDE / min(image.shape[:2]))
    image = cv2.resize(image, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC)
    boxes = DlibDetector()([image])[0].boxes
    if len(boxes) != 1:
        return None
    found = find_landmarks(image, boxes[0], 68)
    points = np.array([(part.x, part.y) for part in found.parts()], float)
    return dict(shape=shape(points),
                brightness=brightness(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), points))


def photos(folder: Path, present: Sequence[int] = ()) -> List[Path]:
    """The images of a folder; with ``present``, those whose table says that all these AUs are.

    Raises:
        ValueError: If there are none, or the folder has no table.
    """
    if not present:
        found = list(find_media(folder).images)
    else:
        tables = [folder / name for name in TABLES if (folder / name).is_file()]
        if not tables:
            raise ValueError(f'{folder} holds neither {" nor ".join(TABLES)}. Remedy: leave '
                             '--present out.')
        table = read_annotation(tables[0])
        shown = (table.select(present) >= 1).all(1)
        found = [folder / image for image, wanted in zip(table.images, shown) if wanted]
    if not found:
        raise ValueError(f'{folder} holds no image' + (
            f' with {", ".join(map(au_name, present))}.' if present else '.'))
    return found


def _photo(path: Path) -> Optional[dict]:
    return measure(read_image_file(path))


def _person(aus: Dict[int, float], person: int) -> Optional[dict]:
    """A person of the default model from the front, in one of its lights."""
    who, light = sample_varied_identity(FIRST_IDENTITY + person), draw(0, person, 1).light
    picture = render(who, aus, Pose(), light, RENDERED, 'portrait')[0]
    return measure(np.ascontiguousarray(picture[..., ::-1]))


def statistics(measured: Sequence[dict]) -> Dict[str, Dict[str, tuple]]:
    """``shape`` and ``brightness``: name -> (mean, standard deviation) over faces."""
    return {part: {name: (float(np.mean(values)), float(np.std(values)))
                   for name in measured[0][part]
                   for values in [[one[part][name] for one in measured]]}
            for part in ('shape', 'brightness')}


def _au(text: str) -> tuple:
    number, _, value = text.partition('=')
    return int(number), float(value)


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; the exit code: 0, 2 (an error), 130 (stopped)."""
    parser = argparse.ArgumentParser(
        description='Proportions and brightness of faces, photos beside renders. Needs '
        "'fmae_iat_plugin[face]'.")
    parser.add_argument('folders', nargs='*', type=path_argument, help='photos of one face each')
    parser.add_argument('--present', nargs='+', type=int, default=[], metavar='AU', help='only '
                        'photos whose table says that these action units are present')
    parser.add_argument('--rendered', type=int, default=0, metavar='N', help='also N people')
    parser.add_argument('--aus', nargs='+', type=_au, default=[], metavar='AU=INTENSITY',
                        help='that the rendered people show')
    add_parallel_arguments(parser, workers=0)
    args = parser.parse_args(arguments)
    workers = parallel_arguments(args)

    def work() -> int:
        rows = {}
        sources = {str(folder): photos(Path(folder), args.present) for folder in args.folders}
        for name, paths in sources.items():
            rows[name] = run_parallel(_photo, paths, workers, name)
        if args.rendered:
            rows['rendered'] = run_parallel(partial(_person, dict(args.aus)),
                                            range(args.rendered), workers, 'rendered')
        if not rows:
            raise ValueError('nothing to measure. Remedy: a folder of photos, or --rendered 100.')
        found = {name: [one for one in row if one is not None] for name, row in rows.items()}
        empty = [name for name, row in found.items() if not row]
        if empty:
            raise ValueError(f'dlib finds one face in no picture of {", ".join(empty)}.')
        numbers = {name: statistics(row) for name, row in found.items()}
        for part, unit in (('shape', 'in distances between the eyes'),
                           ('brightness', 'as a part of that of the cheeks')):
            table = Table('faces', 'measured', *next(iter(numbers.values()))[part],
                          title=f'{part}, {unit}: mean ± spread')
            for name, row in numbers.items():
                table.add_row(name, f'{len(found[name])} of {len(rows[name])}',
                              *(f'{mean:.2f} ± {spread:.2f}' for mean, spread in
                                row[part].values()))
            Console(width=180).print(table)
        return 0

    return exit_code(work, ValueError, ImportError, CropError, ParallelError)
