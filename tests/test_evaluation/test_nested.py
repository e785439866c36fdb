# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Intervals over people and trainings: formulas by hand, and recipes compared with themselves."""

import numpy as np
import pytest
from scipy import stats

from fmae_iat_plugin.evaluation.comparison import compare, scores
from fmae_iat_plugin.evaluation.intervals import bootstrap, bootstrap_draws, bootstrap_p
from fmae_iat_plugin.evaluation.nested import (
    crossed,
    effects,
    noise_floor,
    pseudo_values,
    training_units,
    unit_means,
)
from fmae_iat_plugin.evaluation.null_trials import Settings, null_trials


def test_the_interval_of_a_table_by_hand():
    """Mean squares of 3 trainings x 4 people, worked out on paper with sums of squares."""
    table = np.array([[1., 4., 2., 5.], [3., 5., 5., 7.], [2., 6., 5., 9.]])
    row, column, mean = table.mean(1), table.mean(0), table.mean()
    assert (row.tolist(), column.tolist(), mean) == ([3., 5., 5.5], [2., 5., 4., 7.], 4.5)
    trainings = 4 * (1.5**2 + .5**2 + 1**2) / 2           # 7
    people = 3 * (2.5**2 + .5**2 + .5**2 + 2.5**2) / 3    # 13
    total = ((table - mean)**2).sum()                     # 57
    both = (total - 14 - 39) / 6                          # 4 / 6
    assert (trainings, people, total) == (7, 13, 57)
    square = people + trainings - both
    df = square**2 / (people**2 / 3 + trainings**2 / 2 + both**2 / 6)
    error = np.sqrt(square / 12)
    found = crossed(table, mean)
    assert found.interval == pytest.approx(stats.t(df, mean, error).interval(.95))
    assert found.p == pytest.approx(2 * stats.t.sf(4.5 / error, df)) and found.trainings == 3


def test_trainings_that_agree_leave_the_people_alone():
    people = np.random.default_rng(0).normal(1, 2, 12)
    found = crossed(np.stack([people] * 3), people.mean())
    wanted = stats.ttest_1samp(people, 0)
    assert found.interval == pytest.approx(tuple(wanted.confidence_interval(.95)))
    assert found.p == pytest.approx(wanted.pvalue)


def test_people_that_agree_leave_the_trainings_alone():
    seeds = np.array([1., 3., 2.5])
    found = crossed(np.repeat(seeds[:, None], 10, 1), seeds.mean())
    wanted = stats.ttest_1samp(seeds, 0)
    assert found.interval == pytest.approx(tuple(wanted.confidence_interval(.95)))
    assert found.p == pytest.approx(wanted.pvalue)


def test_pseudo_values_of_a_mean_are_the_values():
    values = np.random.default_rng(1).normal(size=7)
    np.testing.assert_allclose(pseudo_values(lambda d: d @ values / d.sum(1), 7), values)


def test_units():
    assert training_units([0, 0, 0], [4, 5, 6]) == [4, 5, 6]
    assert training_units([0, 0, 1], [4, 5, 4]) == [0, 0, 1]
    values = np.array([[1., np.nan], [3., 5.], [7., 1.]])
    np.testing.assert_allclose(unit_means(values, ['b', 'b', 'a']), [[7, 1], [2, 5]])


def test_one_training_has_the_bootstrap_over_people():
    values = np.random.default_rng(2).normal(.8, 1, 15)

    def statistic(draws):
        return (draws @ values / draws.sum(1))[:, None]

    found, = effects([statistic], 15, [0], seed=3)
    assert found.trainings == 1
    assert found.interval == bootstrap(lambda d: statistic(d)[:, 0], 15, seed=3)
    draws = bootstrap_draws(lambda d: statistic(d)[:, 0], 15, seed=3)
    p = bootstrap_p(draws, 15)
    low, _ = bootstrap(lambda d: statistic(d)[:, 0], 15, confidence=1 - p, seed=3)
    assert low == pytest.approx(0, abs=.01) and p == pytest.approx(found.p)


def test_two_means_of_one_recipe_lie_within_the_noise_floor_as_often_as_a_t_test_says():
    a, b = [50., 52., 54.5], [51., 55., 58.]
    reach = noise_floor(a, b)
    low, high = stats.ttest_ind(b, a).confidence_interval(.95)
    assert reach == pytest.approx((high - low) / 2)
    assert np.isnan(noise_floor([1.], [2.]))


@pytest.mark.slow
@pytest.mark.parametrize('deviation', [1.4, 2.4, 4.5])
def test_a_recipe_against_itself(deviation):
    """Of 200 trials 95 % intervals exclude 0 in 4 to 17, and the noise floor covers 183 to 196."""
    found = null_trials(Settings(deviation=deviation))
    assert found.measured == pytest.approx(deviation, rel=.15)
    assert 4 <= found.different <= 17, found
    assert 183 <= found.covered <= 196, found
    assert found.people_alone > 17  # what averaging the seeds away would have called different


def test_null_trials_small():
    found = null_trials(Settings(deviation=2.4, trials=12))
    assert found.trials == 12 and 0 <= found.different <= found.people_alone <= 12


def test_counts_of_several_trainings():
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 9, (4, 3, 6, 2)).astype(float)
    found = scores(counts)
    each = [200 * c[0].sum(0) / (2 * c[0] + c[1] + c[2]).sum(0) for c in counts.swapaxes(0, 1)]
    np.testing.assert_allclose(found.values[1:], np.mean(each, 0))
    table = np.stack([[6 * e[0] - 5 * 200 * np.delete(c[0], s, 0).sum(0)[0] / (
        2 * np.delete(c[0], s, 0) + np.delete(c[1], s, 0) + np.delete(c[2], s, 0)).sum(0)[0]
        for s in range(6)] for e, c in zip(each, counts.swapaxes(0, 1))])
    assert tuple(found.intervals[1]) == pytest.approx(crossed(table, found.values[1]).interval)
    assert (compare(counts, counts).p == 1).all() and found.trainings == 3
