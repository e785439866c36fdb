# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Landmarks and flow stay on the face: checked in the pixels of the cropped, flipped image."""

import random

import numpy as np
import pytest
from mmcv.transforms import RandomFlip

from fmae_iat_plugin.datasets import FaceCrop, FollowLandmarks, LoadFlow
from fmae_iat_plugin.datasets.aligned_transforms import sample_window
from fmae_iat_plugin.datasets.mean_shape import MIRROR


def picture(points, size=100):
    """A black image with a white blob at each point, and the points as fractions."""
    image = np.zeros((size, size, 3), np.uint8)
    for x, y in points:
        image[y - 2:y + 3, x - 2:x + 3] = 255
    return image, (np.float32(points) + 0.5) / size


@pytest.mark.parametrize('seed', range(6))
def test_a_landmark_stays_on_its_blob(seed):
    np.random.seed(seed)
    random.seed(seed)
    image, fraction = picture([(50, 42)])
    landmarks = np.repeat(fraction, 68, axis=0)
    results = dict(img=image, landmarks=landmarks)
    results = FaceCrop(scale=80, crop_ratio_range=(0.5, 0.9), interpolation='bilinear').transform(
        results)
    results = RandomFlip(prob=0.5, direction='horizontal').transform(results)
    results = FollowLandmarks().transform(results)
    assert results['img'].shape == (80, 80, 3)
    weight = results['img'][..., 0].astype(float)
    assert weight.sum() > 0
    ys, xs = np.mgrid[:80, :80]
    centre = np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(results['landmarks'] * 80 - 0.5, np.repeat(centre[None], 68, 0),
                               atol=0.3)


def test_a_flip_also_changes_sides():
    points = np.random.default_rng(0).uniform(size=(68, 2)).astype(np.float32)
    found = FollowLandmarks().transform(dict(landmarks=points, flip=True))['landmarks']
    np.testing.assert_allclose(found[36], [1 - points[45, 0], points[45, 1]], atol=1e-6)
    np.testing.assert_allclose(found[:, 1], points[MIRROR, 1])


def test_the_crop_is_mmpretrains_own():
    from mmpretrain.datasets.transforms import RandomResizedCrop
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    found = []
    for kind in (FaceCrop, RandomResizedCrop):
        np.random.seed(3)
        found.append(kind(scale=32, crop_ratio_range=(0.2, 0.6)).transform(dict(img=image))['img'])
    np.testing.assert_array_equal(*found)


def test_flow_of_a_window_is_that_of_its_points():
    """A flow that is linear in the position: x' = (a + b x, c + d y) at every point."""
    ys, xs = np.mgrid[:32, :32]
    x, y = (xs + 0.5) / 32, (ys + 0.5) / 32
    flow = np.stack([0.02 + 0.1 * x, -0.05 * y], -1).astype(np.float32)
    window = (0.25, 0.125, 0.75, 0.875)
    found = sample_window(flow, window, 8)
    for row in range(8):
        for column in range(8):
            at_x = 0.25 + (column + 0.5) / 8 * 0.5
            at_y = 0.125 + (row + 0.5) / 8 * 0.75
            np.testing.assert_allclose(found[row, column], [(0.02 + 0.1 * at_x) / 0.5,
                                                            -0.05 * at_y / 0.75], atol=1e-4)


def test_unknown_cells_stay_unknown():
    flow = np.full((16, 16, 2), 0.25, np.float32)
    flow[:8] = np.nan
    found = sample_window(flow, (0, 0, 1, 1), 4)
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2:], 0.25, rtol=1e-5)


def test_flipped_flow_points_the_other_way(tmp_path):
    flow = np.zeros((1, 4, 4, 2), np.float16)
    flow[0, :, 0] = (2, 1)  # pixels of an 8 x 8 image; the left column moves right and down
    np.save(tmp_path / 's.npy', flow)
    base = dict(flow_target=(str(tmp_path / 's.npy'), 0, 8, 8), ori_shape=(8, 8))
    plain = LoadFlow(size=4).transform(dict(base))['flow']
    turned = LoadFlow(size=4).transform(dict(base, flip=True))['flow']
    assert plain[1, 0].tolist() == pytest.approx([2 / 8 * 0.875, 1 / 8 * 0.875], abs=0.02)
    np.testing.assert_allclose(turned[:, 3], plain[:, 0] * (-1, 1))
    np.testing.assert_allclose(turned[:, 0], plain[:, 3] * (-1, 1))


def test_flow_for_another_image_size_in_words(tmp_path):
    np.save(tmp_path / 's.npy', np.zeros((1, 4, 4, 2), np.float16))
    with pytest.raises(ValueError, match='computed for an image of 8x8 pixels, this one has 9x16'):
        LoadFlow(size=4).transform(dict(flow_target=(str(tmp_path / 's.npy'), 0, 8, 8),
                                        ori_shape=(16, 9)))


def test_samples_without_targets_pass():
    assert LoadFlow(size=4).transform(dict(ori_shape=(8, 8))) == dict(ori_shape=(8, 8))
    assert FollowLandmarks().transform(dict(flip=True)) == dict(flip=True)
