# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Reliability against a loop over labels, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from fmae_iat_plugin.evaluation.calibration import calibration


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    scores = rng.beta(.6, .9, (200, 3))
    labels = (rng.random(scores.shape) < scores ** 2).astype(float)
    labels[rng.random(labels.shape) < .2] = np.nan
    return scores, labels


def test_bins_and_error_are_those_of_a_loop(labelled):
    scores, labels = labelled
    scores[0], labels[0] = 1., 1.  # the last bin holds 1
    found = calibration(scores, labels)
    bins = [[] for _ in range(10)]
    for score, label in zip(scores.ravel(), labels.ravel()):
        if not np.isnan(label):
            bins[min(int(score * 10), 9)].append((score, label))
    total = sum(map(len, bins))
    error = sum(len(part) / total * abs(np.mean([s for s, _ in part]) -
                                        np.mean([y for _, y in part])) for part in bins if part)
    assert found.number.tolist() == list(map(len, bins))
    assert found.error == pytest.approx(error)
    coded = ~np.isnan(labels)
    observed, predicted = calibration_curve(labels[coded], scores[coded], n_bins=10)
    np.testing.assert_allclose(found.observed[found.number > 0], observed)
    np.testing.assert_allclose(found.predicted[found.number > 0], predicted)


def test_perfect_and_worst():
    labels = np.array([[0., 1.], [1., 0.]])
    assert calibration(labels, labels).error == 0
    assert calibration(1 - labels, labels).error == 1
    assert np.isnan(calibration(labels, np.full((2, 2), np.nan)).error)


def test_an_empty_bin_is_undefined():
    found = calibration(np.array([[.05], [.95]]), np.array([[0.], [1.]]))
    assert np.isnan(found.observed[1:-1]).all() and found.number.sum() == 2
