# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""In-filling without learning, against planes, rectangles by hand, and brute force."""

import numpy as np
import pytest

from fmae_iat_plugin.evaluation.infilling import fill_from_border, fill_with_mean


def test_the_mean_is_of_what_remains():
    image = np.random.default_rng(0).normal(size=(6, 7, 3))
    removed = np.zeros((6, 7), bool)
    removed[1:3, 2:5] = True
    filled = fill_with_mean(image, removed)
    wanted = image[~removed].mean(axis=0)
    np.testing.assert_allclose(filled[removed], np.broadcast_to(wanted, (6, 3)))
    np.testing.assert_array_equal(filled[~removed], image[~removed])


def test_a_plane_is_filled_exactly():
    """Linear interpolation, across and down, gives a linear image back."""
    ys, xs = np.mgrid[:12, :15]
    image = np.stack([2. * xs + ys, -xs + 3. * ys, np.full(xs.shape, 5.)], -1)
    removed = np.zeros(xs.shape, bool)
    removed[3:8, 4:11] = True
    np.testing.assert_allclose(fill_from_border(image, removed), image)


def by_hand(image, removed, y, x):
    """Walk in the four directions to the nearest known pixel."""
    total, weights = 0., 0.
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        step = 1
        while True:
            row, column = y + step * dy, x + step * dx
            if not (0 <= row < removed.shape[0] and 0 <= column < removed.shape[1]):
                break
            if not removed[row, column]:
                total, weights = total + image[row, column] / step, weights + 1 / step
                break
            step += 1
    return total / weights if weights else image[~removed].mean(axis=0)


@pytest.mark.parametrize('seed', range(3))
def test_any_mask_equals_the_walk_by_hand(seed):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(9, 11, 2))
    removed = rng.random((9, 11)) < 0.5
    removed[:3, :4] = True  # a corner, known on two sides only
    filled = fill_from_border(image, removed)
    for y, x in zip(*np.nonzero(removed)):
        np.testing.assert_allclose(filled[y, x], by_hand(image, removed, y, x))
    np.testing.assert_array_equal(filled[~removed], image[~removed])


def test_a_pixel_that_sees_nothing_takes_the_mean():
    image = np.arange(9.).reshape(3, 3, 1)
    removed = np.ones((3, 3), bool)
    removed[0, 0] = False
    image[0, 0] = 7
    assert (fill_from_border(image, removed) == 7).all()
