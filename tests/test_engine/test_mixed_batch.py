# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Batches of labelled and unlabelled faces, counted."""

from collections import Counter

import numpy as np
import pytest
from mmengine.dataset import DefaultSampler

import fmae_iat_plugin.engine.mixed_batch as mixed_batch
from fmae_iat_plugin.datasets import ActionUnitDataset, UnlabelledFaces
from fmae_iat_plugin.engine import MixedBatchSampler
from fmae_iat_plugin.engine.mixed_batch import labelled_rows

#: 12 labelled, one of them in part, and 9 unlabelled rows
ROWS = [f'{row}.png,P,{"" if row % 7 > 3 else row % 2},{1 if row % 7 < 4 and row else ""}'
        for row in range(21)]


@pytest.fixture
def data(face_table):
    return ActionUnitDataset('annotation.csv', data_root=str(face_table(ROWS)), split='all')


def sampler(data, batch_size=4, labelled=3, epoch=0, seed=5):
    inner = DefaultSampler(data, shuffle=True, seed=seed)
    inner.set_epoch(epoch)
    return MixedBatchSampler(inner, batch_size, labelled)


def test_which_rows_are_labelled(data, tmp_path):
    wanted = [row % 7 < 4 for row in range(21)]
    assert labelled_rows(data).tolist() == wanted and sum(wanted) == 12
    from mmpretrain.registry import DATASETS
    both = DATASETS.build(dict(type='ConcatDataset', ignore_keys=['classes', 'aus', 'subjects'],
                               datasets=[data, UnlabelledFaces(str(tmp_path), aus=(1, 2))]))
    assert labelled_rows(both).tolist() == wanted + [False] * 21


def test_every_batch_has_its_share_and_every_labelled_face_comes_once(data):
    known = labelled_rows(data)
    batches = list(sampler(data))
    assert len(batches) == len(sampler(data)) == 4
    for batch in batches:
        assert len(batch) == 4 and known[batch].sum() == 3
    rows = np.concatenate(batches)
    assert sorted(rows[known[rows]]) == np.flatnonzero(known).tolist()


def test_unlabelled_faces_go_round(data):
    """Over 9 epochs of 4 batches with one each, every one of the 9 comes 4 times."""
    known = labelled_rows(data)
    rows = [row for epoch in range(9) for batch in sampler(data, epoch=epoch) for row in batch]
    counts = Counter(row for row in rows if not known[row])
    assert set(counts) == set(np.flatnonzero(~known)) and set(counts.values()) == {4}


def test_the_order_is_that_of_seed_and_epoch(data):
    assert list(sampler(data, epoch=3)) == list(sampler(data, epoch=3))
    assert list(sampler(data, epoch=3)) != list(sampler(data, epoch=4))
    assert list(sampler(data, epoch=3)) != list(sampler(data, epoch=3, seed=6))


def test_two_processes_share_the_batches_of_one(data, monkeypatch):
    one = list(sampler(data))
    monkeypatch.setattr(mixed_batch, 'get_world_size', lambda: 2)
    parts = []
    for rank in (0, 1):
        monkeypatch.setattr(mixed_batch, 'get_rank', lambda rank=rank: rank)
        parts.append(list(sampler(data)))
    for whole, first, second in zip(one, *parts, strict=True):
        assert sorted(whole) == sorted(first + second) and len(first) == len(second) == 2


@pytest.mark.parametrize('batch_size, labelled, words', [
    (4, 5, 'labelled=5 of a batch of 4. Remedy: 1 to 4'),
    (4, 0, 'labelled=0 of a batch of 4'),
    (40, 20, '12 of 21 faces have a coded action unit, labelled=20 are wanted')])
def test_numbers_that_do_not_fit(data, batch_size, labelled, words):
    with pytest.raises(ValueError, match=words):
        sampler(data, batch_size, labelled)


def test_no_unlabelled_face_is_an_error_in_words(face_table):
    data = ActionUnitDataset('annotation.csv', split='all', data_root=str(face_table(
        [f'{row}.png,P,1,0' for row in range(8)])))
    with pytest.raises(ValueError, match='no face of the data set is unlabelled, but 1 of 4 are '
                                         'wanted in each batch. Remedy: labelled=4'):
        sampler(data)
    assert len(list(sampler(data, labelled=4))) == 2


def test_a_batch_that_processes_cannot_share(data, monkeypatch):
    monkeypatch.setattr(mixed_batch, 'get_world_size', lambda: 3)
    with pytest.raises(ValueError, match='4 cannot be divided among 3 processes'):
        sampler(data)
