# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Patches pasted back: only removed pixels, in their place."""

import numpy as np
import pytest

from fmae_iat_plugin.visualization.recovered import paste, plot_recovered


def test_a_patch_of_a_slope_continues_the_slope():
    ys, xs = np.mgrid[:20, :20]
    image = np.stack([xs + 0.5, ys + 0.5, np.ones(xs.shape)], -1).astype(np.float32)
    box = (0.2, 0.3, 0.6, 0.8)
    cells = (np.arange(8) + 0.5) / 8
    patch = np.stack([np.broadcast_to(20 * (0.2 + cells * 0.4), (8, 8)),
                      np.broadcast_to(20 * (0.3 + cells * 0.5), (8, 8)).T, np.ones((8, 8))])
    mask = np.zeros((20, 20), bool)
    mask[7:15, 5:11] = True  # inside the box by a cell
    holed = np.where(mask[..., None], 0, image)
    filled = paste(holed, patch[None], np.array([box]), mask)
    np.testing.assert_allclose(filled, image, atol=0.03)  # OpenCV samples in steps of 1/32 pixel
    np.testing.assert_array_equal(filled[~mask], holed[~mask])


def test_two_patches_over_one_pixel_are_averaged():
    image, mask = np.zeros((4, 4, 3), np.float32), np.ones((4, 4), bool)
    patches = np.stack([np.full((3, 2, 2), 1.), np.full((3, 2, 2), 3.)])
    filled = paste(image, patches, np.array([(0, 0, 1, 1), (0, 0, 0.5, 1)]), mask)
    assert (filled[:, :2] == 2).all() and (filled[:, 2:] == 1).all()


def test_the_figure_shows_the_three_pictures():
    pictures = [list(np.full((1, 4, 4, 3), value, np.uint8)) for value in (10, 20, 30)]
    figure = plot_recovered(pictures[0], pictures[1], pictures[2], ['AU4'])
    assert [axes.images[0].get_array()[0, 0, 0] for axes in figure.axes] == [20, 30, 10]
    assert [axes.get_title() for axes in figure.axes] == ['removed', 'recovered', 'intact']
    with pytest.raises(ValueError, match='1 faces, 0 cut'):
        plot_recovered(pictures[0], [], pictures[2], ['AU4'])
