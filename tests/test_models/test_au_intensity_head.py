# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The intensity head against formulas, and beside occurrences and an adversary in one model."""

import math

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

NAN = float('nan')
CODES = [[0., 5., NAN], [NAN, NAN, NAN], [2., .5, 3.], [1., NAN, 4.75]]


def samples(codes):
    out = []
    for number, row in enumerate(codes):
        sample = DataSample(metainfo=dict(img_path=f'{number}.jpg'))
        sample.set_field(np.asarray(row, np.float32), 'gt_intensity')
        out.append(sample)
    return out


def head(**options):
    torch.manual_seed(0)
    built = MODELS.build(dict(type='AUIntensityHead', in_channels=6, num_classes=3, **options))
    built.init_weights()
    torch.nn.init.normal_(built.fc.weight)
    if built.form == 'ordinal':
        torch.nn.init.normal_(built.steps)
    return built


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def intensity(built, feature, unit):
    """One intensity by the formula of the module, in Python's floats."""
    logit = sum(w * x for w, x in zip(built.fc.weight[unit].tolist(), feature.tolist()))
    logit += built.fc.bias[unit].item()
    if built.form == 'regression':
        return 5 * sigmoid(logit), None
    steps = [logit + built.steps[unit, k].item() for k in range(5)]
    return sum(map(sigmoid, steps)), steps


@pytest.mark.parametrize('form', ['regression', 'ordinal'])
def test_predictions_and_loss_follow_the_formulas(form):
    built = head(form=form, loss_weight=.3)
    feats = (torch.randn(4, 99), torch.randn(4, 6))  # only the last stage counts
    terms = []
    for feature, row, found in zip(feats[-1], CODES, built.intensities(feats)):
        for unit, code in enumerate(row):
            value, steps = intensity(built, feature, unit)
            assert found[unit].item() == pytest.approx(value, abs=1e-5)
            if math.isnan(code):
                continue
            if form == 'regression':
                terms.append((value - code)**2)
                continue
            reached = [1. if code >= k + 1 else max(code - k, 0.) for k in range(5)]
            assert sum(reached) == pytest.approx(code)
            terms.append(-sum(y * math.log(sigmoid(z)) + (1 - y) * math.log(sigmoid(-z))
                              for y, z in zip(reached, steps)) / 5)
    losses = built.loss(feats, samples(CODES))
    assert list(losses) == ['loss_intensity']
    assert losses['loss_intensity'].item() == pytest.approx(.3 * np.mean(terms), rel=1e-5)


@pytest.mark.parametrize('form', ['regression', 'ordinal'])
def test_cells_that_are_not_coded_have_no_gradient(form):
    built = head(form=form)
    built.loss((torch.randn(2, 6), ), samples([[1., NAN, NAN], [4., NAN, NAN]])
               )['loss_intensity'].backward()
    assert built.fc.weight.grad[0].abs().min() > 0 and (built.fc.weight.grad[1:] == 0).all()
    built.zero_grad()
    built.loss((torch.randn(1, 6), ), samples([[NAN] * 3]))['loss_intensity'].backward()
    assert (built.fc.weight.grad == 0).all()


@pytest.mark.parametrize('form', ['regression', 'ordinal'])
def test_it_learns_intensities_within_their_range(form):
    """A linear truth in the feature's range is found to a quarter of a step."""
    built = head(form=form)
    torch.manual_seed(1)
    feats, weights = torch.randn(200, 6), torch.randn(6, 3)
    truth = 5 * torch.sigmoid(feats @ weights - 1)
    optimizer = torch.optim.Adam(built.parameters(), lr=.05)
    for _ in range(300):
        optimizer.zero_grad()
        built.loss((feats, ), samples(truth.tolist()))['loss_intensity'].backward()
        optimizer.step()
    found = built.intensities((feats, )).detach()
    assert (found - truth).abs().mean() < .25
    assert found.min() >= 0 and found.max() <= 5


def test_untrained_intensities_are_low():
    built = MODELS.build(dict(type='AUIntensityHead', in_channels=6, num_classes=2))
    built.init_weights()
    assert built.intensities((torch.randn(3, 6), )).mean().item() == pytest.approx(
        5 * sigmoid(-2), abs=1e-3)


@pytest.mark.parametrize('codes', [[[1., 2.]], [[1., 2., 6.]], [[1., -1., 0.]]])
def test_labels_that_do_not_fit_are_named(codes):
    with pytest.raises(ValueError, match="'0.jpg' has the AU intensities .*Remedy: `intensities`"):
        head().loss((torch.randn(1, 6), ), samples(codes))
    with pytest.raises(ValueError, match='intensities none'):
        head().loss((torch.randn(1, 6), ), [DataSample(metainfo=dict(img_path='0.jpg'))])


@pytest.mark.parametrize('options', [dict(form='rank'), dict(loss_weight=0.)])
def test_options_that_make_no_sense(options):
    with pytest.raises(ValueError, match='form|loss_weight'):
        head(**options)


TINY = dict(type='VisionTransformer', img_size=32, patch_size=16, out_type='avg_featmap',
            final_norm=False, arch=dict(embed_dims=12, num_layers=1, num_heads=2,
                                        feedforward_channels=12))


def classifier(**parts):
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type='AUClassifier', backbone=dict(TINY), head=dict(type='AUHead', num_classes=2), **parts))
    model.init_weights()
    return model


def test_one_model_gives_both_and_the_adversary_works_with_it():
    graded = dict(type='AUIntensityHead', num_classes=3)
    adversary = dict(neck=dict(type='GradReverse', scale=.7),
                     head=dict(type='LinearIdentityHead', num_subjects=4))
    model = classifier(intensity_head=graded, adversary=adversary)
    for part in (model.head.fc, model.intensity_head.fc, model.adversary['head'].fc):
        assert part.in_features == 12
        torch.nn.init.normal_(part.weight)
    images, batch = torch.randn(4, 3, 32, 32), samples(CODES)
    for number, sample in enumerate(batch):
        sample.set_gt_score(torch.tensor([1., 0.]))
        sample.set_field(number, 'subject')
    losses = model.loss(images, batch)
    assert set(losses) == {'loss_au', 'loss_intensity', 'loss_id'}
    # the backbone's gradient: of both tasks as it is, of identity times -0.7
    weight = model.backbone.patch_embed.projection.weight
    whole = torch.autograd.grad(sum(losses.values()), weight, retain_graph=True)[0]
    feats = model.extract_feat(images)
    plain = model.head.loss(feats, batch)['loss_au'] + \
        model.intensity_head.loss(feats, batch)['loss_intensity']
    identity = model.adversary['head'].loss(feats, batch)['loss_id']
    wanted = torch.autograd.grad(plain, weight, retain_graph=True)[0] - \
        .7 * torch.autograd.grad(identity, weight)[0]
    torch.testing.assert_close(whole, wanted, rtol=1e-4, atol=1e-6)

    model.eval()
    with torch.no_grad():
        found = model.predict(images, samples(CODES))
        feats = model.extract_feat(images)
        for row, sample in enumerate(found):
            torch.testing.assert_close(sample.pred_score, torch.sigmoid(model.head(feats))[row])
            torch.testing.assert_close(sample.pred_intensity,
                                       model.intensity_head.intensities(feats)[row])
    assert 'pred_intensity' not in classifier().predict(images)[0]
