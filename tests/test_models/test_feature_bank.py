# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The bank against a list, the discriminant against scikit-learn's and Bayes' rule."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from fmae_iat_plugin.models.heads.feature_bank import FeatureBank, discriminant


def blobs(people=4, frames=30, width=6, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), frames + np.arange(people))  # unequal shares
    x = rng.normal(0, 1, (people, width))[who] + rng.normal(0, .7, (len(who), width))
    return torch.as_tensor(x), torch.as_tensor(who)


@pytest.mark.parametrize('shrinkage', [.02, .5, 1.])
def test_the_discriminant_is_scikit_learns(shrinkage):
    x, who = blobs()
    weight, bias = discriminant(x, who, 4, shrinkage)
    theirs = LinearDiscriminantAnalysis(solver='lsqr', shrinkage=shrinkage).fit(x, who)
    new = blobs(seed=1)[0]
    logits = (new @ weight.T + bias).log_softmax(1)
    np.testing.assert_allclose(logits.exp(), theirs.predict_proba(new), atol=1e-6)


def test_a_subject_without_a_frame_has_the_mean_of_all_and_half_a_frame():
    """Bayes' rule with Gaussian densities, by scipy."""
    x, who = blobs()
    weight, bias = discriminant(x, who, 6, shrinkage=.3)
    rows, names = x.numpy(), who.numpy()
    means = np.stack([rows[names == k].mean(0) for k in range(4)] + [rows.mean(0)] * 2)
    inside = rows - means[names]
    covariance = inside.T @ inside / len(rows)
    covariance = .7 * covariance + .3 * np.trace(covariance) / 6 * np.eye(6)
    share = np.array([*np.bincount(names), .5, .5]) / len(rows)
    density = np.stack([stats.multivariate_normal(mean, covariance).pdf(rows) for mean in means], 1)
    wanted = density * share / (density * share).sum(1, keepdims=True)
    np.testing.assert_allclose((x @ weight.T + bias).softmax(1), wanted, atol=1e-6)
    assert 0 < wanted[:, 4:].max() < .2


def test_the_bank_keeps_the_newest_that_are_known():
    bank, kept, rng = FeatureBank(5, 2), [], np.random.default_rng(0)
    for size in (2, 3, 1, 4, 7):
        rows = torch.as_tensor(rng.normal(size=(size, 2)), dtype=torch.float32)
        who = torch.as_tensor(rng.integers(-1, 3, size))
        bank.push(rows, who)
        kept = (kept + [(*row.tolist(), k.item()) for row, k in zip(rows, who) if k >= 0])[-5:]
        found, names = bank.content()
        assert sorted((*row.tolist(), k.item()) for row, k in zip(found, names)) == sorted(kept)
    drawn, names = bank.draw(200, seed=1)
    assert {(*row.tolist(), k.item()) for row, k in zip(drawn, names)} == set(kept)
    assert torch.equal(drawn, bank.draw(200, seed=1)[0])
    assert not torch.equal(drawn, bank.draw(200, seed=2)[0])
    assert bank.state_dict() == {}


def samples(who):
    out = [DataSample() for _ in who]
    for sample, subject in zip(out, who):
        sample.set_field(int(subject), 'subject')
    return out


def test_a_head_in_closed_form_is_the_discriminant_of_the_frames_before():
    x, who = blobs()
    x = x.float()
    order = torch.as_tensor(np.random.default_rng(0).permutation(len(x)))
    head = MODELS.build(dict(type='LinearIdentityHead', in_channels=6, num_subjects=4, loss='ce',
                             fit='closed_form', bank=200))
    assert not [p for p in head.parameters() if p.requires_grad]
    first, second = order[:80].split(40)
    feature = x[first].requires_grad_()
    loss = head.loss((feature, ), samples(who[first]))['loss_id']
    loss.backward()
    assert loss.item() == pytest.approx(np.log(4), rel=1e-6)  # an empty bank: it says nothing
    assert not feature.grad.any()
    feature = x[second].requires_grad_()
    loss = head.loss((feature, ), samples(who[second]))['loss_id']
    loss.backward()
    theirs = LinearDiscriminantAnalysis(solver='lsqr', shrinkage=.1).fit(x[first], who[first])
    p = theirs.predict_proba(x[second].detach())
    assert loss.item() == pytest.approx(-np.log(p[np.arange(40), who[second]]).mean(), rel=1e-4)
    wanted = (p - np.eye(4)[who[second]]) @ theirs.coef_ / 40
    np.testing.assert_allclose(feature.grad, wanted, atol=1e-5)
    head.eval()
    before = head.fc.weight.clone()
    head.loss((x[second], ), samples(who[second]))
    assert torch.equal(before, head.fc.weight) and len(head.bank.content()[0]) == 80


@pytest.mark.parametrize('wrong, message', [
    (dict(fit='closed_form', loss='bce', bank=9), "fit='closed_form' with loss='bce'.*Remedy"),
    (dict(fit='closed_form', loss='ce'), 'bank=0.*Remedy.*bank=1024'),
    (dict(fit='closed_form', loss='ce', bank=9, hidden_dims=(3, )), 'no hidden_dims'),
    (dict(fit='newton'), "fit 'newton' is neither"),
    (dict(per_subject=True), "per_subject=True with loss='bce'.*Remedy"),
    (dict(shrinkage=0), 'shrinkage is 0. Remedy'), (dict(bank=-2), 'bank is -2. Remedy')])
def test_what_does_not_fit(wrong, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='LinearIdentityHead', in_channels=6, num_subjects=4, **wrong))
