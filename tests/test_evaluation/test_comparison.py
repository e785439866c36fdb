# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Differences and their significance on constructed cases; published numbers add up."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from fmae_iat_plugin.evaluation import subject_counts
from fmae_iat_plugin.evaluation.comparison import (
    Row,
    compare,
    experiment_counts,
    published_rows,
    ranks,
    scores,
)
from fmae_iat_plugin.evaluation.evidence import Predictions


def people(rng, number=16, frames=40, aus=3, skill=1.):
    """Scores and labels of so many people, each with a difficulty of their own."""
    subjects = np.repeat(np.arange(number), frames)
    labels = (rng.random((number * frames, aus)) < .35).astype(float)
    hard = rng.normal(0, .6, (number, aus))[subjects]
    logits = (2 * labels - 1) * skill + hard + rng.normal(0, 1.2, labels.shape)
    return 1 / (1 + np.exp(-logits)), labels, subjects


def test_the_difference_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    ours, labels, subjects = people(rng, skill=1.4)
    base = people(rng)[0]
    found = compare(*(subject_counts(one, labels, subjects) for one in (ours, base)))
    f1 = np.array([[100 * f1_score(labels[:, k], one[:, k] >= .5) for k in range(3)]
                   for one in (ours, base)])
    np.testing.assert_allclose(found.values, [(f1[0] - f1[1]).mean(), *(f1[0] - f1[1])])
    assert found.subjects == 16


def test_seeds_are_averaged():
    rng = np.random.default_rng(3)
    parts = [people(rng, aus=2) for _ in range(4)]
    counts = [subject_counts(*part) for part in parts]
    f1 = [[100 * f1_score(labels[:, k], found[:, k] >= .5) for k in range(2)]
          for found, labels, _ in parts]
    ours, base = np.stack(counts[:2], 1), np.stack(counts[2:], 1)
    found = compare(ours, base)
    np.testing.assert_allclose(found.values[1:], np.mean(f1[:2], 0) - np.mean(f1[2:], 0))
    np.testing.assert_allclose(scores(ours).values[1:], np.mean(f1[:2], 0))
    np.testing.assert_allclose(found.values[0], found.values[1:].mean())
    np.testing.assert_allclose(  # one seed, given twice, is that seed
        compare(np.stack([counts[0]] * 2, 1), counts[2]).intervals,
        compare(counts[0], counts[2]).intervals)


def test_counts_of_an_experiment_need_the_same_people_in_all_seeds():
    found, labels, who = people(np.random.default_rng(0), number=4)
    paths = np.arange(len(who)).astype(str)
    names = tuple(f'S{k}' for k in range(4))
    whole = Predictions(found, labels, who, paths, ('AU1', 'AU2', 'AU4'), names)
    first, rest = ([part[rows] if isinstance(part, np.ndarray) else part for part in whole]
                   for rows in (who < 2, who >= 2))
    folds = [Predictions(*first), Predictions(*rest)]
    counts, people_ = experiment_counts([folds, folds[::-1], [whole]])
    assert people_ == names and counts.shape == (4, 3, 4, 3)
    for seed in range(3):
        np.testing.assert_array_equal(counts[:, seed], subject_counts(found, labels, who))
    with pytest.raises(ValueError, match='different subjects, 4 and 2'):
        experiment_counts([folds, folds[:1]])


def test_the_interval_is_near_scipys():
    """scipy's paired percentile bootstrap over people, on the same counts, of one AU."""
    rng = np.random.default_rng(1)
    ours, labels, subjects = people(rng, number=40, aus=1, skill=1.4)
    counts = [subject_counts(one, labels, subjects)
              for one in (ours, people(rng, 40, aus=1)[0])]

    def difference(*values, axis=-1):
        tp, fp, fn, tp2, fp2, fn2 = (value.sum(axis=axis) for value in values)
        return 100 * (2 * tp / (2 * tp + fp + fn) - 2 * tp2 / (2 * tp2 + fp2 + fn2))

    data = [part[k, :, 0] for part in counts for k in range(3)]
    theirs = stats.bootstrap(data, difference, paired=True, method='percentile', vectorized=True,
                             n_resamples=9999, rng=np.random.default_rng(0)).confidence_interval
    low, high = compare(*counts).intervals[1]
    width = theirs.high - theirs.low  # ours is widened by Student's t and n / (n - 1): 4.6 %
    np.testing.assert_allclose([low, high], [theirs.low, theirs.high], atol=.07 * width)


def test_a_clear_difference_is_marked_and_equal_models_are_not():
    rng = np.random.default_rng(2)
    ours, labels, subjects = people(rng, skill=1.)
    better = ours.copy()
    better[:, 1] = np.where(labels[:, 1] == 1, .9, .1)  # AU 2 is now always right
    counts = [subject_counts(one, labels, subjects) for one in (better, ours)]
    assert compare(*counts).significant.tolist() == [True, False, True, False]
    assert (compare(counts[1], counts[1]).values == 0).all()
    assert not compare(counts[1], counts[1]).significant.any()


def test_a_null_comparison_is_significant_as_often_as_it_should_be():
    """Of 200 comparisons of equally good models, 95 % intervals exclude 0 in 10 or so: 4 to 17."""
    hits = 0
    for trial in range(200):
        rng = np.random.default_rng([7, trial])
        ours, labels, subjects = people(rng, number=20, frames=15, aus=2)
        logits = 2 * labels - 1 + rng.normal(0, 1.2, labels.shape)
        base = 1 / (1 + np.exp(-logits - rng.normal(0, .6, (20, 2))[subjects]))
        found = compare(*(subject_counts(one, labels, subjects) for one in (ours, base)),
                        seed=trial)
        hits += found.significant[0]
    assert 4 <= hits <= 17, hits


def test_best_and_second_best():
    nan = float('nan')
    rows = [Row('a', (50.04, nan)), Row('b', (50.01, 3.)), Row('c', (49., 1.)), Row('d', (10., 2.))]
    assert ranks(rows).tolist() == [[1, 0], [1, 1], [2, 0], [0, 2]]


@pytest.mark.parametrize('name,aus', [('BP4D', 12), ('BP4D+', 12), ('DISFA', 8)])
def test_published_means_are_those_of_their_aus(name, aus):
    rows, numbers, source = published_rows(name)
    assert len(numbers) == aus and 'Identity Adversarial' in source
    for row in rows:
        assert len(row.values) == aus + 1
        assert abs(np.mean(row.values[1:]) - row.values[0]) <= .1 + 1e-9  # rounded
    with pytest.raises(ValueError, match="no published numbers of 'CK'. Remedy: BP4D"):
        published_rows('CK')
