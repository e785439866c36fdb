# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The picture: reproducible, landmarks on features, light, camera, bad input."""
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer import AUS, Camera, Light, Pose, render, sample_identity
from fmae_iat_plugin.synthfacs.renderer.plates import forget_plates

CASE = dict(identity=3, au_intensities={12: 5, 6: 2.5, 25: 3}, pose=(5, -3, 4), light=(20, 30),
            size=96, camera=Camera(noise=4, blur=.5, gain=1.1))
PLAIN = [s for s in range(60) if sample_identity(s).beard == 'none'
         and sample_identity(s).glasses == 'none'][:4]


def digest(image, landmarks):
    return hashlib.sha256(image.tobytes() + landmarks.tobytes()).hexdigest()


def test_same_bytes_in_another_process():
    code = (f'from fmae_iat_plugin.synthfacs.renderer import *\nimport hashlib\n'
            f'image, landmarks = render(**{CASE!r})\n'
            f'print(hashlib.sha256(image.tobytes() + landmarks.tobytes()).hexdigest())')
    env = {**os.environ, 'PYTHONHASHSEED': '77', 'PYTHONPATH': os.pathsep.join(sys.path)}
    out = subprocess.run([sys.executable, '-c', code], env=env, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert out.stdout.split()[-1] == digest(*render(**CASE))


def test_the_cache_changes_nothing():
    first = digest(*render(**CASE))
    for seed in range(40, 43):
        render(seed, {26: 5}, size=96)
    forget_plates()
    assert digest(*render(**CASE)) == first
    assert digest(*render(**{**CASE, 'identity': 4})) != first


def test_shapes_and_framings():
    for size in (16, 48, 100, 224):
        image, landmarks = render(0, size=size)
        assert image.shape == (size, size, 3) and image.dtype == np.uint8
        assert landmarks.shape == (68, 2) and landmarks.dtype == np.float32
    crop, portrait = (render(0, size=224, framing=f)[1] for f in ('crop', 'portrait'))
    # the portrait shows 2.62 / 1.52 times as much
    assert np.ptp(crop[:, 0]) / np.ptp(portrait[:, 0]) == pytest.approx(2.62 / 1.52, rel=1e-3)


@pytest.mark.parametrize('size', [32, 48])
def test_small_images_are_the_large_one_averaged(size):
    import cv2
    small, points = render(6, {4: 3}, size=size)
    large, points_large = render(6, {4: 3}, size=size * 4)
    averaged = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(small - averaged).mean() < 6
    np.testing.assert_allclose((points + .5) * 4 - .5, points_large, atol=.2)


def test_pupils_lie_between_the_eye_landmarks():
    for seed in PLAIN:
        image, landmarks = render(seed, {5: 3}, size=224)
        grey = image.astype(float).mean(-1)
        for eye in (range(36, 42), range(42, 48)):
            centre = landmarks[list(eye)].mean(0)
            x, y = (int(round(v)) for v in centre)
            patch = grey[y - 6:y + 7, x - 9:x + 10]
            dark = np.argwhere(patch <= np.quantile(patch, .08)).mean(0) - (6, 9)
            assert np.abs(dark[::-1] + (x, y) - centre).max() < 3.5, seed


def test_lip_colour_ends_at_the_mouth_corners():
    """Redness of the skin-to-lip step at both corners, at rest and smiling."""
    for seed in PLAIN:
        for aus in ({}, {12: 3}, {20: 4}, {15: 3}):
            image, landmarks = render(seed, aus, size=448, light=Light(azimuth=0))
            red = image[..., 0].astype(float) / (image.sum(-1) + 1)
            for corner, inward in ((48, 49), (54, 53)):
                step = landmarks[inward] - landmarks[corner]
                x0, y0 = (landmarks[corner] - .45 * step).astype(int)
                x1, y1 = ((landmarks[48] + landmarks[54]) / 2).astype(int)
                lip = landmarks[inward] * .3 + .7 * landmarks[{48: 59, 54: 55}[corner]]
                outside = red[y0 - 2:y0 + 3, x0 - 2:x0 + 3].mean()
                x1, y1 = lip.astype(int)
                assert red[y1 - 2:y1 + 3, x1 - 2:x1 + 3].mean() > outside + .01, (seed, aus)


def test_open_mouth_is_between_the_inner_lip_landmarks():
    for seed in PLAIN:
        shut, landmarks = render(seed, {}, size=224)
        image, landmarks = render(seed, {26: 5}, size=224)
        x = int(landmarks[[62, 66], 0].mean())
        column = image[:, x].astype(float).mean(-1)
        top, bottom = landmarks[62, 1], landmarks[66, 1]
        inside = column[int(.35 * top + .65 * bottom):int(bottom) - 2].mean()
        below = column[int(bottom) + 3:int(landmarks[57, 1])].mean()
        assert inside < .8 * below, seed


@pytest.mark.parametrize('au', AUS)
def test_every_unit_changes_the_picture_where_it_acts(au):
    upper = au in (1, 2, 4, 5, 6, 7)
    rest = render(PLAIN[0], {}, size=128)[0].astype(float)
    half, full = (render(PLAIN[0], {au: v}, size=128)[0] - rest for v in (2.5, 5))
    energy = (full ** 2).sum((1, 2))
    assert energy.sum() > (half ** 2).sum() > 0
    split = 72    # below the eyes, above the upper lip (rows)
    share = energy[:split].sum() / energy.sum()
    if upper:
        assert share > .9
    elif au != 9:
        assert share < .35


def test_light_comes_from_where_it_is():
    face = (slice(90, 130), slice(0, 224))
    left, right = (render(2, light=Light(azimuth=a), size=224)[0][face].astype(float)
                   for a in (-60, 60))
    assert left[:, 60:105].mean() > right[:, 60:105].mean() + 10
    assert right[:, 119:164].mean() > left[:, 119:164].mean() + 10
    dim, bright = (render(2, light=Light(strength=s), size=64)[0].mean() for s in (.3, .9))
    assert bright > dim + 15


def test_camera():
    plain = render(2, size=64)[0].astype(float)
    gain = render(2, size=64, camera=Camera(gain=.5))[0]
    np.testing.assert_allclose(gain, plain * .5, atol=1)
    contrast = render(2, size=64, camera=Camera(contrast=.5))[0]
    np.testing.assert_allclose(contrast, plain * .5 + 63.75, atol=1)
    grey = render(2, size=64, camera=Camera(grey=True))[0]
    assert np.ptp(grey.astype(int), axis=-1).max() == 0
    np.testing.assert_allclose(grey[..., 0], plain @ [.299, .587, .114], atol=1.5)
    noisy = [render(2, size=64, camera=Camera(noise=5, seed=s))[0] for s in (0, 0, 1)]
    assert (noisy[0] == noisy[1]).all() and (noisy[0] != noisy[2]).any()
    assert np.std(noisy[0] - plain) == pytest.approx(5, rel=.2)
    blurred = render(2, size=64, camera=Camera(blur=6))[0].astype(float)
    assert np.abs(np.diff(blurred, axis=0)).mean() < .7 * np.abs(np.diff(plain, axis=0)).mean()


@pytest.mark.parametrize('bad,match', [
    (dict(au_intensities={11: 2}), 'AU 11'), (dict(au_intensities={12: 6}), 'AU 12'),
    (dict(size=15), '15'), (dict(size=64.0), '64.0'), (dict(framing='wide'), 'wide'),
    (dict(pose=(50, 0, 0)), 'Pose.yaw'), (dict(light=(0, 99)), 'Light.elevation'),
    (dict(identity=-3), '-3'), (dict(identity='me'), 'me')])
def test_bad_input_is_named(bad, match):
    with pytest.raises(ValueError, match=match):
        render(**{'identity': 0, 'size': 64, **bad})
    with pytest.raises(ValueError, match='Camera.gain'):
        Camera(gain=9)
    with pytest.raises(ValueError, match='Pose.scale'):
        Pose(scale=float('nan'))
