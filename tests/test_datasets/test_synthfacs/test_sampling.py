# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Rates of random expressions and of subjects, by counting."""
import numpy as np
import pytest

from fmae_iat_plugin.datasets.synthfacs.muscles import AUS, check_intensities
from fmae_iat_plugin.datasets.synthfacs.sampling import (
    sample_intensities,
    sample_subject,
    sample_view,
)

SUBJECTS = {s: [sample_subject(seed, s) for seed in range(1500)] for s in (0.0, .5, 1.0)}


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


@pytest.mark.parametrize('shortcut', SUBJECTS)
def test_shortcut_moves_rates_apart_but_not_their_mean(shortcut):
    rates = np.array([[s.rates[au] for au in AUS] for s in SUBJECTS[shortcut]])
    # between-subject variance by formula: shortcut^2 * .94^2 * p (1 - p)
    assert rates.mean() == pytest.approx(.25 + shortcut * (.97 * .25 + .03 * .75 - .25), abs=.01)
    assert rates.var(0).mean() == pytest.approx((.94 * shortcut) ** 2 * .25 * .75, abs=.01)


def test_a_subject_is_the_same_person_at_every_shortcut():
    for a, b in zip(SUBJECTS[0.0], SUBJECTS[1.0]):
        assert a.identity == b.identity and a.resting == b.resting
    resting = [v for s in SUBJECTS[0.0] for v in s.resting.values()]
    assert 0 <= min(resting) and max(resting) < 1     # below FACS' level B
    assert len(resting) / (1500 * len(AUS)) == pytest.approx(.2, abs=.02)


def test_views_are_valid_and_centred():
    rng = np.random.default_rng(2)
    views = [sample_view(rng, 1.5) for _ in range(2000)]      # the classes check their ranges
    yaw = np.array([pose.yaw for pose, _, _ in views])
    assert abs(yaw.mean()) < .6 and yaw.std() == pytest.approx(8.25, rel=.12)
    same = [sample_view(np.random.default_rng(3), 0.0) for _ in range(2)]
    assert same[0] == same[1] and same[0][0].yaw == 0 and same[0][2].noise == 0


@pytest.mark.parametrize('bad', [dict(shortcut=1.2), dict(shortcut=-.1), dict(base_rate=2)])
def test_bad_rates_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        sample_subject(0, **bad)
