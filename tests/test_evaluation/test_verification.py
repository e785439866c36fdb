# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Equal error rates against scikit-learn's ROC, and against theory."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_curve

from fmae_iat_plugin.evaluation.verification import verification


def people(strength, number=8, frames=20, width=12, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(number) * 3 + 1, frames)  # names with gaps
    centre = rng.normal(size=(number, width)).repeat(frames, 0)
    return strength * centre + rng.normal(size=(number * frames, width)), who


def similarities(x, who, sequences=None):
    z = (x - x.mean(0)) / x.std(0)
    z /= np.linalg.norm(z, axis=1)[:, None]
    rows = [(i, j) for i in range(len(z)) for j in range(i + 1, len(z))
            if sequences is None or who[i] != who[j] or sequences[i] != sequences[j]
            or sequences[i] == '']
    i, j = np.array(rows).T
    return (z[i] * z[j]).sum(1), i, j


def roc_eer(same, similarity, weight=None):
    accept, true, _ = roc_curve(same, similarity, sample_weight=weight, drop_intermediate=False)
    at = np.argmin(np.abs(accept - (1 - true)))
    return (accept[at] + 1 - true[at]) / 2


@pytest.mark.parametrize('strength', [0., .6, 1.2])
def test_the_rate_is_that_of_the_roc(strength):
    x, who = people(strength)
    found = verification(x, who)
    similarity, i, j = similarities(x, who)
    same = who[i] == who[j]
    assert found.pairs == (same.sum(), (~same).sum()) == (8 * 190, 28 * 400)
    assert found.eer()[0] == pytest.approx(roc_eer(same, similarity), abs=.003)


def test_draws_weigh_people():
    x, who = people(.7)
    similarity, i, j = similarities(x, who)
    same = who[i] == who[j]
    draws = np.random.default_rng(1).multinomial(8, [1 / 8] * 8, 6)
    for draw, eer in zip(draws, verification(x, who).eer(draws)):
        weight = dict(zip(np.unique(who), draw))
        each = np.array([weight[a] if a == b else weight[a] * weight[b]
                         for a, b in zip(who[i], who[j])])
        assert eer == pytest.approx(roc_eer(same, similarity, each), abs=.004)
    lone = np.eye(8)[:1] * 8  # one person alone: no pair of two
    assert np.isnan(verification(x, who).eer(lone))[0]


def test_pairs_of_one_sequence_are_left_out():
    x, who = people(.5)
    sequences = np.array([f'T{k % 2}' for k in range(len(who))])
    sequences[who == 4] = ''  # unknown: all its pairs count
    found = verification(x, who, sequences)
    similarity, i, j = similarities(x, who, sequences)
    same = who[i] == who[j]
    assert found.pairs == (same.sum(), (~same).sum()) == (7 * 100 + 190, 28 * 400)
    assert found.eer()[0] == pytest.approx(roc_eer(same, similarity), abs=.003)


def test_theory():
    """One dimension: similarity is +1 or -1, so errors are counts. Many: cosines are normal."""
    x, who = np.array([[1.], [2.], [-1.], [-2.]]), np.array([0, 0, 1, 1])
    assert verification(x, who).eer()[0] == 0
    # all of one person at -1, of two people half at -1 and half at +1: the ROC is the line from
    # (reject 0, accept 1) to (reject 1, accept 1/2)
    assert verification(x, np.array([0, 1, 0, 1])).eer()[0] == pytest.approx(2 / 3)
    x, who = people(1., number=60, frames=6, width=400, seed=3)
    similarity, i, j = similarities(x, who)
    same = who[i] == who[j]
    a, b = similarity[same], similarity[~same]
    t = (a.mean() * b.std() + b.mean() * a.std()) / (a.std() + b.std())
    assert verification(x, who).eer()[0] == pytest.approx(
        stats.norm.cdf((t - a.mean()) / a.std()), abs=.003)


def test_frames_are_drawn_by_person_and_seed():
    x, who = people(.5)
    assert verification(x, who, frames=5).pairs == (8 * 10, 28 * 25)
    first, again, other = (verification(x, who, frames=5, seed=k).eer()[0] for k in (0, 0, 1))
    assert first == again != other


def test_it_needs_both_kinds_of_pairs():
    x, who = people(.5)
    with pytest.raises(ValueError, match='190 pairs of one person and 0 of different people'):
        verification(x[who == 1], who[who == 1])
    with pytest.raises(ValueError, match='0 pairs of one person and 28 of different'):
        verification(x[::20], who[::20])
