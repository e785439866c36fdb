# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The order of an epoch as a function of seed and epoch, without a list of its indices.

MMEngine's ``DefaultSampler`` makes a Python list of all indices on each rank at each epoch: about
half a gigabyte for nine million. A permutation that can be asked for any one place needs none: a
Feistel network on the next power of four, walked until it comes back into the range (Black and
Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002). So the shuffle is over the whole data
set, and beginning inside an epoch costs nothing.
"""

from collections.abc import Iterator

import numpy as np
from mmengine.dataset import DefaultSampler
from mmpretrain.registry import DATA_SAMPLERS

_ROUNDS = 8
_CHUNK = 8192


class Permutation:
    """A pseudo-random permutation of ``0 ... size - 1``.

    Args:
        size: Number of elements.
        key: Non-negative integers; another key is another permutation.
    """

    def __init__(self, size: int, key: tuple):
        self.size = size
        self._half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
        self._mask = np.uint64((1 << int(self._half)) - 1)
        self._keys = np.random.SeedSequence(key).generate_state(_ROUNDS, np.uint64)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """The elements at some places.

        Args:
            places: Integers in ``[0, size)``, of any shape.

        Returns:
            np.ndarray: int64 of the same shape.
        """
        found = self._network(np.asarray(places, np.uint64))
        outside = found >= self.size
        while outside.any():  # fewer than three quarters of them, then of these, and so on
            found[outside] = self._network(found[outside])
            outside = found >= self.size
        return found.astype(np.int64)

    def _network(self, values: np.ndarray) -> np.ndarray:
        left, right = values >> self._half, values & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & self._mask)
        return left << self._half | right


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele et al., OOPSLA 2014), modulo 2^64."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xbf58476d1ce4e5b9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94d049bb133111eb)
    return values ^ values >> np.uint64(31)


@DATA_SAMPLERS.register_module()
class PermutationSampler(DefaultSampler):
    """``DefaultSampler`` for millions of samples: nothing is kept or made ahead.

    The order of an epoch depends on the seed and the epoch alone. Rank r of R takes every R-th
    place from r on, so that with :class:`~.total_batch.TotalBatchSampler` a batch of all ranks
    together holds the same samples for any R.

    Args:
        dataset, shuffle, seed, round_up: As of :class:`mmengine.dataset.DefaultSampler`.
    """

    def __iter__(self) -> Iterator[int]:
        """Yields this rank's indices."""
        count = len(self.dataset)
        order = Permutation(count, (self.seed, self.epoch)) if self.shuffle else np.asarray
        for first in range(self.rank, self.total_size, self.world_size * _CHUNK):
            last = min(self.total_size, first + self.world_size * _CHUNK)
            # places beyond the end, of round_up, begin anew
            yield from order(np.arange(first, last, self.world_size) % count).tolist()
