# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The scores equal scikit-learn's and brute force on random cases, with every kind of edge."""
from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from fmae_iat_plugin.evaluation.scores import (
    PAPER_THRESHOLDS,
    accuracy_from_counts,
    action_unit_scores,
    best_shared_threshold,
    best_thresholds,
    f1_from_counts,
    paper_f1,
    resolve_thresholds,
    roc_auc,
    threshold_counts,
)


def random_case(seed, num_aus=None):
    """Scores and labels with missing cells, AUs of one class or none, ties, values on a grid."""
    rng = np.random.default_rng(seed)
    num, num_aus = int(rng.integers(1, 60)), num_aus or int(rng.integers(1, 4))
    labels = (rng.random((num, num_aus)) < rng.random(num_aus)).astype(np.float32)
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.25), 0, 1).astype(np.float32)
    style = seed % 4
    if style == 1:  # on the thresholds of the sweep
        scores = (np.round(scores * 100) / 100).astype(np.float32)
    elif style == 2:  # a few values, many ties
        scores = (np.round(scores * 4) / 4).astype(np.float32)
    labels[rng.random(labels.shape) < rng.choice([0, 0.3])] = np.nan
    edge = rng.integers(0, 8)
    if edge < 3:  # no positive, no negative, nothing coded
        labels[:, 0] = np.where(np.isnan(labels[:, 0]), np.nan, (0, 1, np.nan)[edge])
    return scores, labels


def truth(scores, labels, au, threshold):
    """F1 and accuracy of scikit-learn for one AU; None = undefined."""
    coded = ~np.isnan(labels[:, au])
    y, s = labels[coded, au].astype(int), scores[coded, au]
    predicted = (s >= np.float32(threshold)).astype(int)
    f1 = f1_score(y, predicted, zero_division=0) if y.sum() else None
    accuracy = accuracy_score(y, predicted) if len(y) else None
    return f1, accuracy


def true_auc(scores, labels, au):
    coded = ~np.isnan(labels[:, au])
    y, s = labels[coded, au].astype(int), scores[coded, au]
    return roc_auc_score(y, s) if 0 < y.sum() < len(y) else None


def same(ours, expected):
    assert len(ours) == len(expected)
    assert [bool(np.isnan(v)) for v in ours] == [v is None for v in expected]
    np.testing.assert_allclose([v for v in ours if not np.isnan(v)],
                               [v for v in expected if v is not None], rtol=0, atol=1e-12)


@pytest.mark.parametrize('chunk', range(10))
def test_500_random_cases_equal_scikit_learn(chunk):
    edges = 0
    for seed in range(50 * chunk, 50 * chunk + 50):
        scores, labels = random_case(seed)
        tuned = np.random.default_rng(seed).integers(0, 101, scores.shape[1]) / 100
        for thresholds in (np.full(scores.shape[1], 0.5), tuned):
            counts = threshold_counts(scores, labels, thresholds[None])
            expected = [truth(scores, labels, au, t) for au, t in enumerate(thresholds)]
            same(f1_from_counts(counts)[0], [e[0] for e in expected])
            same(accuracy_from_counts(counts)[0], [e[1] for e in expected])
            assert (sum(counts)[0] == (~np.isnan(labels)).sum(axis=0)).all()
        auc = [true_auc(scores, labels, au) for au in range(scores.shape[1])]
        same(roc_auc(scores, labels), auc)
        edges += auc.count(None)
    assert edges > 10  # the undefined cases did occur


def brute_force_sweep(scores, labels):
    """The paper's protocol the long way: 99 x C confusion counts, mean F1, first maximum."""
    best = (-1, None, None)
    for hundredth in range(1, 100):
        f1 = []
        for au in range(scores.shape[1]):
            coded = ~np.isnan(labels[:, au])
            active = scores[coded, au] >= np.float32(hundredth / 100)
            positive = labels[coded, au] == 1
            tp = (active & positive).sum()
            f1.append(Fraction(2 * int(tp), max(1, int(active.sum() + positive.sum()))))
        if sum(f1) > best[0]:  # exact, so that equal is equal
            best = (sum(f1), hundredth / 100, f1)
    return float(best[0] / len(f1)), best[1], [float(value) for value in best[2]]


