# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A hook that writes down what a training did: batches, losses, learning rates, first weights."""

import json
import os
import signal
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpretrain.registry import HOOKS


@HOOKS.register_module(force=True)
class ParityRecorder(Hook):
    """Leaves ``initial.pth`` and, for each process, ``record_<rank>.json`` in the work folder."""

    def before_train(self, runner):
        self.steps = []
        sharded = hasattr(runner, 'strategy')  # then all ranks gather
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        state = runner.strategy.model_state_dict() if sharded else model.state_dict()
        if get_rank() == 0:
            torch.save(state, Path(runner.work_dir) / 'initial.pth')

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.steps.append({
            'images': [Path(sample.img_path).name for sample in data_batch['data_samples']],
            'rates': {name: group['lr'] for group in runner.optim_wrapper.optimizer.param_groups
                      for name in group['param_names']}})

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.steps[-1].update({name: value.item() for name, value in outputs.items()})

    def after_train(self, runner):
        path = Path(runner.work_dir) / f'record_{get_rank()}.json'
        path.write_text(json.dumps(self.steps))


@HOOKS.register_module(force=True)
class Preempted(Hook):
    """Signals its own process, of rank 1, after the iteration that ``PREEMPT_AT`` counts."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if get_rank() == 1 and os.environ.get('PREEMPT_AT') == str(runner.iter + 1):
            os.kill(os.getpid(), signal.SIGTERM)
