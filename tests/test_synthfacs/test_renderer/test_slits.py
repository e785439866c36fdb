# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The column-wise map of eyes and mouth: exact inverse, order kept, hole where it should be."""
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer import muscles
from fmae_iat_plugin.synthfacs.renderer.geometry import FaceCurves
from fmae_iat_plugin.synthfacs.renderer.identity import sample_identity
from fmae_iat_plugin.synthfacs.renderer.warp import Anatomy

ANATOMY = Anatomy(FaceCurves(sample_identity(4)), 'crop')
SLITS = dict(left=ANATOMY.eyes[0], right=ANATOMY.eyes[1], mouth=ANATOMY.mouth)


def combinations(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        chosen = rng.choice(muscles.AUS, rng.integers(1, 8), replace=False)
        yield {int(au): float(rng.uniform(0, 5)) for au in chosen}


@pytest.mark.parametrize('name', SLITS)
def test_backward_undoes_forward(name):
    slit = SLITS[name]
    rng = np.random.default_rng(1)
    u = rng.uniform(-1.2, 1.2, 4000)
    x = (slit.x + u * abs(slit.half_width)).astype(np.float32)
    column = slit.columns(x)
    y = rng.uniform(slit.neutral[0].min() - .1, slit.neutral[5].max() + .1, 4000)
    y = y.astype(np.float32)
    skin = (y < slit.neutral[2][column]) | (y > slit.neutral[3][column])
    for aus in combinations(40):
        table = slit.table(muscles.drives(aus))
        there = slit.forward(x, y, table)
        back, upper, lower = slit.inverse(x, there, table)
        # a wide hole never swallows skin, and every piece of skin comes back
        assert np.all(np.minimum(upper, lower)[skin] < 1e-4)
        steep = np.abs(back - y)[skin]
        assert np.quantile(steep, .995) < 2e-3 and steep.max() < 2e-2


@pytest.mark.parametrize('name', SLITS)
def test_bands_never_cross(name):
    for aus in combinations(200):
        heights = SLITS[name].heights(muscles.drives(aus))
        assert np.diff(heights, axis=0).min() > -1e-6, aus


def test_gap_by_formula():
    """AU25 alone opens the mouth by its two edge displacements, 0.046 + 0.112 at the middle."""
    for intensity in (0, 1, 2.5, 5):
        heights = SLITS['mouth'].heights(muscles.drives({25: intensity}))
        middle = heights.shape[1] // 2
        assert heights[3, middle] - heights[2, middle] == pytest.approx(
            0.158 * intensity / 5, abs=1e-4)


def test_an_eye_never_shuts_completely():
    for aus in ({7: 5, 6: 5, 9: 5, 12: 5, 4: 5},):
        for name in ('left', 'right'):
            heights = SLITS[name].heights(muscles.drives(aus))
            assert (heights[3] - heights[2]).max() >= 0.0119