@pytest.mark.parametrize('seed', range(80))
def test_paper_sweep_equals_brute_force(seed):
    scores, labels = random_case(seed)
    mean, threshold, f1 = brute_force_sweep(scores, labels)
    ours_threshold, ours_f1 = paper_f1(scores, labels)
    assert ours_threshold == threshold
    np.testing.assert_allclose(ours_f1, f1, atol=1e-12)
    names = [f'AU{i}' for i in range(scores.shape[1])]
    metrics = action_unit_scores(scores, labels, names)
    assert metrics['paper/f1'] == pytest.approx(100 * mean)
    assert metrics['paper/threshold'] == threshold


def test_paper_sweep_equals_scikit_learn_on_a_grid():
    scores, labels = random_case(1, num_aus=3)
    labels = np.nan_to_num(labels)
    f1 = np.array([[f1_score(labels[:, c], scores[:, c] >= np.float32(t), zero_division=0)
                    for c in range(3)] for t in PAPER_THRESHOLDS])
    threshold, ours = paper_f1(scores, labels)
    assert threshold == PAPER_THRESHOLDS[f1.mean(axis=1).argmax()]
    np.testing.assert_allclose(ours, f1[f1.mean(axis=1).argmax()], atol=1e-12)


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_a_score_on_a_threshold_reaches_it_in_every_dtype(dtype):
    scores = PAPER_THRESHOLDS.astype(dtype)[:, None]
    counts = threshold_counts(scores, np.ones((99, 1)), PAPER_THRESHOLDS)
    assert counts.tp[:, 0].tolist() == list(range(99, 0, -1))


def test_thresholds_in_any_order():
    scores, labels = random_case(3, num_aus=2)
    ascending = threshold_counts(scores, labels, PAPER_THRESHOLDS)
    for up, down in zip(ascending, threshold_counts(scores, labels, PAPER_THRESHOLDS[::-1])):
        assert len(np.unique(up)) > 1 and (up == down[::-1]).all()


def test_ties_take_the_lowest_threshold():
    scores, labels = np.array([[0.2], [0.8]], np.float32), np.array([[0.0], [1.0]])
    assert paper_f1(scores, labels)[0] == 0.21  # 0.21 .. 0.80 are all perfect
    f1 = np.array([[0.5, 0.1], [0.1, 0.5], [0.2, 0.4]])
    assert best_shared_threshold(f1, [0.1, 0.2, 0.3])[0] == 0.1


def test_best_thresholds_per_au_and_default_where_nothing_can_be_tuned():
    f1 = np.array([[0.5, 0.1, np.nan, 0], [0.5, 0.7, np.nan, 0]])
    assert best_thresholds(f1, [0.3, 0.4]).tolist() == [0.3, 0.4, 0.5, 0.5]


def test_metrics_by_hand():
    nan = np.nan
    scores = np.array([[0.9, 0.6, 0.1], [0.6, 0.2, 0.7], [0.4, 0.3, 0.2], [0.1, 0.9, 0.5]])
    labels = np.array([[1, 0, nan], [0, 0, nan], [1, 0, nan], [0, nan, nan]])
    metrics = action_unit_scores(scores, labels, ('AU1', 'AU2', 'AU4'), thresholds=0.35)
    assert metrics['f1/AU1'] == 50  # tp 1, fp 1, fn 1
    assert np.isnan(metrics['f1/AU2'])  # no positive, though one false alarm
    assert metrics['f1/mean'] == 50 and metrics['undefined'] == 2
    assert metrics['f1_tuned/AU1'] == 80 == metrics['f1_tuned/mean']  # tp 2, fp 1
    assert metrics['paper/AU1'] == 80 and metrics['paper/AU2'] == metrics['paper/AU4'] == 0
    assert metrics['paper/f1'] == pytest.approx(80 / 3)
    assert metrics['paper/threshold'] == 0.11
    assert metrics['auc/AU1'] == 75 == metrics['auc/mean']  # 3 of 4 pairs in order
    assert np.isnan(metrics['auc/AU2']) and np.isnan(metrics['auc/AU4'])
    assert metrics['accuracy/AU1'] == 50
    assert metrics['accuracy/AU2'] == pytest.approx(200 / 3)
    assert np.isnan(metrics['accuracy/AU4'])
    assert metrics['accuracy/mean'] == pytest.approx((50 + 200 / 3) / 2)
    assert [metrics[f'{k}/AU2'] for k in ('positive', 'negative', 'missing')] == [0, 3, 1]
    assert [metrics[f'{k}/AU4'] for k in ('positive', 'negative', 'missing')] == [0, 0, 4]


