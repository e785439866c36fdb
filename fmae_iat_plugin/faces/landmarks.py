# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Similarity alignment from 5 or 68 landmarks, by dlib.

Both models are found in the package ``face_recognition_models``, which is not imported (its
import needs pkg_resources, which new setuptools no longer have). The 68-landmark model was trained
on iBUG 300-W, whose terms exclude commercial use; the 5-landmark model was not.
"""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Optional

import numpy as np

from .dlib_detector import import_dlib
from .structures import CropError

ALIGNED_MARGIN = 0.25  # dlib's own; relative to the square that holds brows, eyes, nose and mouth


def find_predictor(points: int) -> Path:
    """The model file of dlib's landmark predictor.

    Args:
        points: 5 or 68.

    Raises:
        CropError: If ``face_recognition_models`` is not installed or incomplete.
    """
    spec = importlib.util.find_spec('face_recognition_models')
    folders = list(spec.submodule_search_locations) if spec else []
    name = f'shape_predictor_{points}_face_landmarks.dat'
    for folder in folders:
        if (Path(folder) / 'models' / name).is_file():
            return Path(folder) / 'models' / name
    where = f'not in {", ".join(folders)}' if folders else \
        'face_recognition_models is not installed'
    raise CropError(f'alignment needs the landmark model {name}: {where}. Remedy: pip install '
                    "'fmae_iat_plugin[face]', or crop without alignment.")


@lru_cache(maxsize=2)
def _predictor(points: int):
    return import_dlib().shape_predictor(str(find_predictor(points)))


def find_landmarks(image: np.ndarray, box, points: int):
    """Landmarks of a face.

    Args:
        image: uint8 BGR ``[H, W, 3]``.
        box: (x1, y1, x2, y2) in pixels.
        points: 5 (corners of the eyes, base of the nose) or 68 (iBUG order).

    Returns:
        dlib.full_object_detection: Whole pixels.
    """
    dlib = import_dlib()
    x1, y1, x2, y2 = (int(round(float(value))) for value in box)
    rectangle = dlib.rectangle(x1, y1, max(x2 - 1, x1), max(y2 - 1, y1))
    return _predictor(points)(np.ascontiguousarray(image[:, :, ::-1]), rectangle)


def chip(image: np.ndarray, landmarks, size: int, margin: Optional[float] = None) -> np.ndarray:
    """Turn, scale and shift a face so that its landmarks come closest to dlib's mean face.

    Args:
        image: uint8 BGR ``[H, W, 3]``; outside it everything is black.
        landmarks (dlib.full_object_detection): 5 or 68 points.
        size: Side of the result.
        margin: Added on each side of the mean face, as a part of its size. Defaults to 0.25.

    Returns:
        np.ndarray: uint8 BGR ``[size, size, 3]``.
    """
    rgb = np.ascontiguousarray(image[:, :, ::-1])
    padding = ALIGNED_MARGIN if margin is None else margin
    return import_dlib().get_face_chip(rgb, landmarks, size=size, padding=padding)[:, :, ::-1]


def align_face(image: np.ndarray, box, points: int, size: int,
               margin: Optional[float] = None) -> np.ndarray:
    """Landmarks inside the box, then :func:`chip`."""
    return chip(image, find_landmarks(image, box, points), size, margin)
