# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Stops a training whose loss is NaN or infinite before it can overwrite a good checkpoint."""

import math
from typing import NoReturn, Optional

import torch
from mmengine.dist import all_gather_object, all_reduce, get_rank, get_world_size
from mmengine.hooks import CheckpointHook, Hook, RuntimeInfoHook
from mmpretrain.registry import HOOKS

from .late_losses import NOT_FINITE, LateRuntimeInfoHook, Place


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Raises at the first iteration whose loss is not finite, on every process alike.

    With :class:`~.late_losses.LateRuntimeInfoHook` on a GPU the check waits for nothing and comes
    one iteration late; before a checkpoint is written, and at the end of an epoch, it is not late.
    Else the check reads the number that MMEngine's ``RuntimeInfoHook`` has copied to the host, and
    several processes exchange one flag per iteration, so that all stop together instead of waiting
    for the one that stopped. The check must run in every iteration: ``CheckpointHook`` removes the
    old file before it writes, so weights must be known to be good before it runs. A step that a
    ``GradScaler`` skips because of infinite *gradients* has a finite loss and is not an error.

    Enable it with ``custom_hooks = [dict(type='NonFiniteLossHook')]``.

    Args:
        max_paths (int): Largest number of image paths that the error names. Default 16.
    """

    priority = 'ABOVE_NORMAL'  # after RuntimeInfoHook (VERY_HIGH), before EMA and CheckpointHook

    def __init__(self, max_paths: int = 16):
        self.max_paths = max_paths
        self._logged = False
        self._late: Optional[LateRuntimeInfoHook] = None

    def before_train(self, runner) -> None:
        """Looks up which other hooks run first.

        Raises:
            ValueError: If ``CheckpointHook`` would run before this hook.
        """
        mine = next(i for i, hook in enumerate(runner.hooks) if hook is self)
        if any(isinstance(hook, CheckpointHook) for hook in runner.hooks[:mine]):
            raise ValueError(f'NonFiniteLossHook with priority={self.priority} would run after '
                             'CheckpointHook and save NaN weights: remove its priority')
        before = [hook for hook in runner.hooks[:mine] if isinstance(hook, RuntimeInfoHook)]
        self._logged = bool(before)
        self._late = next((hook for hook in before
                           if isinstance(hook, LateRuntimeInfoHook) and hook.active), None)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Checks the losses of one iteration.

        Args:
            runner: The runner.
            batch_idx: Index of the batch in its epoch.
            data_batch: The batch as collated; ``img_path`` of its data samples is reported.
            outputs: Scalars by name; those with ``loss`` in their name are checked.

        Raises:
            FloatingPointError: If one of them is NaN or infinite, in any process.
        """
        if self._late is not None:
            self._check_arrived(runner)
            return
        losses = {name: self._value(runner, name, value)
                  for name, value in (outputs or {}).items() if 'loss' in name}
        bad = not all(map(math.isfinite, losses.values()))
        if get_world_size() > 1:
            flag = torch.tensor(float(bad))
            all_reduce(flag, op='max')
            if not flag:
                return
        elif not bad:
            return
        self._stop(runner, Place(runner.iter, runner.epoch, batch_idx, data_batch), losses, bad)

    def before_write(self, runner) -> None:
        """A checkpoint is about to be written: no weights after a bad loss.

        Raises:
            FloatingPointError: As above.
        """
        if self._late is not None:
            self._check_arrived(runner)

    def _check_arrived(self, runner) -> None:
        """Looks at what the other hook has just read; all processes see the same flag."""
        for values, place in self._late.arrived:
            if values[NOT_FINITE]:
                losses = {name: value for name, value in values.items()
                          if 'loss' in name and name != NOT_FINITE}
                self._stop(runner, place, losses, not all(map(math.isfinite, losses.values())))

    def _stop(self, runner, place: Place, losses: dict, bad: bool) -> NoReturn:
        """Raises, with the reports of the processes whose loss is bad."""
        report = self._report(losses, place.batch) if bad else None
        if get_world_size() > 1:
            report = '\n'.join(filter(None, all_gather_object(report)))
        message = (
            f'loss is not finite at iteration {place.iter} (epoch {place.epoch}, batch '
            f'{place.batch_idx} of it; all counted from 0)\n{report}\n'
            'The checkpoints written before are intact. Resume from the last one with bf16 '
            "(AmpOptimWrapper, dtype='bfloat16'), a lower learning rate, or a smaller loss_scale "
            'under fp16; if it stops at the same batch again, look at these images and labels.')
        runner.logger.error(message)
        raise FloatingPointError(message)

    def _value(self, runner, name: str, value) -> float:
        """Returns a loss as a number, from the log's copy if there is one."""
        if self._logged:
            return runner.message_hub.get_scalar(f'train/{name}').current()
        return float(value)

    def _report(self, losses: dict[str, float], data_batch) -> str:
        """Describes this process' losses and batch."""
        values = ', '.join(f'{name} = {value}' for name, value in losses.items())
        paths = self._image_paths(data_batch)
        more = len(paths) - self.max_paths
        shown = ', '.join(map(str, paths[:self.max_paths])) or 'not available'
        return (f'rank {get_rank()}: {values}; images: {shown}'
                + (f' and {more} more' if more > 0 else ''))

    @staticmethod
    def _image_paths(data_batch) -> list[str]:
        """Returns the ``img_path`` of those data samples of the batch that have one."""
        samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
        paths = (getattr(sample, 'img_path', None) for sample in samples or ())
        return [path for path in paths if path is not None]
