# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The mean shape is the renderer's."""

import numpy as np

from fmae_iat_plugin.datasets.mean_shape import MEAN_SHAPE, MIRROR, mirror, symmetric
from fmae_iat_plugin.synthfacs import render


def test_mean_shape_is_that_of_rendered_faces():
    found = np.mean([(render(person, size=32)[1] + 0.5) / 32 for person in range(8)], axis=0)
    assert np.abs(found - MEAN_SHAPE).max() < 0.02
    assert MEAN_SHAPE.shape == (68, 2) and MEAN_SHAPE.dtype == np.float32


def test_mirror_pairs():
    """Named pairs of the iBUG order: jaw, brows, eyes, nose, mouth."""
    pairs = {0: 16, 8: 8, 17: 26, 21: 22, 36: 45, 39: 42, 41: 46, 31: 35, 33: 33, 48: 54, 50: 52,
             55: 59, 60: 64, 61: 63, 65: 67}
    for one, other in pairs.items():
        assert (MIRROR[one], MIRROR[other]) == (other, one)


def test_symmetric_is_its_own_mirror_image():
    shape = np.random.default_rng(0).uniform(size=(68, 2))
    np.testing.assert_allclose(mirror(symmetric(shape)), symmetric(shape))
    np.testing.assert_allclose(symmetric(symmetric(shape)), symmetric(shape))
    assert np.abs(symmetric(MEAN_SHAPE) - MEAN_SHAPE).max() < 0.01
