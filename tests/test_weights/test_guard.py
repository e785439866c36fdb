# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""MMEngine's own loads: nothing of a file is run, and a resumed training goes on as it would have.
"""

import itertools
import os

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from torch import nn
from torch.utils.data import Dataset

from fmae_iat_plugin.weights import guard
from fmae_iat_plugin.weights.checkpoint import write_checkpoint


class Rows(Dataset):
    rows = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return dict(rows=self.rows[index])


class Model(BaseModel):

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 1)

    def forward(self, rows, mode='loss'):
        out = self.layer(torch.stack(list(rows)))
        return dict(loss=out.square().mean()) if mode == 'loss' else list(out)


class Score(BaseMetric):
    """Of the epochs 1, 2, 3, ...: 1, 5, 2, 3."""

    scores = (1., 5., 2., 3.)

    def process(self, batch, samples):
        self.results.append(0)

    def compute_metrics(self, results):
        import numpy as np
        from mmengine.logging import MessageHub
        epoch = MessageHub.get_current_instance().get_info('epoch')
        return dict(score=np.float64(self.scores[epoch]))


@pytest.fixture
def make_runner(tmp_path):
    count = itertools.count()

    def make(folder, epochs, **more):
        torch.manual_seed(3)
        loader = dict(dataset=Rows(), batch_size=3, sampler=dict(type='DefaultSampler',
                                                                 shuffle=True))
        return Runner(
            model=Model(), work_dir=str(tmp_path / folder), train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=epochs), val_dataloader=loader,
            val_cfg=dict(), val_evaluator=Evaluator(Score()), log_level='ERROR',
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=.01)), randomness=dict(seed=0),
            param_scheduler=dict(type='CosineAnnealingLR', T_max=4, end=4),
            default_scope='mmpretrain', default_hooks=dict(checkpoint=dict(
                type='CheckpointHook', save_best='score', rule='greater')),
            experiment_name=f'{tmp_path.name}{next(count)}', **more)

    return make


def test_a_resumed_training_ends_as_one_that_was_not_stopped(make_runner, tmp_path):
    whole = make_runner('whole', 4)
    whole.train()
    make_runner('parts', 2).train()
    resumed = make_runner('parts', 4, resume=True)
    resumed.train()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name
    for name, history in whole.message_hub.log_scalars.items():
        if 'time' not in name:  # losses and rates of all iterations, those before the stop too
            assert resumed.message_hub.log_scalars[name].data[0].tolist() == \
                history.data[0].tolist(), name
    # the best epoch so far is remembered, a number of numpy
    for folder in ('whole', 'parts'):
        assert [path.name for path in (tmp_path / folder).glob('best*')] == [
            'best_score_epoch_2.pth']


class Hostile:

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace), )


@pytest.mark.parametrize('place', ['meta', 'message_hub', 'optimizer', 'state_dict'])
@pytest.mark.parametrize('how', ['load_from', 'resume', 'load_checkpoint', 'Pretrained'])
def test_a_hostile_file_is_refused_and_not_run(make_runner, tmp_path, how, place):
    trace, path = tmp_path / 'trace', tmp_path / 'hostile.pth'
    content = dict(state_dict=Model().state_dict(), meta=dict(epoch=1, iter=4), message_hub={},
                   optimizer={})
    content[place]['more'] = Hostile(trace)
    torch.save(content, path)
    with pytest.raises(ValueError, match='hostile.pth was refused .*(GLOBAL )?.*mkdir'):
        if how == 'load_checkpoint':
            load_checkpoint(Model(), str(path))
        elif how == 'Pretrained':
            model = Model()
            model.init_cfg = dict(type='Pretrained', checkpoint=str(path))
            model.init_weights()
        else:
            make_runner('run', 2, load_from=str(path), resume=how == 'resume').train()
    assert not trace.exists()


def test_the_config_of_a_checkpoint_is_not_run_when_it_is_resumed(make_runner, tmp_path):
    trace = tmp_path / 'trace'
    make_runner('run', 1).train()
    path = tmp_path / 'run/epoch_1.pth'
    content = torch.load(path, weights_only=False)
    content['meta']['config'] = f'import os\nos.mkdir({str(trace)!r})\n'
    torch.save(content, path)
    runner = make_runner('run', 2, resume=True)
    runner.train()
    assert runner.epoch == 2 and not trace.exists()


def test_safetensors_and_not_finite_weights(make_runner, tmp_path):
    weights = Model().state_dict()
    path = tmp_path / 'start.safetensors'
    write_checkpoint(path, weights, dict(config='x'))
    loaded = guard.load_from_guarded(str(path), 'cpu')
    assert loaded['meta'] == {}
    model = Model()
    load_checkpoint(model, str(path), map_location=None)
    assert all(torch.equal(model.state_dict()[name], weights[name]) for name in weights)
    write_checkpoint(path, {**weights, 'layer.bias': torch.tensor([float('nan')])}, {})
    with pytest.raises(ValueError, match=r'start.safetensors is not finite: .*\(layer.bias\)'):
        make_runner('run', 1, load_from=str(path)).train()


@pytest.mark.parametrize('name', ['a.pth', '/x/a.pth', 'http://a/b.pth', 'https://a/b.pth'])
def test_whatever_a_user_names_is_guarded(name):
    assert CheckpointLoader._get_checkpoint_loader(name) is guard.load_from_guarded


def test_files_of_an_object_store_are_guarded(monkeypatch, tmp_path):
    from contextlib import nullcontext
    torch.save(dict(meta=Hostile(tmp_path / 'trace')), tmp_path / 'local.pth')
    monkeypatch.setattr(guard, 'get_local_path', lambda name: nullcontext(tmp_path / 'local.pth'))
    for name in ('s3://bucket/a.pth', 'cluster:s3://bucket/a.pth', 'petrel://a.pth'):
        with pytest.raises(ValueError, match='was refused'):
            CheckpointLoader.load_checkpoint(name, 'cpu', None)
    assert not (tmp_path / 'trace').exists()
