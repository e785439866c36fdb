# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every kind of damage to a shard is found, and named with its first image."""

import io
import json
import random
import tarfile

import pytest

from fmae_iat_plugin.datasets.shards import open_shards, write_index
from fmae_iat_plugin.datasets.verify_shards import main, verify_shards

NAMES = [f'{number}.jpg' for number in range(6)]


@pytest.fixture
def folder(tmp_path):
    generator = random.Random(0)
    for shard in ('0.tar', '1.tar', '2.tar'):
        with tarfile.open(tmp_path / shard, 'w') as tar:
            for name in [*NAMES, 'note.json']:
                info = tarfile.TarInfo(f'{shard[0]}/{name}')
                info.size = 700
                tar.addfile(info, io.BytesIO(generator.randbytes(700)))
    return tmp_path


def start(path, member):
    """Where a member's bytes begin."""
    with tarfile.open(path) as tar:
        return tar.getmember(member).offset_data


def change(path, place, byte=b'\xa5'):
    """Change one byte; the time of modification counts for nothing here."""
    data = bytearray(path.read_bytes())
    data[place:place + 1] = bytes([data[place] ^ byte[0]])
    path.write_bytes(data)


def problems(folder, **kwargs):
    return [(p['shard'].rsplit('/', 1)[-1], p['what'], p['record'])
            for p in verify_shards(str(folder), **kwargs)['problems']]


@pytest.mark.parametrize('workers', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_damage_is_named(folder, workers):
    write_index(folder.glob('*.tar'))
    assert problems(folder, workers=workers) == []
    cut = folder / '0.tar'
    cut.write_bytes(cut.read_bytes()[:start(cut, '0/3.jpg') + 699])
    change(folder / '1.tar', start(folder / '1.tar', '1/2.jpg') + 699)
    change(folder / '1.tar', start(folder / '1.tar', '1/5.jpg'))
    change(folder / '2.tar', start(folder / '2.tar', '2/note.json') + 3)
    assert problems(folder, workers=workers) == [
        ('0.tar', 'truncated', '0/3.jpg'), ('1.tar', 'altered', '1/2.jpg'),
        ('1.tar', 'altered', '1/5.jpg'), ('2.tar', 'altered', '')]


def test_missing_and_unknown_shards(folder):
    write_index(sorted(folder.glob('*.tar')))
    (folder / '1.tar').rename(folder / '7.tar')
    assert problems(folder) == [('1.tar', 'missing', ''), ('7.tar', 'not in the index', '')]


def test_without_checksums_places_are_compared(folder):
    """An index that came by opening the folder."""
    open_shards([str(folder / f'{number}.tar') for number in range(3)])
    report = verify_shards(str(folder))
    assert report['problems'] == [] and report['compared'] == 0 and report['records'] == 18
    moved = folder / '0.tar'
    data = moved.read_bytes()
    first, second = (start(moved, f'0/{number}.jpg') - 512 for number in (2, 3))
    size = second - first  # two members change places
    moved.write_bytes(data[:first] + data[second:second + size] + data[first:second]
                      + data[second + size:])
    change(folder / '1.tar', 3)  # the header of the first member
    change(folder / '2.tar', start(folder / '2.tar', '2/1.jpg'))  # cannot be noticed
    assert problems(folder) == [('0.tar', 'altered', '0/2.jpg'), ('1.tar', 'altered', '')]


def test_a_shard_cut_between_two_members_lacks_its_end(folder):
    path = folder / '0.tar'
    path.write_bytes(path.read_bytes()[:start(path, '0/3.jpg') - 512])
    open_shards([str(folder / f'{number}.tar') for number in range(3)])
    assert problems(folder) == [('0.tar', 'truncated', '')]


def test_the_command(folder, capsys):
    assert main([str(folder)]) == 2
    assert 'no index of' in capsys.readouterr().err
    assert main([str(folder), '--write-index']) == 0
    out = capsys.readouterr().out
    assert out == '3 shards, 18 images, 0 shards with problems; every byte compared in 3\n'
    change(folder / '1.tar', start(folder / '1.tar', '1/2.jpg'))
    assert main([str(folder), '--json', str(folder / 'report.json')]) == 1
    out = capsys.readouterr().out
    assert f'{folder}/1.tar: altered at 1/2.jpg: its CRC-32 is another' in out
    assert json.loads((folder / 'report.json').read_text())['problems'][0]['record'] == '1/2.jpg'
