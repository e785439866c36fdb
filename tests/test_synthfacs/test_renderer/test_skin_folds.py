# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Furrows lie where FACS says, run the way they should, and turn normals consistently."""
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer.geometry import FaceCurves
from fmae_iat_plugin.synthfacs.renderer.identity import sample_identity
from fmae_iat_plugin.synthfacs.renderer.muscles import AUS
from fmae_iat_plugin.synthfacs.renderer.raster import Raster
from fmae_iat_plugin.synthfacs.renderer.scene import Window
from fmae_iat_plugin.synthfacs.renderer.skin_folds import FURROWS, fold_maps

RASTER = Raster(Window(0, .4, 1.5), 220)
CURVES = FaceCurves(sample_identity(2))
FLAT = np.zeros((2, 220, 220), np.float32)
MAPS = fold_maps(CURVES, RASTER, FLAT)


def whole(drive):
    """Occlusion and change of the normal over the whole raster."""
    lost, change = np.zeros((220, 220)), np.zeros((220, 220, 3))
    for box, normal, shade in MAPS[drive]:
        lost[box] = np.maximum(lost[box], shade)
        change[box] += normal
    return lost, change


def centre(weight):
    """Centre of mass in the right half of the face, and spread in x and y."""
    x, y = (v[:, 110:] for v in RASTER.grid)
    w = weight[:, 110:] / weight[:, 110:].sum()
    mx, my = (w * x).sum(), (w * y).sum()
    return mx, my, np.sqrt((w * (x - mx) ** 2).sum()), np.sqrt((w * (y - my) ** 2).sum())


@pytest.mark.parametrize('drive', FURROWS)
def test_symmetric(drive):
    lost, change = whole(drive)
    np.testing.assert_allclose(lost, lost[:, ::-1], atol=.03)
    np.testing.assert_allclose(change[..., 0], -change[:, ::-1, 0], atol=.08)


def test_places():
    """Forehead for 1 and 2, between the brows for 4, beside the eyes for 6 and so on."""
    i, at = CURVES.id, {d: centre(whole(d)[0]) for d in FURROWS}
    assert at[1][1] < i.brow_y - .2 and at[2][1] < i.brow_y - .2
    assert at[1][0] < .35 < at[2][0]                           # centre against side
    assert at[4][0] < i.brow_inner_x and abs(at[4][1] - i.brow_y) < .2
    assert at[4][3] > at[4][2]                                 # vertical furrows
    assert at[1][2] > at[1][3]                                 # horizontal ones
    assert at[6][0] > i.eye_x and abs(at[6][1]) < .2
    assert at[9][0] < .4 and 0 < at[9][1] < CURVES.nose_base_y
    assert CURVES.nose_base_y - .2 < at[12][1] < i.mouth_y
    assert abs(at[14][1] - i.mouth_y) < .1 and at[14][0] > i.mouth_half_width
    assert at[15][1] > i.mouth_y + .05
    assert i.mouth_y + .2 < at[17][1] < i.chin_y


@pytest.mark.parametrize('drive', FURROWS)
def test_full_fold_is_a_unit_normal(drive):
    """On flat skin (0, 0, 1) plus the change at full drive is a unit vector."""
    for _, change, lost in MAPS[drive]:
        lengths = np.linalg.norm(change + (0, 0, 1), axis=-1)
        np.testing.assert_allclose(lengths, 1, atol=1e-5)
        assert 0 <= lost.min() and lost.max() <= .9


def test_lips_and_jaw_need_no_folds():
    assert set(AUS) - set(MAPS) == {25, 26}
