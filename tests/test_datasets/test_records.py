# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A sequence over files and shards against the list that it stands for."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from fmae_iat_plugin.datasets.records import Records, list_files
from fmae_iat_plugin.datasets.shards import open_shards


@pytest.fixture
def found(tmp_path):
    """Two shards asked for in turn, a list of files between them, and the paths expected."""
    for shard in 'ab':
        with tarfile.open(tmp_path / f'{shard}.tar', 'w') as tar:
            for number in range(4):
                info = tarfile.TarInfo(f'{number}.jpg')
                info.size = number
                tar.addfile(info, io.BytesIO(b'x' * number))
    shards = open_shards([f'{tmp_path}/{shard}.tar' for shard in 'ab'])
    names = ['z/ü.jpg', '/elsewhere/y.jpg']
    files = list_files(str(tmp_path / 'f'), names)
    a, b = shards.values()
    expected = {'a': [f'{tmp_path}/a.tar/{n}.jpg' for n in range(4)],
                'b': [f'{tmp_path}/b.tar/{n}.jpg' for n in range(4)],
                'f': [os.path.join(tmp_path, 'f', name) for name in names]}
    return dict(a=a, b=b, f=files), expected


@pytest.mark.parametrize('order', ['abf', 'bfa', 'fab', 'ba', 'aab', 'f'])
def test_it_is_the_list(found, order):
    spans, expected = found
    records = Records(spans[key] for key in order)
    wanted = [path for key in order for path in expected[key]]
    for same in (records, pickle.loads(pickle.dumps(records))):
        assert [record.path for record in same] == wanted and len(same) == len(wanted)
        assert [same[-1 - i].path for i in range(len(wanted))] == wanted[::-1]
    for wrong in (len(wanted), -len(wanted) - 1):
        with pytest.raises(IndexError, match=f'image {wrong} of'):
            records[wrong]


def test_subsets_of_subsets(found):
    spans, expected = found
    records = Records(spans[key] for key in 'afb')
    wanted = np.array([path for key in 'afb' for path in expected[key]])
    rows = np.random.default_rng(0).permutation(10)[:7]
    once, twice = records.subset(rows), records.subset(rows.tolist()).subset([3, -1, 0])
    assert [record.path for record in once] == wanted[rows].tolist()
    assert [record.path for record in pickle.loads(pickle.dumps(twice))] == \
        wanted[rows][[3, -1, 0]].tolist()
    assert [r.path for r in records.subset(3)] == wanted[:3].tolist()
    assert [r.path for r in records.subset(-3)] == wanted[-3:].tolist()
    with pytest.raises(IndexError, match='image 7 of 7'):
        once.subset([7])


def test_a_rule_sees_the_name_below_the_source(found, tmp_path):
    spans, expected = found
    seen = []
    records = Records(spans[key] for key in 'af').without(
        lambda inner, full: seen.append((inner, full)) or inner == 'a.tar/2.jpg')
    assert seen[2] == ('a.tar/2.jpg', f'{tmp_path}/a.tar/2.jpg')
    assert seen[4] == ('z/ü.jpg', f'{tmp_path}/f/z/ü.jpg')
    assert [r.path for r in records] == expected['a'][:2] + expected['a'][3:] + expected['f']
