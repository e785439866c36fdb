# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Shards: their bytes, the names in them, and that webdataset reads them."""

import hashlib
import io
import tarfile

import pytest

from fmae_iat_plugin.curation.shard_files import copy_shard, name_in_shard, write_shard
from fmae_iat_plugin.curation.structures import Container

MEMBERS = [('a/1.jpg', b'one' * 300), ('a/2.jpg', b'two'), ('ü' * 90 + '/3.jpg', b'three')]


def write(path, members=MEMBERS):
    checksum = []
    with write_shard(path, checksum) as add:
        for name, data in members:
            add(name, data)
    return checksum[0]


def test_a_shard_holds_no_times_or_owners(tmp_path):
    checksum = write(tmp_path / 'a.tar')
    assert checksum == hashlib.sha256((tmp_path / 'a.tar').read_bytes()).hexdigest()
    with tarfile.open(tmp_path / 'a.tar', 'r:') as tar:
        assert [(m.name, tar.extractfile(m).read()) for m in tar] == MEMBERS
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar} == {
            (0, 0, 0, '', '', 0o644)}


def test_a_copy_without_some_members_is_a_shard_of_the_others(tmp_path):
    write(tmp_path / 'a.tar')
    wanted = write(tmp_path / 'wanted.tar', MEMBERS[::2])
    assert copy_shard(tmp_path / 'a.tar', tmp_path / 'b.tar', {1}) == wanted
    assert (tmp_path / 'b.tar').read_bytes() == (tmp_path / 'wanted.tar').read_bytes()


def test_an_error_leaves_no_shard(tmp_path):
    with pytest.raises(ZeroDivisionError), write_shard(tmp_path / 'a.tar', []) as add:
        add('a.jpg', b'1')
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('label, member, wanted', [
    ('', 'img/000001.jpg', 'laion/img/000001.jpg'),
    ('00000.tar', '000000005.jpg', 'laion/00000/000000005.jpg'),
    ('x/y.tar.gz', './p/s.1.sad.GIF', 'laion/x/y/p/s_1_sad_GIF.jpg'),
    ('', '../../etc/a.jpeg', 'laion/__/__/etc/a.jpg'),
    ('', '/abs/a.JPG', 'laion/abs/a.jpg'),
    ('', r'win\a.png', 'laion/win/a_png.jpg')])
def test_names(label, member, wanted):
    assert name_in_shard(Container('laion', 0, 'tar', '', label), member, set()) == wanted


def test_names_are_unique_also_where_case_does_not_count():
    taken, container = set(), Container('s', 0, 'tar', '', '')
    assert [name_in_shard(container, name, taken) for name in ('a.jpg', 'A.JPG', 'a.jpeg')] == [
        's/a.jpg', 's/A-2.jpg', 's/a-3.jpg']


def test_webdataset_opens_them(tmp_path):
    webdataset = pytest.importorskip('webdataset')
    write(tmp_path / 'a.tar')
    samples = list(webdataset.WebDataset(str(tmp_path / 'a.tar'), shardshuffle=False))
    assert [(s['__key__'], s['jpg']) for s in samples] == [
        (name[:-4], data) for name, data in MEMBERS]
    assert io.BytesIO(samples[0]['jpg']).read() == MEMBERS[0][1]
