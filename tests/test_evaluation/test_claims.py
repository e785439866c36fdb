# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Verdicts follow from intervals alone."""

import math

import numpy as np
import pytest
from scipy import stats

from fmae_iat_plugin.evaluation.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
    claim,
    seed_interval,
    signed,
    verdict,
)

NAN = float('nan')


@pytest.mark.parametrize('interval, expected', [
    ((0.1, 2), REPRODUCED), ((-2, -0.1), REFUTED), ((-1, 1), OPEN), ((0, 1), OPEN),
    ((NAN, NAN), OPEN)])
def test_verdict(interval, expected):
    assert verdict(*interval) == expected
    assert claim('text', sum(interval) / 2, interval, 'said')['verdict'] == expected


def test_without_a_run_nothing_is_claimed():
    assert claim('text', None, None, 'said') == dict(
        claim='text', verdict=OPEN, effect=None, interval=None, sentence='said')


def test_the_interval_over_seeds_is_students():
    values = np.array([3., 5., 4.5, 2.])
    assert seed_interval(values) == pytest.approx(
        tuple(stats.ttest_1samp(values, 0).confidence_interval(.95)))
    assert all(map(math.isnan, seed_interval([3.])))


def test_signs():
    assert [signed(value) for value in (-.04, .04, 1.26, -3)] == ['+0.0', '+0.0', '+1.3', '-3.0']
    assert signed(-.004, 2) == '+0.00'
