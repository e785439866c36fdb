# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Batches of labelled and unlabelled faces in a fixed proportion.

MMEngine's and MMPretrain's samplers know one kind of sample; with few labels most of their batches
would hold none. Here an epoch is one pass over the labelled faces, and each batch is filled up
with unlabelled ones, which go round in an order of their own.
"""

from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.dist import get_rank, get_world_size
from mmpretrain.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler


def labelled_rows(dataset) -> np.ndarray:
    """Which samples have a coded AU, bool ``[N]``; reads no image.

    Args:
        dataset: A data set of MMEngine, or a ``ConcatDataset`` of them. A sample without
            ``gt_score``, or with NaN alone, is unlabelled; a data set with the attribute
            ``unlabelled`` is not asked about each.
    """
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([labelled_rows(part) for part in dataset.datasets])
    dataset.full_init()
    if getattr(dataset, 'unlabelled', False):  # by its class
        return np.zeros(len(dataset), dtype=bool)
    # a subclass's own get_data_info may render the image
    scores = (BaseDataset.get_data_info(dataset, row).get('gt_score')
              for row in range(len(dataset)))
    return np.array([score is not None and not np.isnan(score).all() for score in scores])


@DATA_SAMPLERS.register_module()
class MixedBatchSampler(BatchSampler):
    """Batches with so many labelled faces, and unlabelled ones for the rest.

    In a config; MMEngine passes ``sampler`` and ``batch_size`` on::

        train_dataloader = dict(
            batch_size=64,  # in total, over all processes
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='MixedBatchSampler', labelled=32))

    The order is a function of the sampler's seed and the epoch, so it is the same after a resume
    and on any number of processes; each takes every so manieth face of a batch. The last batch of
    labelled faces is left out if it is incomplete.

    Args:
        sampler: MMEngine's ``DefaultSampler``: its ``dataset``, ``seed`` and ``epoch`` are used.
        batch_size (int): Total batch size.
        labelled (int): Of which labelled.

    Attributes:
        batch_size (int): Samples per iteration in this process.

    Raises:
        ValueError: If the numbers do not fit each other, the processes or the data set.
    """

    def __init__(self, sampler: Sampler, batch_size: int, labelled: int):
        self.world_size, self.rank = get_world_size(), get_rank()
        if batch_size < 1 or batch_size % self.world_size:
            raise ValueError(f'total batch size {batch_size} cannot be divided among '
                             f'{self.world_size} processes: choose a multiple of them')
        if not 0 < labelled <= batch_size:
            raise ValueError(f'labelled={labelled} of a batch of {batch_size}. Remedy: 1 to '
                             f'{batch_size}.')
        super().__init__(sampler, batch_size // self.world_size, drop_last=True)
        known = torch.from_numpy(labelled_rows(sampler.dataset))
        self.labelled_rows, self.other_rows = (known.nonzero()[:, 0], (~known).nonzero()[:, 0])
        self.labelled, self.others = labelled, batch_size - labelled
        if len(self.labelled_rows) < labelled:
            raise ValueError(f'{len(self.labelled_rows)} of {len(known)} faces have a coded action '
                             f'unit, labelled={labelled} are wanted in each batch. Remedy: lower '
                             '`labelled`, or add labelled faces.')
        if self.others and not len(self.other_rows):
            raise ValueError(f'no face of the data set is unlabelled, but {self.others} of '
                             f'{batch_size} are wanted in each batch. Remedy: labelled='
                             f'{batch_size}, or rows whose AU cells are all empty, or '
                             'UnlabelledFaces.')

    def __len__(self) -> int:
        """Returns the iterations per epoch, the same on every process."""
        return len(self.labelled_rows) // self.labelled

    def _shuffled(self, rows: torch.Tensor, *key: int) -> torch.Tensor:
        seed = np.random.SeedSequence([self.sampler.seed, *key]).generate_state(1)[0]
        generator = torch.Generator().manual_seed(int(seed))
        return rows[torch.randperm(len(rows), generator=generator)]

    def __iter__(self) -> Iterator[list[int]]:
        """Yields lists of ``batch_size`` indices."""
        epoch, size = self.sampler.epoch, len(self.other_rows)
        order = self._shuffled(self.labelled_rows, 0, epoch)
        place, lap, others = epoch * len(self) * self.others, -1, self.other_rows
        for step in range(len(self)):
            batch = order[step * self.labelled:(step + 1) * self.labelled].tolist()
            for _ in range(self.others):
                if place // size != lap:
                    lap = place // size
                    others = self._shuffled(self.other_rows, 1, lap)
                batch.append(int(others[place % size]))
                place += 1
            yield batch[self.rank::self.world_size]
