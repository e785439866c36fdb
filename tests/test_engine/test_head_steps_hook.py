# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Further steps of the head against a training written out in plain PyTorch."""

import pytest
import torch
from mmengine.model import BaseModel, ModuleDict
from torch import nn
from torch.nn import functional as F

from fmae_iat_plugin.engine import HeadStepsHook
from fmae_iat_plugin.models import GradReverse, LinearIdentityHead

STEPS, BATCH = 2, 3


class Adversarial(BaseModel):
    """A backbone and an identity head; the person of a row is the number of its image."""

    def __init__(self, **head):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Linear(4, 3)
        self.adversary = ModuleDict(dict(neck=GradReverse(0.5), head=LinearIdentityHead(
            3, 12, loss='ce', **head)))

    def get_layer_depth(self, name):
        return 0 if name.startswith('backbone') else 1, 2

    def forward(self, inputs, data_samples=None, mode='loss'):
        for sample in data_samples:
            sample.set_field(int(sample.img_path.split('/')[1].split('.')[0]), 'subject')
        feats = self.adversary['neck']((self.backbone(torch.stack(inputs)), ))
        return self.adversary['head'].loss(feats, data_samples)


def test_it_is_the_training_with_further_steps_written_out(make_runner):
    model = Adversarial(bank=8)
    twin = Adversarial(bank=8)
    in_order = dict(type='DefaultSampler', shuffle=False)
    runner = make_runner(
        model=model, hooks=[HeadStepsHook(STEPS, BATCH)], max_epochs=1,
        train_dataloader=dict(dataset=make_runner.rows(), batch_size=2, sampler=in_order))
    runner.train()

    layer, head = twin.backbone, twin.adversary['head'].fc
    groups = [dict(params=[head.weight], weight_decay=.05), dict(params=[head.bias]),
              dict(params=[layer.weight], lr=1e-4, weight_decay=.05),
              dict(params=[layer.bias], lr=1e-4)]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.)
    rows = make_runner.rows().rows
    bank = twin.adversary['head'].bank
    for step in range(6):
        people = torch.tensor([2 * step, 2 * step + 1])
        feature = layer(rows[people])
        bank.push(feature, people)
        head_grad = torch.autograd.grad(F.cross_entropy(head(feature.detach()), people),
                                        [head.weight, head.bias])
        layer_grad = torch.autograd.grad(-.5 * F.cross_entropy(head(feature), people),
                                         [layer.weight, layer.bias])
        for parameter, grad in zip([head.weight, head.bias, layer.weight, layer.bias],
                                   head_grad + layer_grad):
            parameter.grad = grad
        optimizer.step()
        layer.weight.grad = layer.bias.grad = None
        for more in range(STEPS):
            drawn, who = bank.draw(BATCH, step * STEPS + more)
            head.weight.grad, head.bias.grad = torch.autograd.grad(
                F.cross_entropy(head(drawn), who), [head.weight, head.bias])
            optimizer.step()
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize('head', [{}, dict(bank=8, fit='closed_form')])
def test_a_head_that_it_cannot_train_is_refused(make_runner, head):
    runner = make_runner(model=Adversarial(**head), hooks=[HeadStepsHook()])
    with pytest.raises(ValueError, match='no identity head with a bank.*Remedy'):
        runner.train()
    with pytest.raises(ValueError, match='steps=0.*Remedy'):
        HeadStepsHook(0)
