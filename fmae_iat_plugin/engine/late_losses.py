# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Losses reach the log without a wait for the device in each iteration.

MMEngine's ``RuntimeInfoHook`` reads each loss when it has been queued, and so waits until the
device has done the whole step; meanwhile nothing is queued, and the device stands idle until the
host has prepared the next step. Here the copy of the losses is queued, too, and is read one
iteration later.
"""

from typing import Any, Dict, List, NamedTuple, Optional

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import CheckpointHook, LoggerHook, RuntimeInfoHook
from mmpretrain.registry import HOOKS
from torch import Tensor

from .deferred import Arrived, Deferred
from .safe_checkpoint import SafeCheckpointHook

#: name under which 1 arrives if a loss of the iteration is not finite in any process, else 0
NOT_FINITE = '(a loss is not finite)'


class Place(NamedTuple):
    """Where losses are from.

    Attributes:
        iter, epoch, batch_idx (int): As the hooks of that iteration saw them.
        batch (dict): Its data samples.
    """

    iter: int
    epoch: int
    batch_idx: int
    batch: Dict[str, Any]


@HOOKS.register_module()
class LateRuntimeInfoHook(RuntimeInfoHook):
    """``RuntimeInfoHook`` that reads losses one iteration late where they are on a GPU.

    They are read at once where the logger is due, at the end of an epoch, and before
    ``SafeCheckpointHook`` writes, so logs and checkpoints are those of MMEngine's hook. With
    another ``CheckpointHook`` every iteration is read at once.

    Args:
        late (bool, optional): Whether to. Defaults to None: on a GPU.

    Attributes:
        arrived (list[Arrived]): What was read in this iteration; ``NonFiniteLossHook`` looks at it.
    """

    def __init__(self, late: Optional[bool] = None):
        self.late = late
        self.arrived: List[Arrived] = []
        self._queue = Deferred()
        self._active = False

    def before_train(self, runner) -> None:
        """Look at device and hooks."""
        super().before_train(runner)
        self._queue, self.arrived = Deferred(), []
        on_gpu = next(runner.model.parameters()).is_cuda
        safe = all(isinstance(hook, SafeCheckpointHook) for hook in runner.hooks
                   if isinstance(hook, CheckpointHook))
        self._active = safe and (on_gpu if self.late is None else self.late)
        self._loggers = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]

    @property
    def active(self) -> bool:
        """Whether losses are read late in this run."""
        return self._active

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Queue the losses of this iteration, read those of the one before."""
        if not self._active:
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
            return
        numbers = {}
        for name, value in (outputs or {}).items():
            if isinstance(value, (int, float)) or isinstance(value, Tensor) and value.numel() == 1:
                numbers[name] = value
            else:
                runner.message_hub.update_info(f'train/{name}', value)
        samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
        self._queue.send({**numbers, NOT_FINITE: self._not_finite(numbers)}, Place(
            runner.iter, runner.epoch, batch_idx, dict(data_samples=samples)))
        now = (self.end_of_epoch(runner.train_dataloader, batch_idx)
               or any(self.every_n_inner_iters(batch_idx, hook.interval)
                      for hook in self._loggers))
        self._read(runner, leave=0 if now else 1)

    @staticmethod
    def _not_finite(numbers: dict) -> Tensor:
        """1 or 0 on the device of the losses, the same for all processes; nobody waits for it."""
        losses = [torch.as_tensor(value).detach().reshape(()) for name, value in numbers.items()
                  if 'loss' in name]
        if not losses:
            return torch.zeros(())
        device = next((loss.device for loss in losses if loss.is_cuda), losses[0].device)
        flag = 1 - torch.stack([loss.to(device, torch.float32) for loss in losses]
                               ).isfinite().all().float()
        if get_world_size() > 1:
            all_reduce(flag, op='max')
        return flag

    def _read(self, runner, leave: int) -> None:
        self.arrived = self._queue.receive(leave)
        for values, _ in self.arrived:
            for name, value in values.items():
                if name != NOT_FINITE:
                    runner.message_hub.update_scalar(f'train/{name}', value)

    def before_write(self, runner) -> None:
        """What a checkpoint holds of the log is complete."""
        if self._active:
            self._read(runner, leave=0)
