# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RoIAlign of both kinds against a hand-made bilinear sum."""

import math

import numpy as np
import pytest
import torch

from fmae_iat_plugin.models.rtatl.pooling import pool_boxes, pool_fixed


def bilinear(plane, y, x):
    """A value between the cells of a plane; 0 outside, the border within a cell of it."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = math.floor(y), math.floor(x)
    value = 0.
    for row in (top, top + 1):
        for column in (left, left + 1):
            if row < height and column < width:
                value += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return value


def by_hand(plane, box, size):
    """The mean of 2 x 2 points in each cell of the grid."""
    height, width = plane.shape
    x1, y1, x2, y2 = box
    out = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            for i in (0.25, 0.75):
                for j in (0.25, 0.75):
                    y = (y1 + (row + i) / size * (y2 - y1)) * height - 0.5
                    x = (x1 + (column + j) / size * (x2 - x1)) * width - 0.5
                    out[row, column] += bilinear(plane, y, x) / 4
    return out


BOXES = torch.tensor([[0.1, 0.2, 0.4, 0.6], [0.55, 0.5, 0.9, 0.95], [-0.1, -0.05, 0.2, 0.3],
                      [0.8, 0.7, 1.3, 1.2]], dtype=torch.float64)


@pytest.mark.parametrize('size', [1, 3])
def test_both_equal_the_sum_by_hand(size):
    maps = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 6, 8)))
    own = pool_boxes(maps, BOXES.expand(2, -1, -1), size)
    fixed = pool_fixed(maps, BOXES, size)
    assert own.shape == fixed.shape == (2, 4, 3, size, size)
    for image in range(2):
        for roi in range(4):
            for channel in range(3):
                wanted = by_hand(maps[image, channel].numpy(), BOXES[roi].tolist(), size)
                for found in (own, fixed):
                    np.testing.assert_allclose(found[image, roi, channel].numpy(), wanted,
                                               atol=1e-9)


def test_each_image_has_its_own_boxes():
    maps = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 1, 5, 5)))
    regions = torch.stack([BOXES[:1], BOXES[1:2]])
    found = pool_boxes(maps, regions, 2)
    for image in range(2):
        np.testing.assert_allclose(
            found[image, 0, 0].numpy(),
            by_hand(maps[image, 0].numpy(), regions[image, 0].tolist(), 2), atol=1e-9)


def test_gradient_of_both_is_the_same():
    maps = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 2, 5, 5)))
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 4, 2, 3, 3)))
    grads = []
    for pool, regions in ((pool_boxes, BOXES.expand(2, -1, -1)), (pool_fixed, BOXES)):
        leaf = maps.clone().requires_grad_()
        (pool(leaf, regions, 3) * weights).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads)
