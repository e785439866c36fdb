# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The geometry of a crop: detector box -> enlarged box -> image of a fixed size.

The published crop of FMAE and FMAE-IAT is the box enlarged by 5 % of its size on each side and
resized to 224 x 224 without alignment. What of the box lies outside the image is cut off. A square
must stay square, so there the image's border is repeated.
"""

from typing import Tuple

import cv2
import numpy as np
from PIL import Image

from .landmarks import align_face
from .structures import CropOptions

PUBLISHED_MARGIN = 0.05
_FLAGS = {'jpg': [cv2.IMWRITE_JPEG_QUALITY, 95], 'png': []}


def enlarge(box, margin: float, square: bool = False) -> Tuple[float, float, float, float]:
    """The part of the plane that a crop shows.

    Args:
        box: (x1, y1, x2, y2), pixels; (0, 0) is the outer corner of the first pixel.
        margin: Part of the box's width and height that is added on each side.
        square: The longer side is used in both directions, around the same centre.

    Returns:
        tuple: (x1, y1, x2, y2).
    """
    x1, y1, x2, y2 = map(float, box)
    centre, half = ((x1 + x2) / 2, (y1 + y2) / 2), [(x2 - x1) / 2, (y2 - y1) / 2]
    half = [side * (1 + 2 * margin) for side in half]
    if square:
        half = [max(half)] * 2
    return (centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1])


def clip(box, width: int, height: int) -> Tuple[float, float, float, float]:
    """The part of a box inside the image, at least one pixel each way."""
    x1, y1, x2, y2 = map(float, box)
    x1, y1 = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
    return x1, y1, max(min(x2, width), x1 + 1), max(min(y2, height), y1 + 1)


def cut(image: np.ndarray, box, size: int) -> np.ndarray:
    """Resize a box of an image, corners at fractions of a pixel included.

    Bilinear, averaging over all pixels where the crop is smaller than the box (as Pillow does).
    Outside the image its border is repeated.

    Args:
        image: uint8 ``[H, W, 3]``.
        box: (x1, y1, x2, y2), pixels.
        size: Side of the result.

    Returns:
        np.ndarray: uint8 ``[size, size, 3]``.
    """
    x1, y1, x2, y2 = box
    left, top, right, bottom = (int(np.floor(x1)), int(np.floor(y1)), int(np.ceil(x2)),
                                int(np.ceil(y2)))
    height, width = image.shape[:2]
    rows = np.clip(np.arange(top, bottom), 0, height - 1)
    columns = np.clip(np.arange(left, right), 0, width - 1)
    region = Image.fromarray(np.ascontiguousarray(image[rows[:, None], columns]))
    inside = x1 - left, y1 - top, x2 - left, y2 - top
    return np.array(region.resize((size, size), Image.BILINEAR, box=inside))


def crop_face(image: np.ndarray, box, options: CropOptions) -> np.ndarray:
    """Cut a face out of an image.

    Args:
        image: uint8 BGR ``[H, W, 3]``.
        box: The detector's box, (x1, y1, x2, y2) in pixels of ``image``.
        options: ``margin``, ``square``, ``size``, ``align``.

    Returns:
        np.ndarray: uint8 BGR ``[size, size, 3]``.

    Raises:
        CropError: With ``align``, if dlib or its landmark model is not installed.
    """
    if options.align:
        return align_face(image, box, options.align, options.size, options.margin)
    margin = PUBLISHED_MARGIN if options.margin is None else options.margin
    wanted = enlarge(box, margin, options.square)
    if not options.square:
        wanted = clip(wanted, image.shape[1], image.shape[0])
    return cut(image, wanted, options.size)


def crop_of_frame(frame: np.ndarray, box, options: CropOptions) -> np.ndarray:
    """The crop of a face of a frame, halved first where the options say so.

    Args:
        frame: uint8 BGR ``[H, W, 3]``.
        box: (x1, y1, x2, y2), pixels of ``frame``.
        options: As for :func:`crop_face`, and ``halve``.

    Returns:
        np.ndarray: uint8 BGR ``[size, size, 3]``.
    """
    if options.halve:
        return crop_face(halve(frame), [side / 2 for side in box], options)
    return crop_face(frame, box, options)


def encode(image: np.ndarray, image_format: str) -> bytes:
    """A BGR image as the content of a ``jpg`` (quality 95) or ``png`` file."""
    return cv2.imencode(f'.{image_format}', image, _FLAGS[image_format])[1].tobytes()


def halve(image: np.ndarray) -> np.ndarray:
    """Half as wide and high, as the published preparation does before it looks for faces."""
    height, width = image.shape[:2]
    return cv2.resize(image, (max(1, width // 2), max(1, height // 2)))
