# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Rotations are rotations, and angles turn the way they say."""
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer.scene import Light, Pose, as_light, as_pose

NOSE = np.array([0, 0, 1.0])


def test_rotation_is_orthonormal():
    r = Pose(yaw=20, pitch=-10, roll=30).rotation().astype(float)
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(r) == pytest.approx(1)


def test_directions():
    assert (Pose(yaw=10).rotation() @ NOSE)[0] == pytest.approx(np.sin(np.radians(10)))
    assert (Pose(pitch=10).rotation() @ NOSE)[1] == pytest.approx(np.sin(np.radians(10)))
    right = Pose(roll=10).rotation() @ np.array([1.0, 0, 0])
    assert right[1] == pytest.approx(np.sin(np.radians(10)))    # clockwise with y down


def test_light_direction():
    for azimuth, elevation in ((0, 0), (30, 40), (-70, -20)):
        d = Light(azimuth=azimuth, elevation=elevation).direction()
        assert np.linalg.norm(d) == pytest.approx(1)
        assert np.degrees(np.arctan2(d[0], d[2])) == pytest.approx(azimuth, abs=1e-3)
        assert np.degrees(np.arcsin(-d[1])) == pytest.approx(elevation, abs=1e-3)


def test_shorthand():
    assert as_pose((1, 2, 3)) == Pose(yaw=1, pitch=2, roll=3) and as_pose(None) == Pose()
    assert as_light((1, 2)) == Light(azimuth=1, elevation=2) and as_light(None) == Light()
