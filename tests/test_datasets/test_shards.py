# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Shards: names, offsets against the tar file's own bytes, and the life of the index."""

import gzip
import io
import os
import random
import tarfile
from unittest.mock import patch

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from mmengine.logging import MMLogger

from fmae_iat_plugin.datasets import shards as module
from fmae_iat_plugin.datasets.byte_ranges import read_range
from fmae_iat_plugin.datasets.records import Records
from fmae_iat_plugin.datasets.shards import expand_shards, index_path, open_shards, write_index


def write_tar(path, members, fmt=tarfile.PAX_FORMAT):
    with tarfile.open(path, 'w', format=fmt) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def opened(*paths, index_dir=None):
    """``(name, offset, size)`` of every record."""
    found = open_shards([str(path) for path in paths], index_dir)
    return [tuple(record[1:]) for record in Records(found.values())]


def names(*paths, **kwargs):
    return [name for name, _, _ in opened(*paths, **kwargs)]


def reads():
    """Counts the shards whose headers are read."""
    return patch.object(module, 'read_members', wraps=module.read_members)


def warnings():
    return patch.object(MMLogger.get_current_instance(), 'warning')


@pytest.fixture
def members():
    generator = random.Random(0)
    named = ['b/2.jpg', 'a/1.PNG', 'a/1.json', 'x' * 150 + '.jpg', 'é 3.jpg', 'a/10.gif']
    return {name: generator.randbytes(generator.randint(0, 3000)) for name in named}


@pytest.mark.parametrize('pattern, expected', [
    ('a.tar', ['a.tar']),
    ('a-{08..11}.tar', ['a-08.tar', 'a-09.tar', 'a-10.tar', 'a-11.tar']),
    ('a-{8..10}.tar', ['a-8.tar', 'a-9.tar', 'a-10.tar']),
    ('{x,yy}/{0..1}.tar', ['x/0.tar', 'x/1.tar', 'yy/0.tar', 'yy/1.tar']),
])
def test_braces_are_those_of_a_shell(tmp_path, pattern, expected):
    """As bash does it: `echo` of the pattern."""
    for name in expected:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'a-12.tar').touch()
    assert sorted(expand_shards(str(tmp_path / pattern))) == sorted(
        str(tmp_path / name) for name in expected)


def test_an_open_brace_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"'a-\{00' have a brace without"):
        expand_shards('a-{00')


def test_expand_shards(tmp_path):
    for name in ('s-00.tar', 's-01.tar', 't.tar'):
        (tmp_path / name).touch()
    found = [os.path.basename(p) for p in expand_shards(f'{tmp_path}/s-{{00..01}}.tar')]
    assert found == ['s-00.tar', 's-01.tar']
    assert len(expand_shards(f'{tmp_path}/*.tar')) == 3
    assert len(expand_shards(f'{tmp_path}/{{s-*,t}}.tar')) == 3
    with pytest.raises(FileNotFoundError, match=r's-02.tar.*\{00\.\.02\}'):
        expand_shards(f'{tmp_path}/s-{{00..02}}.tar')
    with pytest.raises(FileNotFoundError, match='no shard'):
        expand_shards(f'{tmp_path}/u*.tar')


