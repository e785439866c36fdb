# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Rates of random expressions and spread of views, by counting."""
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer.muscles import AUS, check_intensities
from fmae_iat_plugin.synthfacs.renderer.sampling import sample_intensities, sample_view


def test_given_rates_are_kept():
    rng = np.random.default_rng(0)
    rates = {1: .8, 4: .1, 12: 0.0}
    drawn = [sample_intensities(rng, rates) for _ in range(4000)]
    for au in AUS:
        assert np.mean([au in d for d in drawn]) == pytest.approx(rates.get(au, 0), abs=.025)


def test_every_unit_occurs_alone_and_with_others():
    rng = np.random.default_rng(1)
    drawn = [sample_intensities(rng) for _ in range(6000)]
    for au in AUS:
        with_it = [d for d in drawn if au in d]
        assert .04 < len(with_it) / 6000 < .45, au
        assert any(len(d) == 1 + (au == 26) for d in with_it), au
        assert max(len(d) for d in with_it) >= 4, au
    assert any(not d for d in drawn)
    assert all(d[25] >= d[26] for d in drawn if 26 in d)
    values = [v for d in drawn for v in check_intensities(d).values()]
    assert min(values) < .5 and max(values) > 4.7
    assert .25 < np.mean(np.array(values) < 2) < .45


def test_views_are_valid_and_centred():
    rng = np.random.default_rng(2)
    views = [sample_view(rng, 1.5) for _ in range(2000)]      # the classes check their ranges
    yaw = np.array([pose.yaw for pose, _, _ in views])
    assert abs(yaw.mean()) < .6 and yaw.std() == pytest.approx(8.25, rel=.12)
    same = [sample_view(np.random.default_rng(3), 0.0) for _ in range(2)]
    assert same[0] == same[1] and same[0][0].yaw == 0 and same[0][2].noise == 0
