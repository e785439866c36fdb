# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Intervals over subjects against SciPy, scikit-learn and constructed cases."""

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


def test_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(3).random(25)
    low, high = bootstrap_mean(values)
    reference = stats.bootstrap((values, ), np.mean, n_resamples=4000, method='percentile',
                                rng=np.random.default_rng(1)).confidence_interval
    assert low == pytest.approx(reference.low, abs=0.01)
    assert high == pytest.approx(reference.high, abs=0.01)


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
    scores, labels, who = frames(subjects=3)
    names = np.unique(who)
    by_hand = []
    rng = np.random.default_rng(0)
    for _ in range(40):
        rows = np.concatenate([np.flatnonzero(who == names[k]) for k in rng.integers(3, size=3)])
        by_hand.append(sklearn_mean_f1(scores[rows], labels[rows]))
    interval = f1_interval(subject_counts(scores, labels, who), resamples=40)
    np.testing.assert_allclose(interval, np.quantile(by_hand, [0.025, 0.975]))


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
    assert np.isnan(bootstrap(lambda drawn: float('nan'), 4)).all()
    low, high = bootstrap(lambda drawn: float('nan') if (drawn == 0).any() else 7.0, 4)
    assert np.isnan(low) and np.isnan(high)  # three quarters to the fourth = 32 % are defined
    assert bootstrap(lambda drawn: float('nan') if (drawn == 0).all() else 7.0, 4) == (7, 7)
    with pytest.raises(ValueError, match='at least 2, not 1'):
        bootstrap_mean([0.5])


def test_null_comparison_is_rarely_significant():
    """Two methods of equal quality: the interval of the difference excludes 0 in about 5 %."""
    rng = np.random.default_rng(8)
    hits = 0
    for trial in range(60):
        noise = rng.normal(size=30)
        low, high = bootstrap(lambda drawn, noise=noise: noise[drawn].mean(), 30, seed=trial,
                              resamples=300)
        hits += not low <= 0 <= high
    assert hits <= stats.binom.ppf(0.999, 60, 0.06)
