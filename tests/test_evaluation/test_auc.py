# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AUC of sets of people against scikit-learn's on their joined frames."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fmae_iat_plugin.evaluation.auc import auc_from_pairs, subject_pairs


def test_it_is_scikit_learns_for_every_set_of_people():
    rng = np.random.default_rng(0)
    who = rng.integers(0, 6, 150) * 3
    labels = (rng.random((150, 3)) < .3).astype(np.float32)
    labels[rng.random(labels.shape) < .1] = np.nan
    labels[who == 3, 0] = 0
    labels[:, 2] = 1  # never absent: no area
    scores = rng.integers(0, 12, labels.shape) / 12  # many ties
    counts = subject_pairs(scores, labels, who)
    draws = np.concatenate([np.ones((1, 6), int), 1 - np.eye(6, dtype=int),
                            rng.multinomial(6, [1 / 6] * 6, 20)])
    found = auc_from_pairs(counts, draws)
    for draw, row in zip(draws, found):
        rows = np.concatenate([np.flatnonzero(who == 3 * k) for k, n in enumerate(draw)
                               for _ in range(n)])
        each = []
        for au in range(2):
            coded = rows[~np.isnan(labels[rows, au])]
            each.append(100 * roc_auc_score(labels[coded, au], scores[coded, au]))
        assert row[1:3] == pytest.approx(each)
        assert row[0] == pytest.approx(np.mean(each)) and np.isnan(row[3])
