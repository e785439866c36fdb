# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The training benchmark: FLOPs by hand, hours by hand, and steps that train. No time is judged."""

import re

import pytest
import torch
from mmengine.config import Config

from fmae_iat_plugin.experiments import training_step

pytestmark = pytest.mark.slow

TINY = 'configs/custom/own_table_tiny_48px.py'


@pytest.fixture(scope='module')
def tool():
    return vars(training_step)


def block(tokens, width):
    """Forward FLOPs of a transformer block: qkv and output, MLP of 4 x width, QK^T and AV."""
    return 2 * tokens * (4 * width**2 + 2 * width * 4 * width) + 2 * 2 * tokens**2 * width


def patches(number, width, patch):
    """The patch embedding: backward only towards its weights, for images need no gradient."""
    return 2 * (2 * number * width * 3 * patch**2)


@pytest.mark.parametrize('kind', ['iat', 'fmae', 'expression'])
def test_flops_of_fine_tuning(tool, repo, kind):
    """Backward is twice the forward: towards the input and the weights."""
    cfg = tool['load_config'](repo / TINY)
    heads = cfg.model.head.num_classes + cfg.model.adversary.head.num_subjects
    if kind != 'iat':
        cfg.model.pop('adversary')
        heads = cfg.model.head.num_classes
    if kind == 'expression':
        cfg.model.head = dict(type='LinearClsHead', in_channels=192, num_classes=7)
        heads = 7
    expected = patches(64, 192, 6) + 3 * (6 * block(65, 192) + 2 * 192 * heads)
    assert tool['count_flops'](cfg.model) == expected


def test_flops_of_pretraining(tool, repo):
    """The encoder sees a quarter of 16 patches, the decoder (64 x 1) all."""
    cfg = Config.fromfile(repo / 'configs/synthfacs/quickstart_pretrain.py')
    decoder = 2 * 5 * 192 * 64 + block(17, 64) + 2 * 17 * 64 * 3 * 16**2
    expected = patches(16, 192, 16) + 3 * (4 * block(5, 192) + decoder)
    assert tool['count_flops'](cfg.model) == expected


@pytest.mark.parametrize('name, steps', [
    ('iat/bp4d_fold1', 1525 * 30), ('iat/fmae_bp4d_fold1', 1525 * 20),
    ('iat/bp4dplus_fold1', 2315 * 30), ('iat/disfa_fold1', 1357 * 20),
    ('fer/rafdb', 383 * 60), ('fer/affectnet8', 586 * 30),
    ('fmae/fmae_vit-large_face9m', 17578 * 50)])
def test_steps_of_the_papers_trainings(tool, repo, name, steps):
    training = tool['length_of_training'](Config.fromfile(repo / f'configs/{name}.py'), None)
    assert training.steps == steps
    # every step takes its whole batch: at one image in 3.6 s, 1000 images take an hour
    assert training.hours(3.6) == pytest.approx(steps * training.batch_size / 1000)


def test_a_step_trains(tool, repo):
    cfg = tool['load_config'](repo / TINY)
    step = tool['Step'](cfg, 3, 'cpu')
    assert step.precision == 'float32' and step.batch['inputs'].shape == (3, 3, 48, 48)
    groups = step.optim_wrapper.optimizer.param_groups  # merged by the repository's constructor
    assert [group['weight_decay'] for group in groups] == [.05, 0]
    before = [value.clone() for value in step.model.parameters()]
    calls = []

    def counted():
        calls.append(1)
        step()

    assert tool['seconds_a_step'](counted, 'cpu', 2, 1) > 0
    assert len(calls) == 3
    changed = [not torch.equal(old, new) for old, new in zip(before, step.model.parameters())]
    assert sum(changed) > .9 * len(changed)
    assert all(torch.isfinite(value).all() for value in step.model.parameters())


def test_what_is_printed(tool, repo, capsys, monkeypatch):
    monkeypatch.setitem(tool['main'].__globals__, 'seconds_a_step', lambda *_: .5)
    config = str(repo / TINY)
    assert tool['main']([config, '--device', 'cpu', '--batch-size', '2', '--images', '6500',
                         '--peak-tflops', '100', '--utilization', '0.25']) == 0
    out = capsys.readouterr().out
    cfg = tool['load_config'](config)
    batch, epochs = cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs
    steps = 6500 // batch * epochs
    flops = tool['count_flops'](cfg.model)
    assert f'6,500 images x {epochs} epochs, batch {batch}: {steps:,} steps' in out
    assert f'counted: {flops / 1e9:.1f} GFLOP an image' in out
    found = re.search(r'measured on CPU.*0\.500 s a step, 4\.00 images/s, ([\d.]+) TFLOP/s; '
                      r'.* ([\d.,]+) h the training', out)
    assert float(found[1]) == pytest.approx(2 * flops / .5 / 1e12, abs=5e-4)
    assert found[2] == f'{steps * batch / 4 / 3600:,.2f}'
    estimated = flops * steps * batch / 25e12 / 3600
    assert (f'estimated, not measured: {estimated:,.2f} h on one device of 100 TFLOP/s, '
            'if 25% of them are used') in out


def test_only_counting_measures_nothing(tool, repo, capsys):
    assert tool['main']([str(repo / TINY), '--images', '6500', '--steps', '0']) == 0
    out = capsys.readouterr().out
    assert 'counted' in out and 'measured' not in out


@pytest.mark.parametrize('arguments, message', [
    ([], 'the number of images of ActionUnitDataset is not known. Remedy: --images N.'),
    (['--images', '3'], '3 images are fewer than a batch of'),
    (['--images', '6500', '--utilization', '35'], '--utilization 35.0 must lie in (0, 1].'),
    (['--images', '6500', '--peak-tflops', '-1'], '--peak-tflops -1.0 must be positive.'),
    (['--images', '6500', '--batch-size', '0'], '--batch-size 0 must be at least 1.')])
def test_wrong_usage(tool, repo, capsys, arguments, message):
    assert tool['main']([str(repo / TINY), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error and error.count('\n') == 1


def test_a_missing_config_is_named(tool, capsys):
    assert tool['main'](['configs/none.py']) == 2
    assert capsys.readouterr().err == 'error: config configs/none.py does not exist.\n'
