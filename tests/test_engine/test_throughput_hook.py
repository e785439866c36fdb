# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The means are those of a clock that the test sets."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from fmae_iat_plugin.engine import ThroughputHook, throughput_hook

BATCH = 2


class Clock(Hook):
    """Reading a batch takes 3 s, an iteration 1 s."""

    priority = 'HIGHEST'
    now = 0.

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.now += 3

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.now += 1


@pytest.fixture
def run(make_runner, monkeypatch):
    def call(**options):
        clock = Clock()
        monkeypatch.setattr(throughput_hook.time, 'perf_counter', lambda: clock.now)
        runner = make_runner(hooks=[clock, ThroughputHook(**options)], max_epochs=2)
        runner.train()
        return {name.removeprefix('train/'): history.data[0].tolist()
                for name, history in runner.message_hub.log_scalars.items()}, runner

    return call


def test_images_a_second_and_waiting(run):
    values, runner = run(interval=2)
    assert values['images_per_second'] and 'mfu' not in values
    assert values['images_per_second'] == pytest.approx(
        [BATCH / 4] * len(values['images_per_second']))
    assert values['waiting'] == pytest.approx([3 / 4] * len(values['waiting']))
    assert len(values['waiting']) == 2 * (len(runner.train_dataloader) // 2)


def test_use_of_the_device(run):
    values, _ = run(interval=1, peak_tflops=1e-9)
    # layers 4x4, 4x4, 4x1: forward, gradient of the weights, and of the inputs but for the first
    flops = 2 * (16 + 16 + 4) + 2 * (16 + 16 + 4) + 2 * (16 + 4)
    expected = BATCH * flops / 4 / (1e-9 * 1e12)
    assert values['mfu'] == pytest.approx([expected] * len(values['mfu']))
    with pytest.raises(ValueError, match='interval=0'):
        ThroughputHook(interval=0)


def test_counting_flops_changes_nothing(repo, make_runner):
    """They are those of the model's shapes, and the training is what it is without the hook."""
    model = Config.fromfile(repo / 'configs/_base_/models/mae_vit-tiny-48px.py').model
    rows = [dict(inputs=torch.full((3, 48, 48), i, dtype=torch.uint8), data_samples=DataSample())
            for i in range(4)]

    def train(*hooks):
        torch.manual_seed(0)
        runner = make_runner(model=MODELS.build(model), max_epochs=1, hooks=hooks,
                             train_dataloader=dict(
                                 dataset=rows, batch_size=2,
                                 sampler=dict(type='DefaultSampler', shuffle=False),
                                 collate_fn=dict(type='default_collate')))
        runner.train()
        return runner.model.state_dict()

    hook = ThroughputHook(peak_tflops=1.)
    weights, plain = train(hook), train()
    assert all(torch.equal(weights[name], plain[name]) for name in plain)

    def block(tokens, width):
        return 2 * tokens * 12 * width**2 + 2 * 2 * tokens**2 * width

    decoder = 2 * 17 * 192 * 128 + 2 * block(65, 128) + 2 * 65 * 128 * 3 * 6**2
    assert hook.flops == 2 * 2 * 64 * 192 * 108 + 3 * (6 * block(17, 192) + decoder)


def test_a_model_that_needs_values_has_no_utilisation(make_runner):
    hook, runner = ThroughputHook(interval=1, peak_tflops=1.), make_runner(max_epochs=1)
    runner.register_hook(hook)
    inner, model = runner.model.forward, runner.model

    def forward(self, inputs, data_samples=None, mode='loss'):
        assert torch.stack(inputs).sum().item() < 1e9
        return inner(inputs, data_samples, mode)

    model.__class__ = type('Needy', (type(model), ), dict(forward=forward))
    runner.train()
    assert hook.flops is None and 'train/mfu' not in runner.message_hub.log_scalars
    assert 'train/images_per_second' in runner.message_hub.log_scalars
