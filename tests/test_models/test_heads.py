# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AU head and identity head against formulas."""

import math

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

NAN = float('nan')


def samples(labels=None, subjects=None):
    count = len(labels if labels is not None else subjects)
    out = []
    for i in range(count):
        sample = DataSample(metainfo=dict(img_path=f'{i}.jpg'))
        if labels is not None:
            sample.set_gt_score(torch.tensor(labels[i]))
        if subjects is not None and subjects[i] is not None:
            sample.set_field(subjects[i], 'subject')
        out.append(sample)
    return out


def bce(logit, target):
    p = 1 / (1 + math.exp(-logit))
    return -math.log(p) if target == 1 else -math.log(1 - p)


def au_head(**kwargs):
    torch.manual_seed(0)
    head = MODELS.build(dict(type='AUHead', in_channels=6, num_classes=3, **kwargs))
    head.init_weights()
    torch.nn.init.normal_(head.fc.weight)
    return head


def id_head(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(type='LinearIdentityHead', in_channels=6, num_subjects=4, **kwargs))


LABELS = [[1., 0., NAN], [NAN, NAN, NAN], [0., 1., 1.], [1., NAN, 0.]]


@pytest.mark.parametrize('pos_weight', [None, (2., 1., .5)])
def test_au_loss_is_the_mean_over_coded_labels(pos_weight):
    head = au_head(pos_weight=pos_weight)
    feats = (torch.randn(4, 99), torch.randn(4, 6))  # only the last stage counts
    logits = feats[-1] @ head.fc.weight.T + head.fc.bias
    terms = []
    for i, row in enumerate(LABELS):
        for c, label in enumerate(row):
            if not math.isnan(label):
                weight = pos_weight[c] if pos_weight and label == 1 else 1
                terms.append(weight * bce(logits[i, c].item(), label))
    losses = head.loss(feats, samples(LABELS))
    assert list(losses) == ['loss_au']
    assert losses['loss_au'].item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_not_coded_labels_get_no_gradient():
    head = au_head()
    feats = torch.randn(4, 6)
    head.loss((feats, ), samples([[NAN, 0., 1.]] * 4))['loss_au'].backward()
    assert torch.equal(head.fc.weight.grad[0], torch.zeros(6)) and head.fc.bias.grad[0] == 0
    assert (head.fc.weight.grad[1:] != 0).all() and head.fc.weight.grad.isfinite().all()


def test_is_not_mmpretrains_sum_over_classes():
    """MMPretrain's own head divides by the batch size only: C times the mean."""
    head = au_head()
    theirs = MODELS.build(dict(type='MultiLabelLinearClsHead', in_channels=6, num_classes=3))
    theirs.fc.load_state_dict(head.fc.state_dict())
    feats, data = (torch.randn(4, 6), ), samples([[1., 0., 1.]] * 4)
    assert theirs.loss(feats, data)['loss'].item() == pytest.approx(
        3 * head.loss(feats, data)['loss_au'].item(), rel=1e-5)


def test_au_weights_start_near_zero_and_bias_by_default():
    head = MODELS.build(dict(type='AUHead', in_channels=2000, num_classes=12))
    bias = head.fc.bias.clone()
    head.init_weights()
    assert head.fc.weight.std().item() == pytest.approx(2e-5, rel=0.05)
    assert torch.equal(head.fc.bias, bias)
    assert bias.abs().max() <= 1 / math.sqrt(2000) and bias.abs().max() > 0


def test_prediction_is_the_sigmoid():
    head, feats = au_head(thr=0.4), torch.randn(3, 6)
    logits = feats @ head.fc.weight.T + head.fc.bias
    for row, sample in zip(logits, head.predict((feats, ))):
        probabilities = [1 / (1 + math.exp(-x)) for x in row.tolist()]
        assert sample.pred_score.tolist() == pytest.approx(probabilities, rel=1e-5)
        assert sample.pred_label.tolist() == [c for c, p in enumerate(probabilities) if p >= 0.4]


@pytest.mark.parametrize('weights', [(1., 2.), (1., -1., 1.), (1., 0., 1.)])
def test_bad_positive_weights(weights):
    with pytest.raises(ValueError, match='pos_weight.*3 positive numbers'):
        au_head(pos_weight=weights)


@pytest.mark.parametrize('labels, found', [([1., 0.], '2'), ([1.] * 4, '4'), (None, 'no')])
def test_labels_that_do_not_fit_the_head(labels, found):
    data = samples([[1., 0., 1.]]) + (samples([labels]) if labels else samples(subjects=[0]))
    with pytest.raises(ValueError, match=f"'0.jpg' has {found} AU labels.*num_classes=3. Remedy"):
        au_head().loss((torch.randn(2, 6), ), data)


def test_another_initialisation_can_be_asked_for():
    head = MODELS.build(dict(type='AUHead', in_channels=2000, num_classes=12,
                             init_cfg=dict(type='Normal', layer='Linear', std=0.5)))
    head.init_weights()
    assert head.fc.weight.std().item() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize('subjects', [[0, 3, 1, 1], [2, None, 0, None]])
@pytest.mark.parametrize('loss', ['bce', 'ce'])
def test_identity_loss(subjects, loss):
    head, feats = id_head(loss=loss), torch.randn(4, 6)
    logits = (feats @ head.fc.weight.T + head.fc.bias).tolist()
    terms = []
    for row, subject in zip(logits, subjects):
        if subject is None:
            continue
        if loss == 'bce':  # mean over (samples x subjects), one-hot targets
            terms += [bce(x, int(s == subject)) for s, x in enumerate(row)]
        else:
            terms.append(math.log(sum(map(math.exp, row))) - row[subject])
    losses = head.loss((feats, ), samples(subjects=subjects))
    assert list(losses) == ['loss_id']
    assert losses['loss_id'].item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_no_known_subject_is_zero_and_touches_every_parameter():
    head = id_head()
    loss = head.loss((torch.randn(2, 6), ), samples(subjects=[None, None]))['loss_id']
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in head.parameters())


@pytest.mark.parametrize('dims', [(), (3, ), (3, 2)])
def test_hidden_layers_are_linear_gelu(dims):
    head, x = id_head(hidden_dims=dims), torch.randn(5, 6)
    out = x
    for layer in [m for m in head.hidden if isinstance(m, torch.nn.Linear)]:
        out = out @ layer.weight.T + layer.bias
        out = 0.5 * out * (1 + torch.erf(out / math.sqrt(2)))
    torch.testing.assert_close(head((x, )), out @ head.fc.weight.T + head.fc.bias)
    assert sum(isinstance(m, torch.nn.Linear) for m in head.modules()) == len(dims) + 1


@pytest.mark.parametrize('subject', [4, 41])
def test_num_subjects_too_small(subject):
    with pytest.raises(ValueError, match=rf"subject {subject} of '1.jpg'.*num_subjects=4.*at least "
                                         rf'{subject + 1}'):
        id_head().loss((torch.randn(2, 6), ), samples(subjects=[0, subject]))


def test_unknown_loss():
    with pytest.raises(ValueError, match="loss 'mse' is neither 'bce'"):
        id_head(loss='mse')
