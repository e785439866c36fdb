# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""After LEACE no probe tells the people it was fitted on; the refitted head is scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from fmae_iat_plugin.evaluation.erasure import erase_identity, refit_heads
from fmae_iat_plugin.evaluation.identity_probe import logistic_probe, paper_probe

pytest.importorskip('concept_erasure', reason="needs the extra 'interpret'")
PEOPLE, EACH, WIDTH = 6, 40, 24


def world(seed=0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(0, 1.5, (PEOPLE, WIDTH))
    who = np.repeat(np.arange(PEOPLE), EACH)
    labels = (rng.random((len(who), 2)) < .4).astype(np.float32)
    x = centres[who] + rng.normal(size=(len(who), WIDTH))
    x[:, :2] += 2 * labels
    return x.astype(np.float32), who, labels


def test_no_probe_tells_the_people_it_was_fitted_on():
    x, who, _ = world()
    erased, again = erase_identity(x, who, x)
    assert np.array_equal(erased, again)
    for features, known in ((x, True), (erased, False)):
        # the same frames fit and test the probes: even so there is nothing to find
        accuracy = [(logistic_probe(features, who, features).argmax(1) == who).mean(),
                    (paper_probe(features, who, features)[-1] == who).mean()]
        assert (min(accuracy) > .8) == known
        if not known:
            assert max(accuracy) <= 1 / PEOPLE + .03
    # every person's mean is the same: the covariance of feature and identity is 0
    means = np.stack([erased[who == k].mean(0) for k in range(PEOPLE)])
    assert np.ptp(means, axis=0).max() < 1e-4
    assert np.abs(erased - x).max() > .5


def test_unknown_people_are_not_fitted_on():
    x, who, _ = world()
    hidden = np.where(who == 5, -1, who)
    erased, = erase_identity(x, hidden)
    rest, = erase_identity(x[who < 5], who[who < 5])
    np.testing.assert_allclose(erased[who < 5], rest, atol=1e-5)
    with pytest.raises(ValueError, match='LEACE: 1 people. Remedy'):
        erase_identity(x, np.zeros(len(x), int))


def test_refitted_heads():
    (x, _, labels), (new, *_) = world(), world(1)
    labels[:30, 0] = np.nan
    labels = np.concatenate([labels, np.ones((len(labels), 1))], 1)
    found, own = refit_heads(x, labels, new, x)
    scaler = StandardScaler().fit(x[30:])
    head = LogisticRegression(max_iter=2000).fit(scaler.transform(x[30:]), labels[30:, 0])
    np.testing.assert_allclose(found[:, 0], head.predict_proba(scaler.transform(new))[:, 1],
                               atol=1e-5)
    assert (found[:, 2] == 1).all() and own.shape == (len(x), 3)
