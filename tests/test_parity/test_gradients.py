# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What gradient reversal does to each part of the model, in double precision.

The two losses are computed again by the twin's formulas, *without* the reversal: the backbone must
get dL_au - lambda dL_id, the identity head dL_id, the AU head dL_au.
"""

import pytest
import torch
from faces import read_batch, write_faces
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from twin import au_loss, id_loss

pytestmark = pytest.mark.slow

LAMBDAS = (0., 0.5, 2.)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Images, labels with gaps, people with unknown ones."""
    folder = tmp_path_factory.mktemp('faces')
    write_faces(folder, missing=0.3, unknown=0.3, seed=1)
    images, labels, people = read_batch(folder, [f'{index:03d}.png' for index in range(3, 13)])
    assert labels.isnan().any() and (people < 0).any()
    return images, labels, people


@pytest.fixture(scope='module')
def make_model(parity_config):

    def make(lam):
        torch.manual_seed(0)
        model = MODELS.build(parity_config('', model__adversary__neck__scale=lam).model).double()
        model.init_weights()
        with torch.no_grad():  # the heads' tiny first weights would hide errors
            for head in (model.head.fc, model.adversary['head'].fc):
                head.weight.normal_(std=0.5)
        return model.train()

    return make


def plugin_gradients(model, data):
    images, labels, people = data
    samples = []
    for scores, person in zip(labels, people.tolist(), strict=True):
        sample = DataSample().set_gt_score(scores)
        if person >= 0:
            sample.set_field(person, 'subject', field_type='metainfo')
        samples.append(sample)
    losses = model.loss(images, samples)
    assert set(losses) == {'loss_au', 'loss_id'}
    model.zero_grad()
    sum(losses.values()).backward()
    return {name: value.grad for name, value in model.named_parameters()}


def formula_losses(model, data):
    """The two losses without any reversal."""
    images, labels, people = data
    feature = model.backbone(images)[-1]
    return (au_loss(model.head.fc(feature), labels.double()),
            id_loss(model.adversary['head'].fc(feature), people))


def formula_gradients(model, data):
    named = dict(model.named_parameters())
    gradients = [torch.autograd.grad(loss, named.values(), allow_unused=True, retain_graph=True)
                 for loss in formula_losses(model, data)]
    return [dict(zip(named, values, strict=True)) for values in gradients]


@pytest.mark.parametrize('lam', LAMBDAS)
def test_each_part_gets_its_gradient(lam, make_model, data):
    model = make_model(lam)
    found = plugin_gradients(model, data)
    of_au, of_id = formula_gradients(model, data)
    for name, gradient in found.items():
        part = name.split('.')[0]
        if part == 'backbone':
            wanted = of_au[name] - lam * of_id[name]
        else:  # the identity head learns to recognise, not to fail
            wanted = {'head': of_au, 'adversary': of_id}[part][name]
            assert wanted.abs().max() > 1e-3
        torch.testing.assert_close(gradient, wanted, rtol=0, atol=1e-12)
    # of a size that a wrong sign or factor would show
    assert max(of_id[name].abs().max() for name in found if name.startswith('backbone')) > 1e-2


@pytest.mark.parametrize(('name', 'au', 'identity'), [
    ('head.fc.weight', 1, 0), ('head.fc.bias', 1, 0),
    ('adversary.head.fc.weight', 0, 1), ('adversary.head.fc.bias', 0, 1),
    ('backbone.ln2.weight', 1, -2), ('backbone.cls_token', 1, -2),
    ('backbone.layers.1.attn.qkv.weight', 1, -2),
    ('backbone.patch_embed.projection.weight', 1, -2)])
def test_finite_differences(name, au, identity, make_model, data):
    """A few weights of each part: the objective that part descends, lambda 2 in the backbone."""
    model = make_model(2.)
    gradient = plugin_gradients(model, data)[name].flatten()
    weight = dict(model.named_parameters())[name].data.view(-1)
    step = 1e-5

    def objective():
        with torch.no_grad():
            loss_au, loss_id = formula_losses(model, data)
        return au * loss_au + identity * loss_id

    for index in gradient.abs().topk(min(3, len(gradient))).indices:
        old = weight[index].item()
        weight[index] = old + step
        above = objective()
        weight[index] = old - step
        below = objective()
        weight[index] = old
        assert gradient[index].item() == pytest.approx(
            (above - below).item() / (2 * step), rel=1e-5, abs=1e-9)
