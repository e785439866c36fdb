# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The index file, read back as it was written, byte for byte as its page describes it."""

import json
import pickle
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from fmae_iat_plugin.datasets.shard_index import (
    BrokenIndexError,
    Shard,
    ShardIndex,
    write_index_file,
)
from fmae_iat_plugin.datasets.tar_members import pack_members

FOUND = {'0.tar': [('a/é.jpg', 512, 10, 7), ('b.png', 5 * 2**32, 2**32 - 2, 2**32 - 1)],
         '1.tar': [],
         '2.tar': [('\udcff.gif', 1536, 0, 0)]}


def write(path, found=FOUND):
    write_index_file(path, [pack_members(Shard(name, 9, 'mtime:1', '', 0), entries)
                            for name, entries in found.items()], ('.jpg', ))
    return path


def test_what_was_written_is_read(tmp_path):
    index = ShardIndex(write(tmp_path / 'i'))
    assert [shard[:2] for shard in index.shards] == [('0.tar', 9), ('1.tar', 9), ('2.tar', 9)]
    assert index.first == [0, 2, 2, 3] and len(index) == 3
    rows = [(number, *entry) for number, name in enumerate(FOUND) for entry in FOUND[name]]
    for row, (number, name, offset, size, crc32) in enumerate(rows):
        assert index.record(row) == (offset, size, number)
        assert index.name(row) == name and index.crc32(row) == crc32
    assert list(index.names(0, 3)) == [row[1] for row in rows]
    assert list(index.names(1, 2)) == [row[1] for row in rows[1:]]
    for number, entries in enumerate(FOUND.values()):
        members = index.members(number)
        again = pack_members(members.shard, entries)
        assert members.same_layout(again) and np.array_equal(members.crc32, again.crc32)


def test_the_layout_is_the_described_one(tmp_path):
    """Without the reader, by struct alone."""
    data = write(tmp_path / 'i').read_bytes()
    length, = struct.unpack_from('<8xQ', data)
    header = json.loads(data[16:16 + length])
    assert data[:8] == b'FACEIDX1' and header['records'] == 3
    place = 16 + length
    assert struct.unpack_from('<QII', data, place + 16) == (5 * 2**32, 2**32 - 2, 0)
    assert struct.unpack_from('<III', data, place + 48) == (7, 2**32 - 1, 0)
    ends = struct.unpack_from('<QQQ', data, place + 60)
    assert data[place + 84:] == 'a/é.jpgb.png'.encode() + b'\xff.gif'
    assert ends == (8, 13, 18)


def test_a_pickled_index_is_its_path_and_notices_another_file(tmp_path):
    index = ShardIndex(write(tmp_path / 'i'))
    text = pickle.dumps(index)
    assert len(text) < 700 and pickle.loads(text).name(1) == 'b.png'
    write(tmp_path / 'i', {'0.tar': FOUND['0.tar'][::-1], **FOUND, '3.tar': []})
    assert index.name(2) == '\udcff.gif'  # the old file, as long as it is open
    with pytest.raises(BrokenIndexError, match='was written again'):
        pickle.loads(text)


def test_lookups_take_no_memory(tmp_path):
    """Neither loaded nor mapped: at random over 4 MB of names, which all come out right."""
    names = [f'{number:06d}{"x" * 800}.jpg' for number in range(5000)]
    entries = [(name, number * 512, number, zlib.crc32(name.encode()))
               for number, name in enumerate(names)]
    index = ShardIndex(write(tmp_path / 'i', {'0.tar': entries}))
    order = np.random.default_rng(0).permutation(5000).tolist()
    tracemalloc.start()
    for number in order:
        assert index.name(number) == names[number]
        assert index.record(number) == (number * 512, number, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000
    assert str(tmp_path / 'i') not in Path('/proc/self/maps').read_text()
