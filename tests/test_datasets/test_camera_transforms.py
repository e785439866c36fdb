# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Random framing and camera: where points go, by a formula; what stays as it is."""

import numpy as np
import pytest

from fmae_iat_plugin.datasets.camera_transforms import (
    RandomCamera,
    RandomFraming,
    RandomTexture,
)

STILL = dict(zoom=(1, 1), shift=0, down=(0, 0), angle=0, stretch=0, flip=0)


def test_without_amounts_it_is_the_middle_of_the_picture():
    """Pixel centres of the result, spread over the middle side, by hand."""
    matrix = RandomFraming(64, side=0.5, **STILL).matrix(128, 128)
    np.testing.assert_allclose(matrix, [[1, 0, 32], [0, 1, 32]], atol=1e-5)
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    cut = RandomFraming(64, side=0.5, **STILL)(dict(img=image))
    np.testing.assert_array_equal(cut['img'], image[32:96, 32:96])
    assert cut['img_shape'] == (64, 64)


def test_mirrored():
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    cut = RandomFraming(64, side=0.5, **{**STILL, 'flip': 1})(dict(img=image))['img']
    np.testing.assert_array_equal(cut, image[32:96, 32:96][:, ::-1])


def test_the_amounts_are_those_that_are_asked_for():
    """Zoom, turn, stretch and move, read back from the map by its singular values and middle."""
    np.random.seed(0)
    framing = RandomFraming(32, side=0.8, zoom=(.9, 1.2), shift=.02, down=(-.1, .05), angle=6,
                            stretch=.04, flip=.3)
    zooms, turns, stretches, rights, downs, mirrors = [], [], [], [], [], []
    for _ in range(3000):
        matrix = framing.matrix(100, 100).astype(float)
        linear = matrix[:, :2] * 32 / 80
        mirror = np.linalg.det(linear) < 0
        wide, high = np.linalg.norm(linear, axis=0)
        zooms.append(np.sqrt(wide * high))
        stretches.append(np.log(wide / high) / 2)
        turns.append(np.degrees(np.arctan2(-linear[0, 1], linear[1, 1])))
        right, down = matrix @ [15.5, 15.5, 1] - 49.5
        rights.append(right / 80)
        downs.append(down / 80)
        mirrors.append(mirror)
    assert .9 <= min(zooms) and max(zooms) <= 1.2 and np.mean(zooms) == pytest.approx(1.05, abs=.01)
    assert np.std(turns) == pytest.approx(6, rel=.05)
    assert np.std(rights) == pytest.approx(.02, rel=.05)
    assert np.std(stretches) == pytest.approx(.04, rel=.05)
    assert -.1 <= min(downs) and max(downs) <= .05
    assert np.mean(downs) == pytest.approx(-.025, abs=.005)
    assert np.mean(mirrors) == pytest.approx(.3, abs=.03)


@pytest.mark.parametrize('options', [dict(side=0), dict(side=1.2), dict(zoom=(1.1, .9))])
def test_impossible_framings_are_refused(options):
    with pytest.raises(ValueError, match='RandomFraming: .*Remedy'):
        RandomFraming(64, **options)


def test_a_camera_that_does_nothing(monkeypatch):
    """With every chance missed and no exposure, a grey picture stays as it is."""
    monkeypatch.setattr(np.random, 'rand', lambda *_: .999)
    monkeypatch.setattr(np.random, 'normal', lambda mean, *_: np.zeros(_[1]) if len(_) > 1 else 0.)
    monkeypatch.setattr(np.random, 'uniform', lambda low, high: 1.)
    grey = np.random.default_rng(0).integers(0, 256, (48, 48, 1), np.uint8).repeat(3, 2)
    seen = RandomCamera()(dict(img=grey))['img']
    assert seen.dtype == np.uint8
    assert np.abs(seen.astype(int) - grey).max() <= 1  # rounding to 0..1 and back


def test_a_grey_camera_mixes_by_bt601():
    np.random.seed(1)
    image = np.zeros((40, 40, 3), np.uint8)
    image[:] = (10, 100, 200)  # blue, green, red
    mixed = RandomCamera(grey=1)._coloured(image.astype(np.float32))
    np.testing.assert_allclose(mixed, .114 * 10 + .587 * 100 + .299 * 200, rtol=1e-5)


def test_it_varies_and_keeps_the_shape():
    np.random.seed(2)
    image = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    seen = [RandomCamera()(dict(img=image))['img'] for _ in range(20)]
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in seen)
    assert len({one.tobytes() for one in seen}) == 20
    assert np.std([one.mean() for one in seen]) > 10


def test_a_texture_by_hand(monkeypatch):
    """A sum over the window in a loop, brought to mean and spread of the picture, and mixed."""
    image = np.random.default_rng(0).integers(60, 190, (12, 10, 3), np.uint8)
    np.random.seed(3)
    found = RandomTexture(prob=1, mix=1, sizes=(3, ))(dict(img=image))['img']
    np.random.seed(3)
    np.random.rand(), np.random.randint(1)
    weights = np.random.normal(0, 1 / 3, (3, 3))
    share = np.random.uniform(0, 1)
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)), mode='reflect')
    summed = np.zeros(image.shape)
    for row in range(3):
        for column in range(3):
            summed += weights[row, column] * padded[row:row + 12, column:column + 10]
    summed = (summed - summed.mean()) / summed.std() * image.std() + image.mean()
    expected = np.clip((1 - share) * image + share * summed, 0, 255)
    assert share > .2 and np.abs(found - expected).max() < .51


def test_how_often_a_texture_changes():
    image = np.random.default_rng(0).integers(60, 190, (12, 10, 3), np.uint8)
    np.random.seed(0)
    changed = [not np.array_equal(RandomTexture(prob=.3)(dict(img=image))['img'], image)
               for _ in range(600)]
    assert np.mean(changed) == pytest.approx(.3, abs=.06)
    assert repr(RandomTexture(sizes=(5, ))) == 'RandomTexture(prob=0.4, mix=0.5, sizes=(5,))'


@pytest.mark.parametrize('wrong', [dict(prob=2), dict(mix=-1), dict(sizes=(4, )), dict(sizes=())])
def test_textures_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match='RandomTexture'):
        RandomTexture(**wrong)
