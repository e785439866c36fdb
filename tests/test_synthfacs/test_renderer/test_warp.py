# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Image and landmarks use one map: backward undoes forward, nothing folds over."""
import cv2
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer import muscles
from fmae_iat_plugin.synthfacs.renderer.plates import plates_of
from fmae_iat_plugin.synthfacs.renderer.scene import Pose
from fmae_iat_plugin.synthfacs.renderer.warp import Warp

CASES = [({}, Pose()), ({}, Pose(dx=.1, dy=-.05, scale=1.2, roll=20)), ({}, Pose(yaw=20, pitch=8)),
         ({1: 5, 2: 5, 5: 5}, Pose()), ({4: 5, 9: 5, 10: 5, 17: 5}, Pose(yaw=-10, roll=5)),
         ({6: 5, 12: 5, 25: 5}, Pose(pitch=-10)), ({20: 5, 26: 5, 15: 5}, Pose(yaw=12)),
         ({6: 5, 7: 5, 14: 5, 23: 5, 24: 5}, Pose())]


@pytest.mark.parametrize('aus,pose', CASES)
def test_backward_undoes_forward(aus, pose):
    """Smooth part: the skin point found at a landmark's pixel is where the slits moved it."""
    plates = plates_of(2, 'crop', 128)
    warp = Warp(plates.anatomy, muscles.drives(aus), pose, 224)
    # points away from the slits, where the slits do nothing
    points = np.float32([(x, y) for x in np.linspace(-1, 1, 9)
                         for y in (-.8, -.6, -.4, .36, .5, .66, 1.75)])
    at = warp.forward(points)
    skin = warp.backward()
    found = cv2.remap(skin, at[None], None, cv2.INTER_LINEAR)[0]
    inside = ((at > 1) & (at < 222)).all(1)
    assert inside.sum() > 40
    assert np.abs(found - points)[inside].max() * warp.unit < 0.6    # pixels


@pytest.mark.parametrize('aus,pose', CASES)
def test_nothing_folds_over(aus, pose):
    plates = plates_of(2, 'crop', 128)
    skin = Warp(plates.anatomy, muscles.drives(aus), pose, 224).backward()
    dx, dy = np.gradient(skin, axis=1), np.gradient(skin, axis=0)
    assert (dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]).min() > 0


def test_similarity_by_formula():
    """Roll, size and shift turn, scale and move the landmarks about the image centre."""
    plates = plates_of(2, 'crop', 128)
    points = plates.curves.landmarks
    plain = Warp(plates.anatomy, {}, Pose(), 200).forward(points)
    moved = Warp(plates.anatomy, {}, Pose(roll=30, dx=.1, dy=-.2, scale=.8), 200).forward(points)
    z = (plain - 99.5) @ [1, 1j]
    want = z * .8 * np.exp(1j * np.pi / 6) + (.1 - .2j) * 200
    np.testing.assert_allclose((moved - 99.5) @ [1, 1j], want, atol=2e-2)


def test_yaw_moves_the_nose_more_than_the_ears():
    plates = plates_of(2, 'crop', 128)
    plain, turned = (Warp(plates.anatomy, {}, Pose(yaw=yaw), 224).forward(plates.curves.landmarks)
                     for yaw in (0, 15))
    shift = (turned - plain)[:, 0]
    assert shift[30] > 5 and shift[30] > shift[[0, 16]].max() + 5
