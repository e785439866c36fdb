# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Lambda follows its curve in real trainings, and with it the gradient of the backbone."""

import math

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel, ModuleDict
from torch import nn

from fmae_iat_plugin.engine import LambdaRampHook
from fmae_iat_plugin.models import GradReverse

FULL, ITERATIONS = 0.75, 24  # 12 rows, batches of 2, 4 epochs
SGD = dict(optimizer=dict(type='SGD', lr=.02))


class Adversarial(BaseModel):
    """A backbone, a head, and an adversary laid out as AUClassifier's."""

    def __init__(self, adversary=True):
        super().__init__()
        self.backbone, self.head = nn.Linear(4, 3), nn.Linear(3, 1)
        self.adversary = ModuleDict(dict(neck=GradReverse(scale=FULL), head=nn.Linear(3, 2))) \
            if adversary else None

    def losses(self, inputs, neck):
        """Of the head and of the adversary behind ``neck``."""
        feats = torch.tanh(self.backbone(torch.stack(inputs)))
        return (self.head(feats).square().mean(),
                self.adversary['head'](neck(feats)).exp().mean())

    def forward(self, inputs, data_samples=None, mode='loss'):
        return dict(zip(('loss_au', 'loss_id'), self.losses(inputs, self.adversary['neck'])))


class Witness(Hook):
    """Each iteration's lambda, the backbone's gradient, and the two losses' own gradients."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.scales, self.found, self.parts = {}, {}, {}

    def before_train(self, runner):
        self.weight = runner.model.backbone.weight
        self.handle = self.weight.register_hook(
            lambda grad: self.found.update({runner.iter: grad.clone()}))

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.scales[runner.iter] = runner.model.adversary['neck'].scale.item()
        self.handle.remove()
        losses = runner.model.losses(data_batch['inputs'], nn.Identity())
        self.parts[runner.iter] = [torch.autograd.grad(loss, self.weight, retain_graph=True)[0]
                                   for loss in losses]
        self.handle = self.weight.register_hook(
            lambda grad: self.found.update({runner.iter: grad.clone()}))


def train(make_runner, hook=None, **overrides):
    """The witness and the runner after a training."""
    witness = Witness()
    torch.manual_seed(0)
    runner = make_runner(model=Adversarial(), hooks=[hook or LambdaRampHook(), witness],
                         optim_wrapper=SGD,
                         default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
                         **overrides)
    runner.train()
    return witness, runner


def ganin(p):
    return 2 / (1 + math.exp(-10 * p)) - 1


@pytest.mark.parametrize('options,curve', [
    ({}, lambda k: ganin(k / ITERATIONS)),
    (dict(share=.5), lambda k: ganin(min(1, k / (ITERATIONS / 2)))),
    (dict(shape='linear'), lambda k: k / ITERATIONS),
    (dict(shape='linear', share=.5), lambda k: min(1, k / (ITERATIONS / 2)))])
def test_the_curve_and_the_gradient(make_runner, options, curve):
    witness, runner = train(make_runner, LambdaRampHook(**options))
    assert list(witness.scales) == list(range(ITERATIONS))
    for k, scale in witness.scales.items():
        assert scale == pytest.approx(FULL * curve(k), rel=1e-5, abs=1e-7)
        au, identity = witness.parts[k]
        assert identity.abs().max() > 1e-3
        torch.testing.assert_close(witness.found[k], au - FULL * curve(k) * identity,
                                   rtol=1e-4, atol=1e-6)
    assert runner.model.adversary['neck'].scale.item() == FULL  # as the config says, again
    assert runner.message_hub.get_scalar('train/lambda').current() == pytest.approx(
        FULL * curve(ITERATIONS - 1))


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(make_runner, tmp_path):
    whole, _ = train(make_runner)
    resumed, _ = train(make_runner, work_dir=str(tmp_path / 'again'), resume=True,
                       load_from=str(tmp_path / 'epoch_2.pth'))
    assert list(resumed.scales) == list(range(ITERATIONS // 2, ITERATIONS))
    assert resumed.scales == {k: whole.scales[k] for k in resumed.scales}


@pytest.mark.parametrize('options,message', [
    (dict(share=0), 'share is 0, but it must be'), (dict(share=1.5), 'share is 1.5'),
    (dict(share=float('nan')), 'share is nan'), (dict(shape='cosine'), "'cosine' is none of")])
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        LambdaRampHook(**options)


def test_a_model_without_adversary_is_refused_before_training(make_runner):
    runner = make_runner(model=Adversarial(adversary=False), hooks=[LambdaRampHook()],
                         optim_wrapper=SGD)
    with pytest.raises(ValueError, match='no adversary. Remedy'):
        runner.train()
    assert runner.iter == 0
