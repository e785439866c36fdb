# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every form of the game, value and gradient, against plain PyTorch in double precision."""

import math

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from fmae_iat_plugin.models.losses import feature_gradient, guessing_losses

LAMBDA, PEOPLE, WIDTH = 0.75, 5, 8  # 0.75 is exact in single precision
SUBJECTS = [0, 4, None, 2, 2, 1]


def samples():
    out = []
    for subject in SUBJECTS:
        sample = DataSample(metainfo=dict(img_path='face.jpg'))
        if subject is not None:
            sample.set_field(subject, 'subject')
        out.append(sample)
    return out


def play(**kwargs):
    """(loss_id, gradient of weight, of bias, of the feature through the reversal, feature, head)"""
    torch.manual_seed(3)
    head = MODELS.build(dict(type='LinearIdentityHead', in_channels=WIDTH, num_subjects=PEOPLE,
                             **kwargs)).double()
    torch.nn.init.normal_(head.fc.weight)
    neck = MODELS.build(dict(type='GradReverse', scale=LAMBDA))
    feature = torch.randn(len(SUBJECTS), WIDTH, dtype=torch.float64, requires_grad=True)
    loss = head.loss(neck((feature, )), samples())['loss_id']
    loss.backward()
    return loss, head.fc.weight.grad, head.fc.bias.grad, feature.grad, feature.detach(), head


def truth(form, feature, head, per_subject=False):
    """The same by formulas, one frame at a time."""
    weight, bias = head.fc.weight.detach(), head.fc.bias.detach()
    frames = [(x, k) for x, k in zip(feature, SUBJECTS) if k is not None]
    part = len(frames) * (PEOPLE if per_subject or form.startswith('bce') else 1)
    loss, of_weight, of_bias = 0., torch.zeros_like(weight), torch.zeros_like(bias)
    rows = []
    for x, k in frames:
        z = weight @ x + bias
        y = torch.zeros(PEOPLE, dtype=torch.float64)
        y[k] = 1
        if form.startswith('bce'):
            p = 1 / (1 + torch.exp(-z))
            loss -= (y * p.log() + (1 - y) * (1 - p).log()).sum().item()
            learn = p - y
            towards = learn if form == 'bce' else learn - learn.sum() / PEOPLE
        else:
            p = torch.exp(z) / torch.exp(z).sum()
            loss -= math.log(p[k].item())
            learn = p - y
            # confusion: the feature descends on the cross entropy to the uniform, d/dz = p - 1/S;
            # the reversal turns a gradient round, so that of its opposite is what goes in
            towards = learn if form == 'ce' else 1 / PEOPLE - p
        of_weight += torch.outer(learn, x)
        of_bias += learn
        rows.append(-LAMBDA * weight.T @ towards / part)
    of_feature = torch.zeros_like(feature)
    of_feature[[k is not None for k in SUBJECTS]] = torch.stack(rows)
    return loss / part, of_weight / part, of_bias / part, of_feature


@pytest.mark.parametrize('form, per_subject', [
    ('bce', False), ('bce_centred', False), ('ce', False), ('ce', True), ('confusion', False),
    ('confusion', True)])
def test_value_and_gradients(form, per_subject):
    loss, *grads, feature, head = play(loss=form, per_subject=per_subject)
    expected, *wanted = truth(form, feature, head, per_subject)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    for found, right in zip(grads, wanted):
        torch.testing.assert_close(found, right, rtol=0, atol=1e-13)


def test_per_subject_makes_one_lambda_compare():
    """Near a uniform guess a softmax over S people has S times the gradient of the BCE's mean."""
    z, k = torch.full((1, 40), -math.log(39), dtype=torch.float64), torch.tensor([7])
    bce, ce = (feature_gradient(z, k, form) for form in ('bce', 'ce'))
    torch.testing.assert_close(ce, 40 * bce)  # sigmoid(z) = softmax(z) = 1 / 40 here


@pytest.mark.parametrize('form', ['bce', 'bce_centred', 'ce', 'confusion'])
def test_nothing_goes_along_the_common_direction_but_in_bce(form):
    """The gradient on the logits, found again from that on the feature (D > S: W has an inverse)"""
    *_, on_feature, _, head = play(loss=form)
    logits = on_feature @ torch.linalg.pinv(head.fc.weight.detach())
    common = logits.sum(1).abs().max().item()
    assert common > 1e-2 if form == 'bce' else common < 1e-12
    z, k = torch.randn(9, PEOPLE, dtype=torch.float64), torch.arange(9) % PEOPLE
    inner = feature_gradient(z, k, form).sum(1).abs().max().item()
    assert inner > 1e-2 if form == 'bce' else inner < 1e-12
    share = head.common_share(z, k)
    gradient = feature_gradient(z, k, form)
    ones = torch.full((PEOPLE, ), PEOPLE**-.5, dtype=torch.float64)
    wanted = ((gradient @ ones).square().sum() / gradient.square().sum()).item()
    assert share == pytest.approx(wanted, rel=1e-9, abs=1e-24)
    assert (share > .05) == (form == 'bce')


def test_the_head_of_bce_centred_still_learns_the_rates():
    """Its own gradient is BCE's, so its bias goes to the log odds; the feature's has no bias."""
    loss, of_weight, of_bias, *_ = play(loss='bce_centred')
    plain, weight, bias, *_ = play(loss='bce')
    assert loss.item() == plain.item()
    assert torch.equal(of_weight, weight) and torch.equal(of_bias, bias) and bias.sum().abs() > .1


def test_confusion_leaves_a_feature_alone_that_says_nothing():
    z = torch.full((3, PEOPLE), 1.7, dtype=torch.float64)
    gradient = feature_gradient(z, torch.tensor([0, 1, 4]), 'confusion')
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-15)


@pytest.mark.parametrize('form', ['bce', 'bce_centred', 'ce', 'confusion'])
def test_floor_and_ceiling(form):
    """The floor is what the best constant logits reach, found by an optimiser; zeros: the ceiling.
    """
    counts = torch.tensor([4., 0., 1., 5., 2.])
    target = torch.repeat_interleave(torch.arange(5), counts.long())
    head = MODELS.build(dict(type='LinearIdentityHead', in_channels=2, num_subjects=5, loss=form))
    logits = torch.zeros(5, dtype=torch.float64, requires_grad=True)

    def loss():
        return head.head_loss(logits.expand(len(target), 5), target).mean()

    floor, ceiling = guessing_losses(counts, form)
    assert ceiling == pytest.approx(loss().item())
    optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12)

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(5):
        optimizer.step(closure)
    assert floor == pytest.approx(loss().item(), abs=1e-6) and floor < ceiling


def test_the_floor_of_41_people_is_the_one_that_the_published_loss_lies_above():
    """Published: 0.152 on BP4D. H(1/41) in nats by hand: 0.1149."""
    floor, _ = guessing_losses(torch.ones(41), 'bce')
    by_hand = -(math.log(1 / 41) + 40 * math.log(40 / 41)) / 41
    assert floor == pytest.approx(by_hand) and floor < 0.152
    head = MODELS.build(dict(type='LinearIdentityHead', in_channels=2, num_subjects=41, loss='ce',
                             per_subject=True))
    assert head.guessing_losses(torch.ones(41))[0] == pytest.approx(math.log(41) / 41)
