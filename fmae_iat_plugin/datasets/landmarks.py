# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""68 landmarks of the images of a table: in a file beside it, or in columns of the table itself.

Columns ``width, height, x_0, ..., x_67, y_0, ..., y_67``, in pixels, as OpenFace names them: 0 is
the centre of the first pixel. The cells of a face without landmarks are empty. In memory landmarks
are fractions of the image, ``(x + 0.5) / width``, which no later change of size can falsify.
"""

from pathlib import Path
from typing import Dict, NamedTuple, Optional, Sequence, Union

import numpy as np
import pandas as pd

from fmae_iat_plugin.files import whole_file

from .annotation import AnnotationError
from .mean_shape import symmetric

X, Y = ([f'{axis}_{point}' for point in range(68)] for axis in 'xy')
COLUMNS = ['width', 'height', *X, *Y]
IN_TABLE = 'table'  #: in the place of a file: the landmarks are columns of the table


class Landmarks(NamedTuple):
    """Landmarks by image.

    Attributes:
        path (str): The file, for messages.
        points (dict[str, np.ndarray]): Image as the table names it -> float32 ``[68, 2]`` fractions
            of its width and height. An image whose landmarks were not found is absent.
        mean_shape (np.ndarray): ``[68, 2]``, the mean of all, made symmetric.
    """

    path: str
    points: Dict[str, np.ndarray]
    mean_shape: np.ndarray

    def of(self, image: str) -> np.ndarray:
        """Landmarks of an image; the mean shape where they were not found."""
        return self.points.get(image, self.mean_shape)


def parse_landmarks(frame: pd.DataFrame, path: str) -> Landmarks:
    """Read the columns of a table.

    Args:
        frame: Column ``image`` and those of the module; cells are strings, the index holds lines.
        path: For messages.

    Raises:
        AnnotationError: If a column is missing, a cell is no number, a row is filled in part, or no
            row has landmarks.
    """
    missing = [name for name in ('image', *COLUMNS) if name not in frame.columns]
    if missing:
        raise AnnotationError(
            f'{path}: no landmarks: column {", ".join(missing[:4])}{", ..." * (len(missing) > 4)} '
            'is missing. Remedy: python tools/misc/find_landmarks.py TABLE writes them into a file '
            "of its own, which `landmarks` names; or set model.neck.regions='mean', which needs "
            'none.')
    cells = frame[COLUMNS].astype(str).apply(lambda column: column.str.strip()).replace('nan', '')
    filled = (cells != '').to_numpy()
    values = cells.apply(pd.to_numeric, errors='coerce').to_numpy(np.float64)
    bad = np.argwhere(filled & ~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise AnnotationError(f'{path}, line {frame.index[row]}: {COLUMNS[column]} is '
                              f'{cells.iat[row, column]!r}. Remedy: pixels, or empty cells for a '
                              'face without landmarks.')
    points_there = filled[:, 2:]
    part = np.flatnonzero(points_there.any(axis=1) & ~filled.all(axis=1))
    if len(part):
        raise AnnotationError(f'{path}, line {frame.index[part[0]]}: only some of the 68 landmarks '
                              'and the size of the image are given. Remedy: all of them, or none.')
    rows = np.flatnonzero(points_there.all(axis=1))
    if not len(rows):
        raise AnnotationError(f'{path}: none of {len(frame)} faces has landmarks. Remedy: another '
                              "detector, or model.neck.regions='mean', which needs none.")
    shaped = np.stack([values[rows, 2:70], values[rows, 70:]], axis=-1)
    fractions = ((shaped + 0.5) / values[rows, None, :2]).astype(np.float32)
    images = frame['image'].to_numpy()
    return Landmarks(path, dict(zip(images[rows], fractions)),
                     symmetric(fractions.mean(axis=0)).astype(np.float32))


def read_landmarks(path: Union[str, Path]) -> Landmarks:
    """Read a file of landmarks.

    Raises:
        FileNotFoundError: If there is none; the message says how to make it.
        AnnotationError: See :func:`parse_landmarks`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'the landmarks {str(path)!r} do not exist. Remedy: python '
            'tools/misc/find_landmarks.py TABLE writes them.')
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return parse_landmarks(frame.set_index(np.arange(len(frame)) + 2), str(path))


def write_landmarks(path: Union[str, Path], images: Sequence[str], sizes: Sequence[tuple],
                    points: Sequence[Optional[np.ndarray]]) -> None:
    """Write a file of landmarks.

    Args:
        path: CSV file.
        images: N images, as the table names them.
        sizes: (width, height) of each in pixels.
        points: ``[68, 2]`` in pixels of each, or None where they were not found.
    """
    rows = [[image, *size, *([''] * 136 if found is None else
                             [f'{value:.2f}' for value in np.asarray(found).T.ravel()])]
            for image, size, found in zip(images, sizes, points)]
    with whole_file(path) as partial:
        pd.DataFrame(rows, columns=['image', *COLUMNS]).to_csv(partial, index=False)
