# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Draws depend on where they are drawn: on (seed, epoch, index) and on (seed, iteration)."""

import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from torch.utils.data import Dataset, IterableDataset

from fmae_iat_plugin.engine import is_repeatable
from fmae_iat_plugin.engine.repeatable import SeededReader, seed_here


def draws():
    return [random.random(), np.random.rand(), torch.rand(()).item()]


class Drawing(Dataset):
    """Samples that are what the three generators draw."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([float(index), *draws()]))


class Together(Drawing):

    def __getitems__(self, indices):
        return [self[index] for index in indices]


class Seen(Hook):
    """What the model is given, and what it would draw."""

    def __init__(self):
        self.inputs, self.drawn = {}, {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for row in data_batch['inputs']:
            self.inputs[runner.epoch, int(row[0])] = row[1:].tolist()
        self.drawn[runner.iter] = draws()


@pytest.fixture
def seen(make_runner):
    def run(workers=0, seed=0, enabled=True, dataset=None):
        hook = Seen()
        loader = dict(dataset=dataset or Drawing(), batch_size=2, num_workers=workers,
                      persistent_workers=workers > 0, sampler=dict(type='DefaultSampler',
                                                                   shuffle=True))
        runner = make_runner(train_dataloader=loader, max_epochs=2, hooks=[hook],
                             randomness=dict(seed=seed),
                             default_hooks=dict(repeatable=dict(type='RepeatableHook',
                                                                enabled=enabled)))
        runner.train()
        assert '__getitems__' not in vars(runner.train_dataloader.dataset)
        return hook

    return run


@pytest.mark.slow
def test_draws_are_a_function_of_their_place(seen):
    first = seen()
    assert len(first.inputs) == 12 and len(first.drawn) == 6
    values = [value for part in (first.inputs, first.drawn) for row in part.values()
              for value in row]
    assert len({round(value, 6) for value in values}) == len(values)  # none is drawn twice
    for workers in (0, 2):
        again = seen(workers)
        assert again.inputs == first.inputs and again.drawn == first.drawn
    for (epoch, index), row in first.inputs.items():  # the rule, written out once more
        words = np.random.SeedSequence((0, 0, epoch, index)).generate_state(4)
        expected = [random.Random(words.tobytes()).random(),
                    np.random.RandomState(words).rand(),
                    torch.rand((), generator=torch.Generator().manual_seed(
                        int(words[0]) * 2**32 + int(words[1]))).item()]
        assert row == pytest.approx(expected, rel=1e-6)
    other = seen(seed=1)
    assert not set(map(tuple, other.inputs.values())) & set(map(tuple, first.inputs.values()))
    assert seen(workers=1, enabled=False).inputs != seen(workers=2, enabled=False).inputs


def test_data_sets_that_read_batches_together():
    read = SeededReader(Together(), 5)
    one, other = read([3, 1]), read([3, 1])
    assert all(torch.equal(a['inputs'], b['inputs']) for a, b in zip(one, other))
    read.epoch.fill_(1)
    assert not torch.equal(read([3, 1])[0]['inputs'], one[0]['inputs'])


def test_data_sets_without_an_index_are_left_alone(make_runner):
    class Stream(IterableDataset):

        def __iter__(self):
            return iter([dict(inputs=torch.ones(4))] * 4)

        def __len__(self):
            return 4

    runner = make_runner(dataset=Stream(), train_dataloader=torch.utils.data.DataLoader(
        Stream(), batch_size=2, collate_fn=lambda rows: dict(inputs=[r['inputs'] for r in rows])),
        max_epochs=1, default_hooks=dict(repeatable=dict(type='RepeatableHook')))
    runner.train()
    assert runner.iter == 2


def test_keys_of_seeds():
    found = set()
    for key in ((0, 0), (0, 1), (1, 0), (2**40, 3), (3, 2**40)):
        seed_here(*key)
        found.add(tuple(draws()))
        again = draws()
        seed_here(*key)
        assert tuple(draws()) in found and draws() == again
    assert len(found) == 5


def test_which_configs_are_repeatable(repo):
    for name, expected in (('configs/fmae/fmae_vit-large_face9m.py', True),
                           ('configs/iat/bp4d_fold1.py', True),
                           ('configs/custom/own_table.py', True),
                           ('configs/synthfacs/quickstart_iat.py', False),
                           ('configs/synthfacs/quickstart_pretrain.py', False),
                           ('configs/real_faces/iat.py', False),
                           ('configs/rtatl/rtatl_ck48.py', False)):
        assert is_repeatable(Config.fromfile(repo / name)) is expected, name
    assert is_repeatable(Config(dict(custom_hooks=[dict(type='RepeatableHook')])))
    assert not is_repeatable(Config(dict(default_hooks=None)))
