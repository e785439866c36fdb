# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A run that begins inside an epoch reads the rest of it, and no more; validations are made up."""

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from torch.utils.data import Dataset


class Counted(Dataset):
    """Notes what is read."""

    def __init__(self):
        self.read = []

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.read.append(index)
        return dict(inputs=torch.full((4, ), float(index)))


class Places(Hook):

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append((runner.epoch, runner.iter, batch_idx,
                          [int(row[0]) for row in data_batch['inputs']]))


class Validations(BaseMetric):

    def __init__(self):
        super().__init__()
        self.epochs, self.runner = [], None

    def process(self, batch, samples):
        self.results.append(0)

    def compute_metrics(self, results):
        self.epochs.append(self.runner.epoch)
        return dict(score=1.)


@pytest.fixture
def run(make_runner):
    """Function (epoch, iter): a run of three epochs that begins there."""

    def call(epoch=0, done=0, sampler='TotalBatchSampler', validated=0, **cfg):
        places, metric = Places(), Validations()
        loader = dict(dataset=Counted(), batch_size=2, sampler=dict(type='DefaultSampler',
                                                               shuffle=True))
        if sampler:
            loader['batch_sampler'] = dict(type=sampler)
        runner = make_runner(
            train_dataloader=loader, hooks=[places], val_dataloader=dict(
                dataset=Counted(), batch_size=5, sampler=dict(type='DefaultSampler')),
            val_cfg=dict(), val_evaluator=Evaluator(metric),
            train_cfg=dict(type='ResumableEpochLoop', max_epochs=3, **cfg))
        metric.runner = runner
        runner.train_loop._epoch, runner.train_loop._iter = epoch, done
        runner.train_loop.validated_epoch = validated
        runner.train()
        return runner.train_dataloader.dataset.read, places.seen, metric.epochs

    return call


@pytest.mark.parametrize('epoch, done', [(0, 0), (0, 3), (1, 5), (1, 9), (2, 12)])
def test_what_was_seen_is_not_read_again(run, epoch, done):
    _, whole, _ = run()
    read, places, _ = run(epoch, done)
    assert places == whole[done:] and len(whole) == 15
    assert read == [index for *_, batch in whole[done:] for index in batch]


def test_another_sampler_reads_and_throws_away(run):
    _, whole, _ = run(sampler=None)
    read, places, _ = run(1, 7, sampler=None)
    assert places == whole[7:]
    assert len(read) == 20  # the second epoch as a whole


def test_a_missing_validation_is_made_up_for(run):
    assert run()[2] == [1, 2, 3]
    assert run(2, 10)[2] == [2, 3]
    assert run(2, 10, validated=2)[2] == [3]
    assert run(2, 12, validated=2)[2] == [3]
    assert run(3, 15)[2] == [3] and run(3, 15, validated=3)[2] == []
    assert run(1, 5, val_interval=2)[2] == [2, 3]  # none was due
    assert run(2, 10, val_begin=3)[2] == [3]


def test_another_length_of_the_epoch_begins_it_anew(run):
    _, places, _ = run(1, 3)  # three iterations made an epoch
    assert [batch for *_, batch, _ in places] == [*range(5), *range(5)]
