# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Random numbers of a training as a function of the seed and the place in it.

MMEngine seeds the generators once, at the start, so a resumed run draws other masks and crops than
one that was not stopped. Here every draw depends on where it is drawn, and not on what was drawn
before: masks and dropped paths on (seed, iteration, rank), the augmentation of a sample on (seed,
epoch, index). So a resumed run is the undisturbed one, and the number of data workers changes
nothing.
"""

import random
from typing import Any, List, Optional, Sequence

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
from torch.utils.data import Dataset, IterableDataset

_SAMPLE, _STEP = 0, 1  # so that a sample and an iteration never share their numbers


def seed_here(*key: int) -> None:
    """Seed the generators of Python, NumPy and PyTorch on the CPU by some non-negative integers."""
    words = np.random.SeedSequence(key).generate_state(4)
    random.seed(words.tobytes())
    np.random.seed(words)
    # not torch.manual_seed, which in a worker notes a call stack for a CUDA that it never uses
    torch.default_generator.manual_seed(int(words[0]) << 32 | int(words[1]))


class SeededReader:
    """Reads samples of a data set, each with the generators seeded by (seed, epoch, index).

    It stands as ``__getitems__`` of the data set, which PyTorch's workers call with the indices of
    a batch. Where the class has a ``__getitems__`` of its own, that is called, seeded by the first
    index.

    Args:
        dataset: It is not changed.
        seed: Of the training, the same on all ranks.

    Attributes:
        epoch (Tensor): ``[1]`` int64 in shared memory, so that workers which live on see it.
    """

    def __init__(self, dataset: Dataset, seed: int):
        self.dataset, self.seed = dataset, seed
        self.epoch = torch.zeros(1, dtype=torch.int64).share_memory_()

    def __call__(self, indices: Sequence[int]) -> List[Any]:
        """The samples of a batch."""
        epoch = int(self.epoch)
        together = getattr(type(self.dataset), '__getitems__', None)
        if together is not None:
            seed_here(self.seed, _SAMPLE, epoch, int(indices[0]))
            return together(self.dataset, indices)
        samples = []
        for index in indices:
            seed_here(self.seed, _SAMPLE, epoch, int(index))
            samples.append(self.dataset[index])
        return samples


@HOOKS.register_module()
class RepeatableHook(Hook):
    """Seeds each iteration and each sample, so that a training can stop and go on anywhere.

    The base configs have it as ``default_hooks.repeatable``. It needs a data set with an index.
    Random numbers of the validation are not seeded.

    Args:
        enabled (bool): False: the training draws as MMEngine does. Defaults to True.
    """

    priority = 'VERY_HIGH'  # before hooks that draw

    def __init__(self, enabled: bool = True):
        self.enabled = enabled
        self.reader: Optional[SeededReader] = None

    def before_train(self, runner) -> None:
        """Put the seeding into the data set, before its workers start."""
        if not self.enabled:
            return
        noted = runner._randomness_cfg.get('diff_rank_seed', False)
        self.seed = runner.seed - (get_rank() if noted else 0)  # MMEngine has added the rank
        dataset = runner.train_dataloader.dataset
        if isinstance(dataset, IterableDataset):
            runner.logger.warning('RepeatableHook: %s has no index, so a resumed run draws other '
                                  'random numbers for its samples.', type(dataset).__name__)
            return
        self.reader = SeededReader(dataset, self.seed)
        dataset.__getitems__ = self.reader

    def before_train_epoch(self, runner) -> None:
        """Tell the workers the epoch."""
        if self.reader is not None:
            self.reader.epoch.fill_(runner.epoch)

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Seed the iteration, also on the device."""
        if not self.enabled:
            return
        key = self.seed, _STEP, runner.iter, get_rank()
        seed_here(*key)
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(torch.default_generator.initial_seed())

    def after_train(self, runner) -> None:
        """Leave the data set as it was."""
        if self.reader is not None:
            vars(self.reader.dataset).pop('__getitems__', None)


def is_repeatable(cfg: Config) -> bool:
    """Whether a resumed run of this config is the undisturbed one."""
    hooks = list((cfg.get('default_hooks') or {}).values()) + list(cfg.get('custom_hooks') or ())
    return any(hook and hook.get('type') == 'RepeatableHook' and hook.get('enabled', True)
               for hook in hooks)
