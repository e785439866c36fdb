# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The curve against MAE's formula, through real trainings."""

import math

import mmengine
import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.optim.scheduler import CosineAnnealingLR
from mmengine.utils import digit_version

from fmae_iat_plugin.engine import WarmupCosineLR

CURVE = {'type': 'WarmupCosineLR', 'warmup_epochs': 1, 'convert_to_iter_based': True}
SCALES = (1.0, 0.1, 0.01)


def formula(step, scale, lr=1e-3, floor=1e-6, warmup=1, end=4, per_epoch=6):
    e = step / per_epoch
    if e < warmup:
        return scale * lr * e / warmup
    phase = math.pi * (e - warmup) / (end - warmup)
    return scale * (floor + (lr - floor) * 0.5 * (1 + math.cos(phase)))


def assert_on_curve(rates, steps, **kwargs):
    assert sorted(rates) == list(steps)
    for step, visits in rates.items():
        for values in visits:
            expected = [formula(step, scale, **kwargs) for scale in SCALES for _ in range(2)]
            assert values == pytest.approx(expected, rel=1e-9, abs=0), step


def test_every_iteration_of_every_group(make_runner):
    recorder = make_runner.recorder()
    make_runner(hooks=[recorder], param_scheduler=CURVE).train()
    assert_on_curve(recorder.rates, range(24))
    assert recorder.rates[0] == [[0.0] * 6]


def test_auto_scale_lr_scales_the_peak_but_not_the_floor(make_runner):
    recorder = make_runner.recorder()
    make_runner(hooks=[recorder], param_scheduler=CURVE,
                auto_scale_lr={'enable': True, 'base_batch_size': 8}).train()
    assert_on_curve(recorder.rates, range(24), lr=1e-3 * 2 / 8)


@pytest.mark.skipif(digit_version(mmengine.__version__) <= digit_version('0.10.7'),
                    reason='mmengine <= 0.10.7 cannot load its own checkpoints with torch >= 2.6')
@pytest.mark.parametrize('by_epoch', [True, False])
def test_resumed_run_follows_the_uninterrupted_one(make_runner, tmp_path, by_epoch):
    stop = 2 if by_epoch else 8  # two whole epochs, or amid the second
    saving = {'checkpoint': {'type': 'CheckpointHook', 'interval': stop, 'by_epoch': by_epoch}}
    straight = make_runner.recorder()
    make_runner(hooks=[straight], param_scheduler=CURVE, default_hooks=saving).train()
    name = 'epoch_2.pth' if by_epoch else 'iter_8.pth'
    resumed = make_runner.recorder()
    runner = make_runner(hooks=[resumed], param_scheduler=CURVE, resume=True,
                         load_from=str(tmp_path / name))
    runner.train()
    first = 12 if by_epoch else 8
    assert min(resumed.rates) == first
    for step in range(first, 24):
        assert resumed.rates[step] == straight.rates[step], step


def scheduler(lr=1e-3, accumulate=1, **kwargs):
    params = [{'params': [torch.nn.Parameter(torch.zeros(1))], 'lr': lr * scale,
               'lr_scale': scale} for scale in SCALES]
    wrapper = OptimWrapper(torch.optim.SGD(params, lr=lr), accumulative_counts=accumulate)
    return WarmupCosineLR(wrapper, **{'warmup_epochs': 1, 'end': 4, 'epoch_length': 6, **kwargs})


def test_accumulation_holds_each_window_at_its_first_iteration():
    curve = scheduler(accumulate=3)
    for step in range(24):
        expected = [formula(step // 3 * 3, scale) for scale in SCALES]
        assert curve.get_last_value()[:3] == pytest.approx(expected, rel=1e-9, abs=0)
        curve.optimizer.optimizer.step()
        curve.step()


def test_accumulating_run_makes_the_same_updates_as_a_large_batch(make_runner):
    """Six updates of 2 samples an epoch, and twelve half batches: same weights in the end."""
    weights = []
    for batch_size, accumulate in ((2, 1), (1, 2)):
        runner = make_runner(batch_size=batch_size, param_scheduler=CURVE, optim_wrapper={
            'optimizer': {'type': 'SGD', 'lr': 0.1}, 'accumulative_counts': accumulate})
        torch.manual_seed(0)
        for param in runner.model.parameters():
            torch.nn.init.uniform_(param, -0.5, 0.5)
        runner.train()
        weights.append(torch.cat([param.detach().flatten() for param in
                                  runner.model.parameters()]))
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-7)


def test_group_without_scale_and_after_the_end():
    wrapper = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3))
    curve = WarmupCosineLR(wrapper, warmup_epochs=0, end=2, epoch_length=3)
    values = []
    for _ in range(8):
        values += curve.get_last_value()
        wrapper.optimizer.step()
        curve.step()
    assert values[:6] == pytest.approx([formula(t, 1, warmup=0, end=2, per_epoch=3) if t else 1e-3
                                        for t in range(6)])
    assert values[6:] == pytest.approx([1e-6, 1e-6])


def test_changed_config_on_resuming():
    saved = scheduler().state_dict()
    longer = scheduler(end=8)
    for _ in range(9):
        longer.optimizer.optimizer.step()
        longer.step()
    longer.load_state_dict({**saved, 'iteration': 15})
    assert longer.get_last_value()[:3] == pytest.approx(
        [formula(15, scale, end=8) for scale in SCALES])
    with pytest.raises(ValueError, match='6 iterations per epoch, this config has 3'):
        scheduler(epoch_length=3).load_state_dict(saved)


def test_wrong_settings_are_named(make_runner):
    with pytest.raises(ValueError, match='convert_to_iter_based=True'):
        make_runner(param_scheduler={'type': 'WarmupCosineLR', 'warmup_epochs': 1}).train()
    with pytest.raises(ValueError, match='warmup_epochs=4, end=4'):
        make_runner(param_scheduler={**CURVE, 'warmup_epochs': 4}).train()
    with pytest.raises(ValueError, match='eta_min=-1'):
        scheduler(eta_min=-1)


def test_why_not_mmengines_cosine():
    """ViT-L's lowest layer peaks below the absolute floor, so CosineAnnealingLR lifts it."""
    scale = 0.65**25
    group = {'params': [torch.nn.Parameter(torch.zeros(1))], 'lr': 1.25e-4 * scale,
             'lr_scale': scale}
    optimizer = torch.optim.SGD([dict(group)], lr=1.25e-4)
    theirs = CosineAnnealingLR(optimizer, eta_min=1e-6, begin=0, end=10, by_epoch=False)
    for _ in range(10):
        optimizer.step()
        theirs.step()
    assert optimizer.param_groups[0]['lr'] > 100 * group['lr']  # the defect
    optimizer = torch.optim.SGD([dict(group)], lr=1.25e-4)
    ours = WarmupCosineLR(optimizer, warmup_epochs=0, end=1, epoch_length=10)
    for _ in range(10):
        optimizer.step()
        ours.step()
    assert optimizer.param_groups[0]['lr'] == pytest.approx(1e-6 * scale)
