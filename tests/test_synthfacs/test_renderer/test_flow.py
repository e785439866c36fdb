# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Warping one render by the flow gives the other one; hidden points are marked."""
import cv2
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer import AUS, Pose, flow, render, warp_back

PAIRS = [({}, None, {au: 5}, None) for au in AUS] + [
    ({}, None, {}, Pose(yaw=8)), ({}, None, {}, Pose(pitch=6, roll=-8, dx=.03, scale=1.05)),
    ({12: 4, 6: 3}, (5, 0, 0), {4: 4, 15: 3}, (-3, 3, 2)),
    ({1: 5, 2: 5, 5: 5, 26: 4}, None, {9: 4, 10: 3, 17: 2}, (4, 0, 0)),
    ({25: 3, 12: 5}, None, {24: 5, 7: 4}, None)]


def psnr(a, b, mask):
    return 10 * np.log10(255 ** 2 / np.mean((a.astype(float) - b)[mask] ** 2))


@pytest.mark.parametrize('pair', PAIRS, ids=str)
def test_warped_render_is_the_other_render(pair):
    seed = 7
    a, b = (render(seed, aus, pose)[0] for aus, pose in (pair[:2], pair[2:]))
    found = flow(seed, *pair)
    assert found.flow.shape == (224, 224, 2) and found.visible.shape == (224, 224)
    assert found.visible.mean() > .8
    assert psnr(warp_back(b, found.flow), a, found.visible) >= 28


def test_flow_carries_landmarks_along():
    aus, pose = {12: 5, 1: 4}, Pose(yaw=6, roll=3)
    start, end = render(7)[1], render(7, aus, pose)[1]
    found = flow(7, {}, None, aus, pose)
    # brows and nose lie on smooth skin
    for i in (*range(17, 27), *range(27, 36)):
        at = cv2.remap(found.flow, start[None, i:i + 1], None, cv2.INTER_LINEAR)[0, 0]
        np.testing.assert_allclose(start[i] + at, end[i], atol=.4)


def test_no_change_no_flow():
    found = flow(7, {4: 3}, (3, 2, 1), {4: 3}, (3, 2, 1))
    rim = ~found.visible
    assert np.abs(found.flow[found.visible]).max() < .25
    assert rim.mean() < .06      # anti-aliased rims only


def test_occlusions():
    """A closing lid hides the sclera, an open mouth has no true flow, the wall stays."""
    lid = flow(7, {5: 5}, None, {7: 5}, None)
    points = render(7, {5: 5})[1]
    x, y = points[[37, 38]].mean(0)
    assert not lid.visible[int(y) + 2, int(x)]
    mouth = flow(7, {26: 5}, None, {}, None)
    x, y = render(7, {26: 5})[1][[62, 66]].mean(0)
    assert not mouth.visible[int(y), int(x)]
    wall = flow(7, {}, None, {12: 5}, None, framing='portrait')
    assert wall.visible[5, 5] and np.all(wall.flow[5, 5] == 0)
    turned = flow(7, {}, None, {}, Pose(dx=.2), framing='portrait')
    assert turned.visible.mean() < wall.visible.mean()
