# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A tiny model and runner with which the engine's parts are tried in real trainings."""

import itertools

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from mmpretrain.utils import register_all_modules
from torch import nn
from torch.utils.data import Dataset

register_all_modules(init_default_scope=False)


class Rows(Dataset):
    """Sample ``i`` is a row of four numbers, NaN for ``i == bad``."""

    def __init__(self, length=12, bad=None):
        self.rows = torch.randn(length, 4, generator=torch.Generator().manual_seed(0))
        if bad is not None:
            self.rows[bad] = float('nan')

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        sample = BaseDataElement(metainfo={'img_path': f'faces/{index}.jpg'})
        return {'inputs': self.rows[index], 'data_samples': sample}


class TinyModel(BaseModel):
    """Three layers with depths 0, 1, 2 of 3."""

    def __init__(self):
        super().__init__()
        self.stem, self.block, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 1)

    def get_layer_depth(self, name):
        return ('stem', 'block', 'head').index(name.split('.')[0]), 3

    def forward(self, inputs, data_samples=None, mode='loss'):
        out = self.head(torch.tanh(self.block(torch.tanh(self.stem(torch.stack(inputs))))))
        return list(out) if mode != 'loss' else {
            'loss_au': out.square().mean(), 'loss_id': out.abs().mean()}


class RateRecorder(Hook):
    """Writes down every group's learning rate while the iteration runs."""

    priority = 'VERY_HIGH'

    def __init__(self):
        self.rates = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.rates.setdefault(runner.iter, []).append(
            [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups])


@pytest.fixture
def make_runner(tmp_path):
    """Returns ``make(**overrides)``, which builds a small CPU runner in ``tmp_path``."""
    count = itertools.count()

    def make(dataset=None, batch_size=2, max_epochs=4, hooks=(), **overrides):
        cfg = {
            'model': TinyModel(),
            'work_dir': str(tmp_path),
            'train_dataloader': {
                'dataset': dataset or Rows(),
                'sampler': {'type': 'DefaultSampler', 'shuffle': True},
                'batch_size': batch_size,
            },
            'train_cfg': {'by_epoch': True, 'max_epochs': max_epochs},
            'optim_wrapper': {
                'constructor': 'LayerDecayOptimWrapperConstructor',
                'optimizer': {'type': 'AdamW', 'lr': 1e-3, 'weight_decay': 0.05},
                'paramwise_cfg': {'layer_decay_rate': 0.1},
            },
            'default_scope': 'mmpretrain',
            'randomness': {'seed': 0},
            'log_level': 'ERROR',
            'custom_hooks': list(hooks),
            'experiment_name': f'{tmp_path.name}_{next(count)}',
        }
        cfg.update(overrides)
        return Runner(**cfg)

    make.rows, make.recorder = Rows, RateRecorder
    return make
