# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Shards: names, offsets against the tar file's own bytes, and the life of the index."""

import gzip
import io
import json
import os
import random
import tarfile

import pytest

from fmae_iat_plugin.datasets.shards import expand_shards, index_tar


def write_tar(path, members, fmt=tarfile.PAX_FORMAT):
    with tarfile.open(path, 'w', format=fmt) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.fixture
def members():
    generator = random.Random(0)
    names = ['b/2.jpg', 'a/1.PNG', 'a/1.json', 'x' * 150 + '.jpg', 'é 3.jpg', 'a/10.gif']
    return {name: generator.randbytes(generator.randint(0, 3000)) for name in names}


@pytest.mark.parametrize('pattern, names', [
    ('a.tar', ['a.tar']),
    ('a-{08..11}.tar', ['a-08.tar', 'a-09.tar', 'a-10.tar', 'a-11.tar']),
    ('a-{8..10}.tar', ['a-8.tar', 'a-9.tar', 'a-10.tar']),
    ('{x,yy}/{0..1}.tar', ['x/0.tar', 'x/1.tar', 'yy/0.tar', 'yy/1.tar']),
])
def test_braces_are_those_of_a_shell(tmp_path, pattern, names):
    """As bash does it: `echo` of the pattern."""
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'a-12.tar').touch()
    assert sorted(expand_shards(str(tmp_path / pattern))) == sorted(
        str(tmp_path / name) for name in names)


def test_an_open_brace_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"'a-\{00' have a brace without"):
        expand_shards('a-{00')


def test_expand_shards(tmp_path):
    for name in ('s-00.tar', 's-01.tar', 't.tar'):
        (tmp_path / name).touch()
    names = [os.path.basename(p) for p in expand_shards(f'{tmp_path}/s-{{00..01}}.tar')]
    assert names == ['s-00.tar', 's-01.tar']
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
    index = index_tar(str(path), ('.jpg', '.png', '.gif'))
    assert [name for name, _, _ in index] == sorted(n for n in members if n != 'a/1.json')
    content = path.read_bytes()
    for name, offset, size in index:
        assert content[offset:offset + size] == members[name]


def test_index_is_written_once_and_used_again(tmp_path, members):
    path = tmp_path / 's.tar'
    write_tar(path, members)
    first = index_tar(str(path), ('.jpg', ))
    file = tmp_path / 's.tar.index.json'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['s.tar', 's.tar.index.json']
    index = json.loads(file.read_text())
    index['members'] = [['from_the_index.jpg', 1, 2]]
    file.write_text(json.dumps(index))
    assert index_tar(str(path), ('.jpg', )) == [('from_the_index.jpg', 1, 2)]
    # A changed shard, an index of another version or a broken one: read the shard again.
    os.utime(path, ns=(1, 1))
    assert index_tar(str(path), ('.jpg', )) == first
    for broken in ('{', '[]', '{}', json.dumps(dict(json.loads(file.read_text()), version=0))):
        file.write_text(broken)
        assert index_tar(str(path), ('.jpg', )) == first
    # Other suffixes need no new index.
    assert [name for name, _, _ in index_tar(str(path), ('.gif', ))] == ['a/10.gif']


def test_index_dir_keeps_shards_of_one_name_apart(tmp_path, members):
    for folder, name in (('a', 'b/2.jpg'), ('b', 'é 3.jpg')):
        (tmp_path / folder).mkdir()
        write_tar(tmp_path / folder / '0.tar', {name: members[name]})
        index_tar(str(tmp_path / folder / '0.tar'), ('.jpg', ), str(tmp_path / 'new/index'))
    assert len(list((tmp_path / 'new/index').iterdir())) == 2
    index = index_tar(str(tmp_path / 'b/0.tar'), ('.jpg', ), str(tmp_path / 'new/index'))
    assert [name for name, _, _ in index] == ['é 3.jpg']
    assert not (tmp_path / 'b/0.tar.index.json').exists()


def test_unwritable_index_is_no_error(tmp_path, members):
    path = tmp_path / 's.tar'
    write_tar(path, members)
    (tmp_path / 'file').touch()
    assert len(index_tar(str(path), ('.jpg', ), str(tmp_path / 'file/below'))) == 3


def test_bad_shards_are_named(tmp_path, members):
    path = tmp_path / 's.tar'
    write_tar(path, {'a.jpg': b'x' * 5000, 'b.jpg': b'y' * 5000})
    content = path.read_bytes()
    (tmp_path / 'z.tar').write_bytes(gzip.compress(content))
    (tmp_path / 'text.tar').write_bytes(b'no tar file ' * 100)
    (tmp_path / 'cut.tar').write_bytes(content[:8000])
    for name in ('z.tar', 'text.tar', 'cut.tar'):
        with pytest.raises(ValueError, match=rf'{name} (cannot be indexed|is cut)'):
            index_tar(str(tmp_path / name), ('.jpg', ))
        assert not (tmp_path / f'{name}.index.json').exists()
