# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Both ways train the same network alike, and what is printed follows from the times."""

import re

import pytest
import torch
from mmengine.config import Config
from torch import nn

from fmae_iat_plugin.experiments import step_setup, step_speed
from fmae_iat_plugin.experiments.authors_step import AuthorsStep, parameter_groups
from fmae_iat_plugin.experiments.step_setup import OurStep, Setup, same_loss
from fmae_iat_plugin.experiments.training_step import random_samples
from fmae_iat_plugin.weights.conversion import to_fmae

WAYS = {'pretrain': ('fmae/fmae_vit-small_face9m.py', step_speed.small_pretraining),
        'finetune': ('iat/bp4d_fold1.py', step_speed.small_finetuning)}


@pytest.fixture(params=WAYS, scope='module')
def setup(request, repo):
    path, small = WAYS[request.param]
    cfg = Config.fromfile(repo / 'configs' / path)
    small(cfg)
    return Setup(cfg, 'cpu')


def test_the_two_networks_have_one_loss(setup):
    ours, authors = same_loss(setup)
    assert ours == pytest.approx(authors, rel=1e-6) and ours > 0


def test_the_two_networks_have_the_same_gradients(setup):
    """Also those of the reversal, which the loss does not show."""
    images, *labels = setup.normalised(3)
    samples = random_samples(setup.cfg.model, 3)
    for i, sample in enumerate(samples if labels else ()):
        sample.set_gt_score(labels[0][i])
        sample.set_field(int(labels[1][i]), 'subject', field_type='metainfo')
    ours, authors = setup.ours().eval(), setup.authors().eval()
    torch.manual_seed(1)
    ours.parse_losses(ours(images, samples, mode='loss'))[0].backward()
    torch.manual_seed(1)
    authors(images, *labels).backward()
    expected = to_fmae({name: torch.zeros_like(value) if value.grad is None else value.grad
                        for name, value in ours.named_parameters()}).weights
    found = dict(authors.named_parameters())
    assert len(found) > 50
    for name, value in found.items():
        if value.requires_grad:
            torch.testing.assert_close(value.grad, expected[name], rtol=1e-3, atol=1e-6)


def test_the_two_optimizers_treat_each_tensor_alike(setup):
    step = OurStep(setup, 2, False, 1)
    optimizer = setup.cfg.optim_wrapper.optimizer
    rate = setup.cfg.optim_wrapper.paramwise_cfg.get('layer_decay_rate', 1.)
    authors = setup.authors()
    names = {id(value): name for name, value in authors.named_parameters()}
    groups = parameter_groups(authors, optimizer.lr, optimizer.weight_decay, rate)
    theirs = {names[id(value)]: (group['lr'], group['weight_decay'])
              for group in groups for value in group['params']}
    told = {}
    for group in step.optim_wrapper.optimizer.param_groups:
        for name, value in zip(group['param_names'], group['params']):
            told[name] = value.new_full(value.shape, 0), (group['lr'], group['weight_decay'])
    everything = {name: value.clone() for name, value in setup.weights.items()}
    for number, name in enumerate(told):
        everything[name] = torch.full_like(everything[name], number + 1.)
    renamed = to_fmae(everything).weights
    rules = list(told.values())
    for name, (lr, decay) in theirs.items():
        _, (our_lr, our_decay) = rules[int(renamed[name].flatten()[0]) - 1]
        assert (our_lr, our_decay) == (pytest.approx(lr), decay), name
    assert len(theirs) == len([name for name in told if not name.startswith('backbone.ln1')]
                              if rate < 1 else told)


def test_both_steps_train(setup):
    optimizer = setup.cfg.optim_wrapper.optimizer
    steps = (OurStep(setup, 2, False, 2),
             AuthorsStep(setup.authors(), optimizer, .9, setup.normalised(2), foreach=False))
    for step in steps:
        before = [value.clone() for value in step.model.parameters() if value.requires_grad]
        step()
        step()
        after = [value for value in step.model.parameters() if value.requires_grad]
        changed = [not torch.equal(old, new) for old, new in zip(before, after)]
        assert sum(changed) > .9 * len(changed)
        assert all(value.isfinite().all() for value in after)


TIMES = {(True, 2): .5, (True, 4): 2., (False, 2): .25, (False, 4): .25}


@pytest.fixture
def timed(monkeypatch):
    """Seconds of a step: ours, then the authors', at two batch sizes."""
    class Ours(nn.Module):
        def __init__(self, setup, size, compiled, steps):
            super().__init__()
            self.key = True, size

    class Authors(nn.Module):
        def __init__(self, model, optimizer, decay, batch, foreach):
            super().__init__()
            self.key = False, len(batch[0])

    monkeypatch.setattr(step_speed, 'OurStep', Ours)
    monkeypatch.setattr(step_speed, 'AuthorsStep', Authors)
    monkeypatch.setattr(step_speed, 'seconds', lambda step, *_: TIMES[step.key])


def test_what_is_printed(timed, capsys):
    """Ours is best with 2 (4 images a second), the authors' with 4 (16 images a second)."""
    assert step_speed.pretrain(['--quick', '--device', 'cpu', '--batch-size', '2', '4',
                                '--peak-tflops', '2']) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == 'ratio 0.25'
    assert re.search(r'difference \d\.\de[-+]\d\d\n', out)
    gflop = float(re.search(r'([\d.]+) GFLOP an image', out)[1])
    line = next(line for line in out.splitlines() if line.startswith("authors' way, batch 4: "))
    assert '16.0 images/s, 250.0 ms a step' in line
    mfu = float(re.search(r'MFU ([\d.]+)%', line)[1])
    assert mfu == pytest.approx(100 * 16 * gflop / 2000, rel=.4)
    assert "authors' way, AdamW of their day, batch 4: 16.0 images/s" in out


def test_when_the_time_is_over_nothing_is_begun(timed, capsys):
    assert step_speed.finetune(['--quick', '--device', 'cpu', '--budget', '0']) == 0
    out = capsys.readouterr().out
    assert "authors' way, batch 32: left out, the time is over (--budget)" in out
    assert out.splitlines()[-1] == 'ratio nan'


def test_a_batch_that_does_not_fit_is_named(timed, capsys, monkeypatch):
    def seconds(step, *_):
        if step.key == (True, 4):
            raise torch.cuda.OutOfMemoryError('4 GiB')
        return TIMES[step.key]

    monkeypatch.setattr(step_speed, 'seconds', seconds)
    assert step_speed.finetune(['--quick', '--device', 'cpu', '--batch-size', '4', '2']) == 0
    out = capsys.readouterr().out
    assert 'ours, not compiled, batch 4: the memory of the device does not suffice' in out
    assert out.splitlines()[-1] == 'ratio 0.25'


@pytest.mark.parametrize('arguments, message', [
    (['--batch-size', '8', '0'], '--batch-size [8, 0] must be at least 1.'),
    (['--steps', '0'], '--steps 0 must be at least 1.')])
def test_wrong_usage(capsys, arguments, message):
    assert step_speed.pretrain(arguments) == 2
    assert message in capsys.readouterr().err


def test_networks_that_differ_are_found(setup, monkeypatch):
    monkeypatch.setattr(step_setup, 'to_fmae', lambda weights: type(
        'Converted', (), dict(weights={name: value for name, value in to_fmae(
            weights).weights.items() if name != 'blocks.1.norm1.bias'})))
    with pytest.raises(RuntimeError, match='differ.*blocks.1.norm1.bias'):
        setup.authors()