def test_paper_missing_as_negative_changes_the_paper_keys_only():
    scores, labels = random_case(4, num_aus=3)
    labels[::2, 1] = np.nan
    names = ('AU1', 'AU2', 'AU4')
    masked = action_unit_scores(scores, labels, names, 0.4)
    negative = action_unit_scores(scores, labels, names, 0.4, paper_missing='negative')
    mean, threshold, _ = brute_force_sweep(scores, np.where(np.isnan(labels), 0, labels))
    assert negative['paper/f1'] == pytest.approx(100 * mean) != masked['paper/f1']
    assert negative['paper/threshold'] == threshold
    for key in masked:
        if not key.startswith('paper/'):
            np.testing.assert_equal(negative[key], masked[key])


def test_all_undefined_gives_nan_means_without_warning(recwarn):
    metrics = action_unit_scores(np.full((3, 2), 0.5), np.full((3, 2), np.nan), ('AU1', 'AU2'))
    assert all(np.isnan(metrics[f'{key}/mean']) for key in ('f1', 'auc', 'accuracy'))
    assert metrics['undefined'] == 2 and metrics['paper/f1'] == 0
    assert not recwarn.list


def test_without_negatives_f1_is_defined_and_auc_is_not():
    scores, labels = np.array([[0.9], [0.2]]), np.array([[1.0], [1.0]])
    metrics = action_unit_scores(scores, labels, ('AU1', ))
    assert metrics['f1/AU1'] == pytest.approx(200 / 3)  # only positives: F1 defined, AUC not
    assert np.isnan(metrics['auc/AU1']) and metrics['undefined'] == 0


@pytest.mark.parametrize('thresholds, expected', [
    (0.3, [0.3, 0.3]), ([0.1, 0.2], [0.1, 0.2]), ({'AU2': 0.2, 'AU1': 0.1}, [0.1, 0.2])])
def test_resolve_thresholds(thresholds, expected):
    assert resolve_thresholds(thresholds, ('AU1', 'AU2')).tolist() == expected


@pytest.mark.parametrize('thresholds, match', [
    ([0.1], '1 thresholds given for 2'),
    ({'AU1': 0.1, 'AU9': 0.2}, "unknown .'AU9'.*absent .'AU2'"),
    (1.5, '1.5'), ([0.1, float('nan')], 'nan')])
def test_wrong_thresholds_are_named(thresholds, match):
    with pytest.raises(ValueError, match=match):
        resolve_thresholds(thresholds, ('AU1', 'AU2'))


@pytest.mark.parametrize('scores, labels, thresholds, match', [
    ([[0.1, np.inf]], [[0, 1]], [0.5], 'score inf at row 0, column 1'),
    ([[0.1, 0.2]], [[0, 3]], [0.5], 'label 3.0 at row 0, column 1'),
    ([[0.1, 0.2]], [[0]], [0.5], r'\(1, 2\) and \(1, 1\)'),
    ([[0.1, 0.2]], [[0, 1]], [0.5, np.nan], 'without NaN'),
    ([[0.1, 0.2]], [[0, 1]], [[0.5]], r'\[T, 2\]'),
])
def test_unusable_input_is_named(scores, labels, thresholds, match):
    with pytest.raises(ValueError, match=match):
        threshold_counts(np.array(scores), np.array(labels), np.array(thresholds))


def test_unusable_options_are_named():
    with pytest.raises(ValueError, match='2 scores per frame for 1 AUs'):
        action_unit_scores(np.zeros((1, 2)), np.zeros((1, 2)), ('AU1', ))
    with pytest.raises(ValueError, match="got 'drop'"):
        action_unit_scores(np.zeros((1, 1)), np.zeros((1, 1)), ('AU1', ), paper_missing='drop')
