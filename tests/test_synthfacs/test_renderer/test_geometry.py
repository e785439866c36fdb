# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Neutral landmarks are iBUG's: order, symmetry, and each on the curve it names."""
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer.geometry import SKULL_CENTRE, FaceCurves
from fmae_iat_plugin.synthfacs.renderer.identity import sample_identity

PEOPLE = [FaceCurves(sample_identity(seed)) for seed in range(25)]


@pytest.mark.parametrize('curves', PEOPLE[:6])
def test_order(curves):
    p = curves.landmarks
    assert p.shape == (68, 2)
    assert np.all(np.diff(p[2:15, 0]) > 0) and np.all(np.diff(p[:9, 1]) > 0)   # jaw
    assert p[8, 1] == p[:, 1].max() and abs(p[8, 0]) < 1e-6      # chin lowest, in the middle
    assert np.all(np.diff(p[17:27, 0]) > 0)                     # brows
    assert np.all(np.diff(p[27:31, 1]) > 0) and np.all(np.diff(p[31:36, 0]) > 0)
    assert p[36, 0] < p[37, 0] < p[38, 0] < p[39, 0] < p[42, 0] < p[43, 0] < p[45, 0]
    assert p[37, 1] < p[41, 1] and p[44, 1] < p[46, 1]          # upper before lower lid
    assert np.all(np.diff(p[48:55, 0]) > 0) and np.all(np.diff(p[54:60, 0]) < 0)
    assert p[51, 1] < p[62, 1] <= p[66, 1] < p[57, 1]


@pytest.mark.parametrize('curves', PEOPLE[:6])
def test_symmetry(curves):
    p = curves.landmarks
    pairs = [(i, 16 - i) for i in range(9)] + [(17 + i, 26 - i) for i in range(5)] + [
        (31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
        (48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
    for a, b in pairs:
        np.testing.assert_allclose(p[a], p[b] * (-1, 1), atol=1e-5)


def test_pupil_distance_is_the_unit():
    eyes = [c.landmarks[36:48].reshape(2, 6, 2).mean(1) for c in PEOPLE]
    distance = [np.hypot(*(b - a)) for a, b in eyes]
    assert np.mean(distance) == pytest.approx(1, abs=.03)


def test_outline_goes_through_its_anatomical_points():
    """The cosine series keeps chin and cheek of every identity to 3 mm."""
    for c in PEOPLE:
        assert c.outline(0.0)[1] == pytest.approx(c.id.chin_y, abs=.05)
        jaw = c.outline(np.linspace(0, np.pi, 400))
        cheek = jaw[np.abs(jaw[:, 1] - .52).argmin(), 0]
        assert cheek == pytest.approx(.955 * c.id.face_width * c.id.cheek_width, abs=.06)
        radius = np.hypot(*(jaw - SKULL_CENTRE).T)
        assert radius.min() > .8 and radius.max() < 2.2


def test_lip_and_lid_curves_close_at_the_corners():
    for c in PEOPLE:
        for a, b in ((c.lid_upper, c.lid_lower), (c.lip_top, c.lip_line),
                     (c.lip_bottom, c.lip_line)):
            np.testing.assert_allclose(a(np.array([-1.0, 1.0])), b(np.array([-1.0, 1.0])),
                                       atol=1e-9)
        u = np.linspace(-.95, .95, 200)
        assert np.all(c.lid_upper(u) < c.lid_lower(u))
        assert np.all(c.lid_crease(u) < c.lid_upper(u))
        assert np.all(c.lip_top(u) < c.lip_line(u)) and np.all(c.lip_line(u) < c.lip_bottom(u))
