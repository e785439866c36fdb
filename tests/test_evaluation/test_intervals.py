# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Intervals over subjects against SciPy, scikit-learn and constructed cases."""

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from fmae_iat_plugin.evaluation.intervals import (
    bootstrap,
    bootstrap_mean,
    f1_difference,
    f1_interval,
    mean_f1,
    subject_counts,
)


def frames(subjects=6, each=30, aus=3, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(subjects) * 2 + 1, each)
    labels = (rng.random((len(who), aus)) < 0.4).astype(np.float32)
    scores = np.clip(rng.normal(0.35 + 0.3 * labels, 0.25), 0, 1)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    order = rng.permutation(len(who))
    return scores[order], labels[order], who[order]


def sklearn_mean_f1(scores, labels):
    values = []
    for score, label in zip(scores.T, labels.T):
        coded = ~np.isnan(label)
        values.append(f1_score(label[coded], score[coded] >= 0.5))
    return np.mean(values)


def test_interval_of_a_mean_from_scipys_bootstrap():
    values = np.random.default_rng(3).exponential(size=25)
    means = stats.bootstrap((values, ), np.mean, n_resamples=50000, method='percentile',
                            rng=np.random.default_rng(1)).bootstrap_distribution
    level = stats.norm.cdf(-stats.t.ppf(0.975, 24) * np.sqrt(25 / 24))
    np.testing.assert_allclose(bootstrap_mean(values), np.quantile(means, [level, 1 - level]),
                               atol=0.02)


def test_of_few_subjects_it_is_as_wide_as_students():
    values = stats.norm.ppf((np.arange(8) + 0.5) / 8)
    half = stats.t.ppf(0.975, 7) * values.std(ddof=1) / np.sqrt(8)
    np.testing.assert_allclose(bootstrap_mean(values), [-half, half], rtol=0.1)


def test_interval_is_wider_with_more_confidence_and_repeats_with_its_seed():
    values = np.random.default_rng(4).random(12)
    narrow, wide = bootstrap_mean(values, 0.8), bootstrap_mean(values, 0.99)
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]
    assert bootstrap_mean(values, 0.8) == narrow
    assert bootstrap_mean(values, 0.8, seed=1) != narrow


def test_counts_of_subjects_sum_to_the_pooled_f1():
    scores, labels, who = frames()
    counts = subject_counts(scores, labels, who)
    assert counts.shape == (4, 6, 3)
    assert counts.sum() == (~np.isnan(labels)).sum()
    assert mean_f1(counts.sum(1)) == pytest.approx(sklearn_mean_f1(scores, labels))
    one = who == 5  # the third in ascending order
    assert mean_f1(counts[:, 2]) == pytest.approx(sklearn_mean_f1(scores[one], labels[one]))


def test_draws_take_all_frames_of_a_subject():
    """Every possible draw of 3 subjects, its F1 by scikit-learn: the interval's ends are among
    them, at the level of the draws' probabilities."""
    scores, labels, who = frames(subjects=3)
    every = []
    for drawn in itertools.product(np.unique(who), repeat=3):
        rows = np.concatenate([np.flatnonzero(who == k) for k in drawn])
        every.append(sklearn_mean_f1(scores[rows], labels[rows]))
    np.testing.assert_allclose(f1_interval(subject_counts(scores, labels, who)),
                               [min(every), max(every)])  # t of 2 degrees leaves nothing out


def test_paired_difference():
    scores, labels, who = frames()
    base = subject_counts(scores, labels, who)
    assert f1_difference(base, base) == (0, (0, 0))  # unpaired draws would have a width
    better = subject_counts(np.nan_to_num(labels), labels, who)
    value, (low, high) = f1_difference(better, base)
    assert value == pytest.approx(1 - sklearn_mean_f1(scores, labels))
    assert 0 < low < value < high
    with pytest.raises(ValueError, match='same subjects'):
        f1_difference(base[:, 1:], base)


def test_undefined_draws():
    assert np.isnan(bootstrap(lambda draws: np.full(len(draws), np.nan), 4)).all()
    low, high = bootstrap(lambda draws: np.where(draws[:, 0] > 0, np.nan, 7.0), 4)
    assert np.isnan(low) and np.isnan(high)  # three quarters to the fourth = 32 % are defined
    assert bootstrap(lambda draws: np.where(draws[:, 0] == 4, np.nan, 7.0), 4) == (7, 7)
    with pytest.raises(ValueError, match='at least 2 subjects, got 1'):
        bootstrap_mean([0.5])


@pytest.mark.parametrize('subjects', [6, 8, 27])
def test_null_comparison_is_significant_in_about_five_percent(subjects):
    """The true mean is 0: of 200 intervals 4 to 17 exclude it, the 95 % binomial range."""
    rng = np.random.default_rng(8)
    hits = 0
    for trial in range(200):
        noise = rng.normal(size=subjects)
        low, high = bootstrap(lambda draws, noise=noise: draws @ noise / subjects, subjects,
                              seed=trial, resamples=2000)
        hits += not low <= 0 <= high
    assert 4 <= hits <= 17
