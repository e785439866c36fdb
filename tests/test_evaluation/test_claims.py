# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Verdicts follow from effects and p values, corrected for their number."""

import math

import numpy as np
import pytest
from scipy import stats

from fmae_iat_plugin.evaluation.claims import (
    HERE,
    NOT_HERE,
    OPEN,
    REFUTED,
    REPRODUCED,
    THRESHOLD,
    Judged,
    all_of,
    claim,
    holm,
    judge,
    of_seeds,
    signed,
)

NAN = float('nan')


def only(found, confirmed=None):
    return judge([claim('text', found, 'said', confirmed)])[0]['verdict']


@pytest.mark.parametrize('effect, p, trainings, confirmed, expected', [
    (2., .01, 3, None, REPRODUCED), (-2., .01, 3, None, REFUTED), (2., .051, 3, None, OPEN),
    (2., NAN, 3, None, OPEN), (2., .01, 1, None, HERE), (-2., .01, 1, None, NOT_HERE),
    (2., .01, 3, False, THRESHOLD), (2., .01, 3, True, REPRODUCED), (-2., .01, 3, False, REFUTED),
    (2., .2, 3, False, OPEN)])
def test_verdict(effect, p, trainings, confirmed, expected):
    assert only(Judged(effect, (0, 0), p, trainings), confirmed) == expected


def test_one_training_is_never_called_reproduced():
    for p in (1e-9, .01, .5):
        for effect in (-1., 1.):
            assert 'reproduced' not in only(Judged(effect, (0, 0), p, 1))


def test_without_a_run_nothing_is_claimed():
    found, = judge([claim('text', None, 'said')])
    assert found['verdict'] == OPEN
    assert found['effect'] is found['p'] is found['holm'] is None


def test_holm_by_hand():
    """Holm (1979): sorted .005 .01 .03 .04 times 4, 3, 2, 1 are .02 .03 .06 .04, made to rise."""
    assert holm([.01, .04, NAN, .03, .005]) == pytest.approx([.03, .06, NAN, .06, .02], nan_ok=True)
    assert holm([.9, .8]) == pytest.approx([1., 1.]) and len(holm([])) == 0


def test_the_verdicts_of_a_page_are_corrected_for_their_number():
    many = [claim(str(k), Judged(1., (.1, 2.), p), 'said')
            for k, p in enumerate((.04, .001, .2, .012))] + [claim('none', None, 'said')]
    found = judge(many)
    assert [round(one['holm'], 3) for one in found[:4]] == [.08, .004, .2, .036]
    assert [one['verdict'] for one in found] == [OPEN, REPRODUCED, OPEN, REPRODUCED, OPEN]
    assert only(Judged(1., (.1, 2.), .04)) == REPRODUCED  # alone it would have been told


def test_a_claim_of_two_parts_needs_both():
    strong, weak = Judged(3., (1, 5), .001), Judged(.5, (-.1, 1.1), .08)
    assert all_of([strong, weak]) == weak and only(all_of([strong, weak])) == OPEN
    assert only(all_of([strong, strong])) == REPRODUCED
    against = Judged(-4., (-6, -2), .002)
    assert only(all_of([strong, against])) == OPEN  # they disagree
    assert only(all_of([against, against])) == REFUTED
    assert only(all_of([strong, Judged(1., (NAN, NAN), NAN)])) == OPEN


def test_ck_plus_would_now_be_said():
    """On CK+ F1 rose by 7.9 (5.2 to 10.9) while AUC fell by 14, and identity grew by 24 points by
    sequence and by 22 in verification: the page said "reproduced" and "not enough data"."""
    assert only(Judged(7.9, (5.2, 10.9), 1e-6), confirmed=False) == THRESHOLD
    assert only(all_of([Judged(-24.1, (-31.4, -16.8), 1e-8),
                        Judged(-22.3, (-25.9, -18.5), 1e-9)])) == REFUTED


def test_the_interval_over_seeds_is_students():
    values = np.array([3., 5., 4.5, 2.])
    found, wanted = of_seeds(values), stats.ttest_1samp(values, 0)
    assert found.interval == pytest.approx(tuple(wanted.confidence_interval(.95)))
    assert (found.effect, found.p, found.trainings) == pytest.approx((3.625, wanted.pvalue, 4))
    alone = of_seeds([3.])
    assert all(map(math.isnan, (*alone.interval, alone.p))) and alone.trainings == 1


def test_signs():
    assert [signed(value) for value in (-.04, .04, 1.26, -3)] == ['+0.0', '+0.0', '+1.3', '-3.0']
    assert signed(-.004, 2) == '+0.00'
