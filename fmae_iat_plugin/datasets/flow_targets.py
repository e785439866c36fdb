# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Optical flow beside a table: the folder that ``tools/misc/compute_flow.py`` writes, and its use.

::

    flow/flow.json               how it was computed: method, delta, stride, table
    flow/sequences/0000.npy      float16 [T, h, w, 2], x and y, in pixels of the image; NaN unknown
    flow/sequences/0000.json     its images, the size of these, its SHA-256
    flow/flow.csv                image,file,row,width,height; written last
    flow/skipped.csv             frames without a target, and why

``h`` and ``w`` are those of the image divided by ``stride``; a cell is the mean of its pixels.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Dict, NamedTuple, Tuple, Union

import numpy as np
import pandas as pd

INDEX, SETTINGS, SEQUENCES, SKIPPED = 'flow.csv', 'flow.json', 'sequences', 'skipped.csv'


class Target(NamedTuple):
    """Where the flow of an image is.

    Attributes:
        file (str): ``.npy`` file.
        row (int): In that file.
        width, height (int): Of the image that it belongs to, in pixels.
    """

    file: str
    row: int
    width: int
    height: int


def read_flow_index(folder: Union[str, Path]) -> Dict[str, Target]:
    """The targets of a folder by image.

    Raises:
        FileNotFoundError: If the folder or its index is missing: never computed, or stopped.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        begun = ' It was begun and not finished.' if path.with_name(SETTINGS).is_file() else ''
        raise FileNotFoundError(
            f'the optical flow {str(path)!r} does not exist.{begun} Remedy: python '
            'tools/misc/compute_flow.py TABLE writes it, and goes on where it was stopped.')
    table = pd.read_csv(path, dtype={'image': str, 'file': str})
    return {image: Target(str(path.with_name(SEQUENCES) / file), int(row), int(width), int(height))
            for image, file, row, width, height in zip(
                table['image'], table['file'], table['row'], table['width'], table['height'])}


def read_settings(folder: Union[str, Path]) -> dict:
    """How the flow of a folder was computed."""
    return json.loads((Path(folder) / SETTINGS).read_text(encoding='utf-8'))


@lru_cache(maxsize=64)
def _opened(file: str) -> np.ndarray:
    return np.load(file, mmap_mode='r')


def read_flow(target: Target, size: Tuple[int, int]) -> np.ndarray:
    """The flow of an image.

    Args:
        target: Where it is.
        size: (width, height) of the image at hand, in pixels.

    Returns:
        np.ndarray: float32 ``[h, w, 2]``, x and y in fractions of the image; NaN unknown.

    Raises:
        ValueError: If the image has another size than the one the flow was computed for.
    """
    if tuple(size) != (target.width, target.height):
        raise ValueError(
            f'the flow in {target.file}, row {target.row}, was computed for an image of '
            f'{target.width}x{target.height} pixels, this one has {size[0]}x{size[1]}. Remedy: '
            'compute it from the images that are trained on (python tools/misc/compute_flow.py).')
    flow = np.asarray(_opened(target.file)[target.row], dtype=np.float32)
    return flow / np.array([target.width, target.height], np.float32)
