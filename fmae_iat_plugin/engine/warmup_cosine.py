# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Linear warm-up from zero, then half a cosine, per iteration and per layer, as in MAE.

With ``e = iteration / iterations per epoch``, warm-up ``W``, end ``E``, peak ``lr``, floor ``m``
and the parameter group's layer scale ``s`` (MAE, He et al., 2022, arXiv 2111.06377, appendix A;
the floor is scaled like everything else, as in the published MAE implementation)::

    lr(e) = s * lr * e / W                                              e < W
    lr(e) = s * (m + (lr - m) * (1 + cos(pi * (e - W) / (E - W))) / 2)  e >= W

MMEngine's schedulers cannot be combined into this curve: ``LinearLR`` does not start at 0, and
``CosineAnnealingLR(eta_min=...)`` has one absolute floor for all groups. Under layer-wise decay the
lowest layers, whose peak lies below that floor, would *rise* to it.
"""

import math

from mmengine.logging import MMLogger
from mmengine.optim import _ParamScheduler
from mmpretrain.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(_ParamScheduler):
    """The curve above in closed form: the value depends on the iteration alone.

    In a config (the end is the epoch-based loop's ``max_epochs``; MMEngine hands the iterations
    per epoch only to schedulers that set ``convert_to_iter_based=True``)::

        param_scheduler = dict(type='WarmupCosineLR', warmup_epochs=2, convert_to_iter_based=True)

    Under gradient accumulation, the rate keeps the value of the window's first iteration, as in
    MAE: a run that accumulates follows the curve of one that does not.

    Args:
        optimizer: The optimizer (wrapper). A group's ``lr`` is its peak with ``lr_scale`` already
            in it, as ``LayerDecayOptimWrapperConstructor`` writes it; a group without
            ``lr_scale`` has scale 1.
        warmup_epochs (float): Length of the warm-up ``W``, 0 for none.
        end (float): Last epoch ``E``; filled in by the runner with ``max_epochs``.
        epoch_length (int): Iterations per epoch; filled in by the runner.
        eta_min (float): Floor ``m`` at scale 1. Default 1e-6; MAE's pretraining has 0.
        verbose (bool): Log every value.

    Raises:
        ValueError: For a warm-up that does not end before ``end``, a missing ``epoch_length``, a
            negative floor, or (on resuming) another number of iterations per epoch.
    """

    def __init__(self,
                 optimizer,
                 warmup_epochs: float,
                 end: float | None = None,
                 epoch_length: int | None = None,
                 eta_min: float = 1e-6,
                 verbose: bool = False):
        if not epoch_length:
            raise ValueError(f'WarmupCosineLR got epoch_length={epoch_length}: add '
                             'convert_to_iter_based=True to its config, so that the runner '
                             'passes the iterations per epoch')
        if end is None or not 0 <= warmup_epochs < end:
            raise ValueError(
                f'WarmupCosineLR needs 0 <= warmup_epochs < end, got warmup_epochs={warmup_epochs}'
                f', end={end} (epochs). The runner takes end from train_cfg.max_epochs; an '
                'iteration-based loop counts as one epoch, so set end or use an epoch-based loop')
        if eta_min < 0:
            raise ValueError(f'WarmupCosineLR: eta_min={eta_min} must not be negative')
        self.warmup_epochs, self.end_epoch = warmup_epochs, end
        self.epoch_length, self.eta_min = epoch_length, eta_min
        super().__init__(optimizer, 'lr', by_epoch=False, verbose=verbose)

    @classmethod
    def build_iter_from_epoch(cls, *args, by_epoch: bool = True, **kwargs) -> 'WarmupCosineLR':
        """Called by MMEngine for ``convert_to_iter_based=True``; epochs stay the unit."""
        return cls(*args, **kwargs)

    def _get_value(self) -> list[float]:
        """Returns the learning rate of each parameter group at iteration ``last_step``."""
        # An OptimWrapper accumulates over this many iterations and updates at the last of them.
        window = getattr(self.optimizer, '_accumulative_counts', 1)
        epoch = (self.last_step - self.last_step % window) / self.epoch_length
        if epoch < self.warmup_epochs:
            return [peak * epoch / self.warmup_epochs for peak in self.base_values]
        progress = (epoch - self.warmup_epochs) / (self.end_epoch - self.warmup_epochs)
        cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
        values = []
        for peak, group in zip(self.base_values, self.optimizer.param_groups):
            floor = self.eta_min * group.get('lr_scale', 1.0)
            values.append(floor + (peak - floor) * cosine)
        return values

    def _definition(self) -> dict:
        """Returns what, besides the iteration, decides the curve."""
        return {'warmup_epochs': self.warmup_epochs, 'end': self.end_epoch,
                'eta_min': self.eta_min, 'epoch_length': self.epoch_length,
                'peaks': list(self.base_values)}

    def state_dict(self) -> dict:
        """Returns the iteration, and the curve's definition to compare on resuming."""
        return {'iteration': self.last_step, 'definition': self._definition()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Goes to the saved iteration of the curve *of this config* and sets the rates.

        A changed length, warm-up or peak is logged as a warning and takes effect (the loop, too,
        follows the config); a changed number of iterations per epoch is refused, because the
        saved iteration would stand for another epoch.
        """
        saved, current = state_dict['definition'], self._definition()
        if saved['epoch_length'] != current['epoch_length']:
            raise ValueError(
                f'the checkpoint was trained with {saved["epoch_length"]} iterations per epoch, '
                f'this config has {current["epoch_length"]}: resume with the same data and total '
                'batch size, or start a new run from it with load_from')
        changed = {key: f'{saved[key]} -> {current[key]}' for key in current
                   if saved[key] != current[key]}
        if changed:
            MMLogger.get_current_instance().warning(
                f'WarmupCosineLR resumes with another curve (checkpoint -> config): {changed}')
        self.last_step = self._global_step = state_dict['iteration']
        for group, value in zip(self.optimizer.param_groups, self._get_value()):
            group['lr'] = value
        self._last_value = [group['lr'] for group in self.optimizer.param_groups]
