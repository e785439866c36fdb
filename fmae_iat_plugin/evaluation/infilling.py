# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Two ways to fill removed pixels without learning, which a learned one has to beat."""

import numpy as np


def fill_with_mean(image: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """The mean of the pixels that remain.

    Args:
        image: ``[H, W, C]``.
        removed: Bool ``[H, W]``.

    Returns:
        np.ndarray: float ``[H, W, C]``.
    """
    filled = image.astype(np.float64)
    filled[removed] = filled[~removed].mean(axis=0)
    return filled


def fill_from_border(image: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """Bilinear in-filling: the nearest known pixels to the left, right, above and below, each
    weighted by the inverse of its distance.

    Within a rectangle, that is the mean of a horizontal and a vertical linear interpolation between
    opposite borders, the shorter way weighing more. Where one side has no known pixel up to the
    edge of the image, the other three count.

    Args:
        image: ``[H, W, C]``.
        removed: Bool ``[H, W]``; one pixel at least remains.

    Returns:
        np.ndarray: float ``[H, W, C]``.
    """
    image = image.astype(np.float64)
    total, weights = np.zeros_like(image), np.zeros(removed.shape)
    for turn in range(4):  # look left in the image turned by 0, 90, 180, 270 degrees
        mask, pixels = np.rot90(removed, turn), np.rot90(image, turn)
        column = np.broadcast_to(np.arange(mask.shape[1]), mask.shape)
        nearest = np.maximum.accumulate(np.where(mask, -1, column), axis=1)
        found = mask & (nearest >= 0)
        weight = np.where(found, 1 / np.maximum(column - nearest, 1), 0.)
        values = np.take_along_axis(pixels, np.maximum(nearest, 0)[..., None], axis=1)
        total += np.rot90(values * weight[..., None], -turn)
        weights += np.rot90(weight, -turn)
    filled = image.copy()
    lonely = removed & (weights == 0)  # no known pixel in its row or column
    inside = removed & ~lonely
    filled[inside] = total[inside] / weights[inside][:, None]
    if lonely.any():
        filled[lonely] = image[~removed].mean(axis=0)
    return filled
