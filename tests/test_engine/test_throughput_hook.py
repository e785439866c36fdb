# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The means are those of a clock that the test sets."""

import pytest
from mmengine.hooks import Hook

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
