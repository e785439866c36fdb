# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""One total batch size for any number of processes.

MMEngine's ``batch_size`` is per process, so a config written for 1 GPU trains with four times the
batch on 4. The recipes here state the *total* batch (FMAE-IAT: 64), on which the learning rate
depends, and this sampler divides it.
"""

import math
from collections.abc import Iterator
from itertools import islice

from mmengine.dataset import DefaultSampler
from mmengine.dist import get_world_size
from mmpretrain.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler


@DATA_SAMPLERS.register_module()
class TotalBatchSampler(BatchSampler):
    """Batches of ``batch_size / (processes * accumulative_counts)`` samples for this process.

    This is how a config uses it; MMEngine passes ``sampler`` and ``batch_size`` on::

        train_dataloader = dict(
            batch_size=64,  # in total
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='TotalBatchSampler', drop_last=True))

    With ``DefaultSampler`` and ``drop_last=True``, the batches of all processes (and, with
    accumulation, of the iterations up to one update) together hold exactly the samples that one
    process would draw for that update. All processes take the same number of steps, for any size
    of the data set and for either ``round_up``, because the incomplete last total batch, in which
    ``round_up`` would repeat samples, is never reached.

    Args:
        sampler: Yields this process' indices. ``DefaultSampler`` deals the epoch's order out to
            the processes in turn; another sampler must give every process the same number.
        batch_size (int): Total batch size of one optimizer update.
        drop_last (bool): Whether to leave out the last, incomplete total batch. Default True.
            False needs ``accumulative_counts=1``.
        accumulative_counts (int): As in ``optim_wrapper.accumulative_counts``. Default 1.

    Attributes:
        batch_size (int): Samples per iteration in this process.
        sampler: As given (MMEngine calls its ``set_epoch``).

    Raises:
        ValueError: If the total cannot be divided, the data set is smaller than one batch, or
            processes would take different numbers of steps.
    """

    def __init__(self,
                 sampler: Sampler,
                 batch_size: int,
                 drop_last: bool = True,
                 accumulative_counts: int = 1):
        world_size = get_world_size()
        parts = world_size * accumulative_counts
        if accumulative_counts < 1 or batch_size < 1 or batch_size % parts:
            raise ValueError(
                f'total batch size {batch_size} cannot be divided among {world_size} processes x '
                f'{accumulative_counts} accumulated iterations: choose a batch_size that is a '
                f'multiple of {parts}, or another number of processes')
        super().__init__(sampler, batch_size // parts, drop_last)
        self.total_batch_size = batch_size
        self.accumulative_counts = accumulative_counts
        self.world_size = world_size
        self._done = 0
        if not drop_last:
            self._check_last_batch()
        if len(self) == 0:
            raise ValueError(
                f'{self._num_samples()} samples do not fill a batch of {batch_size} with '
                f'drop_last={drop_last}: lower batch_size, or add data')

    def _num_samples(self) -> int:
        """Returns the number of different samples of one epoch, over all processes."""
        if isinstance(self.sampler, DefaultSampler):
            return len(self.sampler.dataset)
        return len(self.sampler) * self.world_size

    def _check_last_batch(self) -> None:
        """Refuses an incomplete last batch that the processes would not share equally."""
        if self.accumulative_counts > 1:
            raise ValueError('drop_last=False cannot be combined with accumulative_counts='
                             f'{self.accumulative_counts}: set drop_last=True')
        uneven = self._num_samples() % self.world_size
        if uneven and not getattr(self.sampler, 'round_up', True):
            raise ValueError(
                f'{self._num_samples()} samples on {self.world_size} processes with round_up=False'
                ' and drop_last=False: some processes would take one step less and the others '
                'would wait forever. Set drop_last=True, or round_up=True in the sampler')

    def __len__(self) -> int:
        """Returns the iterations per epoch, the same on every process."""
        if self.drop_last:
            return self._num_samples() // self.total_batch_size * self.accumulative_counts
        return math.ceil(len(self.sampler) / self.batch_size)

    def start_at(self, epoch: int, batches_done: int) -> None:
        """Have the next pass, of ``epoch``, begin behind ``batches_done`` batches, unread."""
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)
        self._done = batches_done

    def __iter__(self) -> Iterator[list[int]]:
        """Yields lists of ``batch_size`` indices."""
        done, self._done = self._done, 0
        yield from islice(super().__iter__(), done, len(self))
