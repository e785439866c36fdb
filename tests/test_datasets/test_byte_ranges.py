# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Parts of files and of what lies behind an address, against the whole bytes."""

import os
import random
import threading

import fsspec
import pytest

from fmae_iat_plugin.datasets import byte_ranges
from fmae_iat_plugin.datasets.byte_ranges import forget, is_url, read_range, walk_store

DATA = random.Random(0).randbytes(5000)


@pytest.mark.parametrize('path, expected', [
    ('s3://b/x.tar', True), ('simplecache::s3://b/x', True), ('https://h/x', True), ('a/b', False),
    ('/a://b', False), ('C:/x', False), ('x.tar', False), ('', False)])
def test_what_is_an_address(path, expected):
    assert is_url(path) is expected


def test_parts(tmp_path):
    (tmp_path / 'a').write_bytes(DATA)
    system = fsspec.filesystem('memory')
    system.pipe('/parts/a', DATA)
    for path in (str(tmp_path / 'a'), 'memory://parts/a'):
        assert read_range(path) == DATA and read_range(path, 4000) == DATA[4000:]
        for offset, size in ((0, 5000), (17, 0), (4999, 1), (1000, 2000)):
            assert read_range(path, offset, size) == DATA[offset:offset + size]
        with pytest.raises(EOFError, match='gave 10 bytes instead of the 20 from byte 4990'):
            read_range(path, 4990, 20)
        with pytest.raises(FileNotFoundError):
            read_range(path + 'b', 0, 1)
    system.store.clear()


def test_open_files_are_few_and_of_a_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(byte_ranges, '_KEPT', 3)
    forget()
    before = len(os.listdir('/proc/self/fd'))
    for number in range(10):
        (tmp_path / str(number)).write_bytes(DATA[number:])
    found = []

    def read():
        found.append([read_range(str(tmp_path / str(n % 10)), 5, 9) for n in range(30)])
        forget()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[DATA[n % 10 + 5:n % 10 + 14] for n in range(30)]] * 4
    assert len(os.listdir('/proc/self/fd')) == before
    read()
    for number in range(5):
        read_range(str(tmp_path / str(number)), 0, 1)
    assert len(os.listdir('/proc/self/fd')) == before + 3
    forget()


def test_a_store_is_walked_like_a_disk(tmp_path):
    system = fsspec.filesystem('memory')
    names = ['b.jpg', 'a/c.jpg', 'a/._c.jpg', 'a/b/d.jpg', '__MACOSX/a.jpg', 'a/.x/e.jpg']
    for name in names:
        system.pipe(f'/walk/{name}', b'')
    assert [(root, sorted(files)) for root, _, files in walk_store('memory://walk')] == [
        ('memory://walk', ['b.jpg']), ('memory://walk/a', ['c.jpg']),
        ('memory://walk/a/b', ['d.jpg'])]
    with pytest.raises(FileNotFoundError, match='memory://none does not exist'):
        list(walk_store('memory://none'))
    system.store.clear()