@pytest.mark.parametrize('fmt', [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_offsets_point_at_the_bytes(tmp_path, members, fmt):
    """Long and non-ASCII names take extra headers in a tar file."""
    path = tmp_path / 's.tar'
    write_tar(path, members, fmt)
    found = opened(path)
    assert [name for name, _, _ in found] == sorted(n for n in members if n != 'a/1.json')
    content = path.read_bytes()
    for name, offset, size in found:
        assert content[offset:offset + size] == members[name]


def test_the_index_is_written_once_and_used_again(tmp_path, members):
    path = tmp_path / 's.tar'
    write_tar(path, members)
    first = opened(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['s.tar', 'shards.index']
    with reads() as read:
        assert opened(path) == first
        assert not read.called
        # A touched shard, an index of another kind or an incomplete one: read the shard again.
        file = tmp_path / 'shards.index'
        whole = file.read_bytes()
        with warnings() as warning:
            os.utime(path, ns=(1, 1))
            assert opened(path) == first
            assert 'does not fit its shards' in warning.call_args.args[0]
            assert 's.tar (changed at mtime:1,' in warning.call_args.args[0]
        for number, broken in enumerate((b'', b'{}', whole[:-1], b'X' + whole[1:],
                                         whole[:16] + b'[' + whole[17:])):
            file.write_bytes(broken)
            with warnings() as warning:
                assert opened(path) == first
            assert 'is rebuilt' in warning.call_args.args[0]
            assert read.call_count == number + 2
    with reads() as read:
        assert opened(path) == first and not read.called


def test_of_many_shards_only_the_changed_are_read(tmp_path, members):
    paths = [tmp_path / f'{number}.tar' for number in range(4)]
    for number, path in enumerate(paths):
        write_tar(path, {f'{number}.jpg': b'x' * number})
    assert names(*paths[:3]) == ['0.jpg', '1.jpg', '2.jpg']
    write_tar(paths[1], {'new.jpg': b'', 'b.gif': b'abc'})
    with reads() as read:
        assert names(*paths) == ['0.jpg', 'b.gif', 'new.jpg', '2.jpg', '3.jpg']
        assert [call.args[0] for call in read.call_args_list] == [str(paths[1]), str(paths[3])]
        # some of them, in another order, and those that have gone are left out of the index
        assert names(paths[2], paths[0]) == ['2.jpg', '0.jpg']
        paths[0].unlink()
        paths[3].unlink()
        write_tar(paths[3], {'4.jpg': b''})
        assert names(*paths[1:]) == ['b.gif', 'new.jpg', '2.jpg', '4.jpg']
        assert read.call_count == 3
    with pytest.raises(FileNotFoundError, match='0.tar'):
        opened(*paths)


def test_shards_of_several_folders_keep_the_order_asked_for(tmp_path):
    order = ['b/0.tar', 'a/1.tar', 'b/1.tar', 'a/0.tar']
    for name in order:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_tar(tmp_path / name, {f'{name[:3]}.jpg': b''})
    assert names(*(tmp_path / name for name in order)) == [f'{name[:3]}.jpg' for name in order]
    assert len(list(tmp_path.rglob('shards.index'))) == 2


def test_index_dir_keeps_folders_of_one_name_apart(tmp_path, members):
    for folder, name in (('a/s', 'b/2.jpg'), ('b/s', 'é 3.jpg')):
        (tmp_path / folder).mkdir(parents=True)
        write_tar(tmp_path / folder / '0.tar', {name: members[name]})
        opened(tmp_path / folder / '0.tar', index_dir=str(tmp_path / 'new/index'))
    assert len(list((tmp_path / 'new/index').iterdir())) == 2
    assert names(tmp_path / 'b/s/0.tar', index_dir=str(tmp_path / 'new/index')) == ['é 3.jpg']
    assert not list(tmp_path.rglob('shards.index'))


def test_unwritable_index_is_no_error(tmp_path, members):
    path = tmp_path / 's.tar'
    write_tar(path, members)
    (tmp_path / 'file').touch()
    with warnings() as warning:
        assert len(opened(path, index_dir=str(tmp_path / 'file/below'))) == 5
    assert 'cannot be written' in warning.call_args.args[0]


def test_bad_shards_are_named(tmp_path, members):
    path = tmp_path / 's.tar'
    write_tar(path, {'a.jpg': b'x' * 5000, 'b.jpg': b'y' * 5000})
    content = path.read_bytes()
    (tmp_path / 'z.tar').write_bytes(gzip.compress(content))
    (tmp_path / 'text.tar').write_bytes(b'no tar file ' * 100)
    (tmp_path / 'cut.tar').write_bytes(content[:8000])
    for name in ('z.tar', 'text.tar', 'cut.tar'):
        with pytest.raises(ValueError, match=rf'{name} (cannot be indexed|is truncated)'):
            opened(tmp_path / name)
        assert not (tmp_path / 'shards.index').exists()


def test_an_index_with_checksums(tmp_path, members):
    """Written before, it is what readers use; checksums survive a copy of the folder."""
    paths = [tmp_path / 'a/0.tar', tmp_path / 'a/1.tar']
    paths[0].parent.mkdir()
    for path in paths:
        write_tar(path, members)
    assert write_index(paths[::-1]) == tmp_path / 'a/shards.index'
    assert index_path(str(tmp_path / 'a')) == tmp_path / 'a/shards.index'
    with reads() as read:
        assert len(opened(*paths)) == 10 and not read.called
    os.utime(paths[0], ns=(5, 5))
    index = open_shards([str(paths[0])])[str(paths[0])].index
    assert all(shard.sha256 for shard in index.shards)
    write_tar(paths[0], {'z.jpg': b'z'})
    index = open_shards([str(paths[0])])[str(paths[0])].index
    assert [bool(shard.sha256) for shard in index.shards] == [False, True]
    with pytest.raises(ValueError, match='lie in 2 folders'):
        write_index([paths[0], tmp_path / 'b/0.tar'])


# ---------------------------------------------------------------- behind an address


@pytest.fixture
def store(tmp_path, monkeypatch):
    """fsspec's file system in memory, and an empty cache."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    system = fsspec.filesystem('memory')
    system.rm('/', recursive=True) if system.ls('/') else None
    yield system
    system.store.clear()


def upload(system, path, members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    system.pipe(path, buffer.getvalue())


def test_a_store_is_read_by_ranges(store, members, tmp_path):
    for shard in ('00', '01'):
        upload(store, f'/faces/{shard}.tar', {f'{shard}/{name}': data
                                              for name, data in members.items()})
    urls = expand_shards('memory://faces/{00..01}.tar')
    assert urls == expand_shards('memory://faces/*.tar') == [
        'memory://faces/00.tar', 'memory://faces/01.tar']
    records = list(Records(open_shards(urls).values()))
    assert len(records) == 10
    with patch.object(MemoryFileSystem, 'cat_file', autospec=True,
                      side_effect=MemoryFileSystem.cat_file) as cat:
        for record in records:
            data = read_range(record.base, record.offset, record.size)
            assert data == members[record.name.split('/', 1)[1]]
            assert cat.call_args.kwargs == dict(
                start=record.offset, end=record.offset + record.size)
    cached = index_path('memory://faces')
    assert cached.is_file() and tmp_path / 'cache' in cached.parents
    with reads() as read:
        open_shards(urls)
        assert not read.called
        upload(store, '/faces/01.tar', {'new.jpg': b'1'})
        assert len(Records(open_shards(urls).values())) == 6
        assert read.call_count == 1
    with pytest.raises(FileNotFoundError, match='no shard .*02.tar'):
        open_shards(expand_shards('memory://faces/{00..02}.tar'))
    with pytest.raises(EOFError, match='00.tar gave .* truncated or replaced'):
        read_range('memory://faces/00.tar', 0, 10**6)


def test_an_index_that_was_uploaded_is_used(store, members, tmp_path):
    """The times of modification of the copies are others; the sizes are the same."""
    write_tar(tmp_path / '0.tar', members)
    write_index([tmp_path / '0.tar'])
    for name in ('0.tar', 'shards.index'):
        store.pipe(f'/up/{name}', (tmp_path / name).read_bytes())
    with reads() as read:
        assert names('memory://up/0.tar') == names(tmp_path / '0.tar')
        assert not read.called


def test_a_missing_package_is_named():
    with patch.dict('sys.modules', {'s3fs': None}), \
            pytest.raises(ImportError, match='s3://b/0.tar.*Remedy: pip install s3fs'):
        read_range('s3://b/0.tar', 0, 1)
    with pytest.raises(ValueError, match='nosuch://b/0.tar'):
        read_range('nosuch://b/0.tar', 0, 1)
