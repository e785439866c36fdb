# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What four processes draw against what one draws, step by step."""

import mmengine.dataset.sampler
import pytest
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import SequentialSampler

from fmae_iat_plugin.engine import TotalBatchSampler, total_batch


@pytest.fixture
def world(monkeypatch):
    """Returns ``batches(world, n, ...)``: per rank, the list of its batches of one epoch."""

    def batches(world_size, n, total=64, round_up=True, epoch=0, **kwargs):
        ranks = []
        for rank in range(world_size):
            monkeypatch.setattr(mmengine.dataset.sampler, 'get_dist_info',
                                lambda rank=rank: (rank, world_size))
            monkeypatch.setattr(total_batch, 'get_world_size', lambda: world_size)
            sampler = DefaultSampler(range(n), shuffle=True, seed=3, round_up=round_up)
            sampler.set_epoch(epoch)
            batch_sampler = TotalBatchSampler(sampler, total, **kwargs)
            ranks.append(list(batch_sampler))
            assert len(ranks[-1]) == len(batch_sampler)
        return ranks

    return batches


@pytest.mark.parametrize('round_up', [True, False])
@pytest.mark.parametrize('n', [64, 127, 128, 129, 131, 189, 190, 191, 192, 253])
def test_four_processes_train_on_the_batches_of_one(world, n, round_up):
    """n = 189..191 are the sizes where per-rank drop_last would differ or hang."""
    for epoch in (0, 1):
        (alone, ) = world(1, n, round_up=round_up, epoch=epoch)
        ranks = world(4, n, round_up=round_up, epoch=epoch)
        assert [len(rank) for rank in ranks] == [n // 64] * 4 == [len(alone)] * 4
        for step, batch in enumerate(alone):
            parts = [rank[step] for rank in ranks]
            assert [len(part) for part in parts] == [16] * 4
            assert sorted(sum(parts, [])) == sorted(batch)


def test_accumulated_iterations_add_up_to_the_total_batch(world):
    (alone, ) = world(1, 150)
    ranks = world(4, 150, accumulative_counts=2)
    assert [len(rank) for rank in ranks] == [4] * 4
    for update, batch in enumerate(alone):
        drawn = [index for rank in ranks for part in rank[2 * update:2 * update + 2]
                 for index in part]
        assert sorted(drawn) == sorted(batch)


def test_drop_last_false_sees_every_sample(world):
    ranks = world(4, 131, drop_last=False)
    assert {len(rank) for rank in ranks} == {3}
    assert {index for rank in ranks for part in rank for index in part} == set(range(131))


def test_other_sampler_counts_per_process(monkeypatch):
    monkeypatch.setattr(total_batch, 'get_world_size', lambda: 2)
    assert list(TotalBatchSampler(SequentialSampler(range(7)), 6)) == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(('kwargs', 'words'), [
    ({'total': 66}, 'total batch size 66 cannot be divided among 4 processes x 1'),
    ({'accumulative_counts': 3}, '64 .* 4 processes x 3 .* multiple of 12'),
    ({'n': 63}, '63 samples do not fill a batch of 64'),
    ({'round_up': False, 'drop_last': False, 'n': 65}, '65 samples on 4 .*round_up=True'),
    ({'accumulative_counts': 2, 'drop_last': False}, 'set drop_last=True'),
])
def test_impossible_settings_are_named(world, kwargs, words):
    with pytest.raises(ValueError, match=words):
        world(4, **{'n': 128, **kwargs})


def test_through_the_runners_dataloader(monkeypatch, make_runner):
    monkeypatch.setattr(total_batch, 'get_world_size', lambda: 2)
    monkeypatch.setattr(mmengine.dataset.sampler, 'get_dist_info', lambda: (1, 2))
    loader = Runner.build_dataloader({
        'dataset': make_runner.rows(11), 'batch_size': 4,
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'batch_sampler': {'type': 'mmpretrain.TotalBatchSampler', 'drop_last': True}}, seed=0)
    names = [[sample.img_path for sample in batch['data_samples']] for batch in loader]
    assert names == [['faces/1.jpg', 'faces/3.jpg'], ['faces/5.jpg', 'faces/7.jpg']]


def test_training_reshuffles_every_epoch(make_runner):
    runner = make_runner(max_epochs=2, train_dataloader={
        'dataset': make_runner.rows(), 'batch_size': 4,
        'sampler': {'type': 'DefaultSampler', 'shuffle': True},
        'batch_sampler': {'type': 'TotalBatchSampler'}})
    orders = []
    runner.register_hook(_OrderRecorder(orders))
    runner.train()
    assert len(orders) == 6
    assert orders[:3] != orders[3:]
    assert sorted(sum(orders[3:], [])) == sorted(f'faces/{i}.jpg' for i in range(12))


class _OrderRecorder(Hook):

    def __init__(self, orders):
        self.orders = orders

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.orders.append([sample.img_path for sample in data_batch['data_samples']])
