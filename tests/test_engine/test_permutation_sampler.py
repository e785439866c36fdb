# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The order of an epoch: a permutation, as random as one, and the same for any number of ranks."""

from collections import Counter
from unittest.mock import patch

import numpy as np
import pytest
from scipy.stats import chi2

from fmae_iat_plugin.engine import permutation_sampler as module
from fmae_iat_plugin.engine import total_batch
from fmae_iat_plugin.engine.permutation_sampler import Permutation, PermutationSampler


def p_value(counts, expected):
    return chi2.sf((((counts - expected) ** 2) / expected).sum(), len(counts) - 1)


@pytest.mark.parametrize('size', [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4097, 100_003])
def test_every_element_comes_once(size):
    for key in ((0, 0), (0, 1), (2**31, 7)):
        assert np.array_equal(np.sort(Permutation(size, key)(np.arange(size))), np.arange(size))


def test_small_permutations_are_equally_frequent():
    """All 24 orders of 4 elements over 1200 keys, and the 6 of 3."""
    for size, number in ((4, 24), (3, 6)):
        seen = Counter(tuple(Permutation(size, (key, ))(np.arange(size)).tolist())
                       for key in range(1200))
        assert len(seen) == number
        assert 1e-3 < p_value(np.array(list(seen.values())), 1200 / number)


def test_neighbours_are_independent():
    """Elements at neighbouring places of a large order, in 16 x 16 cells; and the same place of
    two epochs."""
    size, places = 9_000_001, np.arange(400_000)
    first, second = (Permutation(size, (0, epoch))(places) for epoch in (0, 1))
    spread = places * size // len(places)
    for one, other in ((first[:-1], first[1:]), (first, second), (spread, first)):
        cells = one * 16 // size * 16 + other * 16 // size
        counts = np.bincount(cells, minlength=256)
        assert 1e-3 < p_value(counts, len(one) / 256) < 1 - 1e-3


def sampler(count, rank=0, world=1, **kwargs):
    with patch('mmengine.dataset.sampler.get_dist_info', return_value=(rank, world)):
        return PermutationSampler(range(count), **{'seed': 3, **kwargs})


def test_an_epoch_is_a_function_of_seed_and_epoch(monkeypatch):
    monkeypatch.setattr(module, '_CHUNK', 7)
    orders = {}
    for seed in (3, 4):
        for epoch in (0, 1):
            drawn = sampler(100, seed=seed)
            drawn.set_epoch(epoch)
            orders[seed, epoch] = list(drawn)
            assert list(drawn) == orders[seed, epoch] and sorted(drawn) == list(range(100))
            assert all(type(index) is int for index in drawn)
    assert len(set(map(tuple, orders.values()))) == 4
    monkeypatch.setattr(module, '_CHUNK', 1000)
    assert list(sampler(100)) == orders[3, 0]
    assert list(sampler(20, shuffle=False)) == list(range(20))


@pytest.mark.parametrize('world', [2, 3, 8])
@pytest.mark.parametrize('round_up', [True, False])
def test_ranks_share_one_order(world, round_up, monkeypatch):
    monkeypatch.setattr(module, '_CHUNK', 5)
    alone = list(sampler(101))
    parts = [sampler(101, rank, world, round_up=round_up) for rank in range(world)]
    assert [len(list(part)) for part in parts] == [len(part) for part in parts]
    together = [index for step in zip(*parts) for index in step]
    wanted = alone + alone[:len(together) - 101] if round_up else alone[:len(together)]
    assert together == wanted
    assert sorted({index for part in parts for index in part}) == list(range(101))


def test_total_batches_are_the_same_on_any_number_of_ranks():
    def batches(world):
        found = []
        with patch.object(total_batch, 'get_world_size', return_value=world):
            for rank in range(world):
                found.append(list(total_batch.TotalBatchSampler(sampler(101, rank, world), 12)))
        return [sorted(index for part in step for index in part) for step in zip(*found)]

    assert batches(1) == batches(2) == batches(4) and len(batches(1)) == 8
