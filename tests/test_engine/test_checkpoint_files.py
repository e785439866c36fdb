# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A damaged checkpoint is told from an intact one without unpickling; the newest intact wins."""

import os
import zipfile

import pytest
import torch

from fmae_iat_plugin.engine.checkpoint_files import (
    checkpoints,
    fault,
    newest_intact,
    remove_left_over,
    settle,
)
from fmae_iat_plugin.files import partial_path


@pytest.fixture
def file(tmp_path):
    """A checkpoint of some kilobytes."""
    path = tmp_path / 'epoch_3.pth'
    torch.save(dict(state_dict=dict(a=torch.arange(5000.), b=torch.ones(3)), meta={}), path)
    return path


def test_an_intact_file_has_no_fault(file, tmp_path):
    assert fault(file) == ''
    (tmp_path / 'sharded').mkdir()
    assert fault(tmp_path / 'sharded') == ''


@pytest.mark.parametrize('share', [.001, .1, .5, .9, .999])
def test_a_file_that_was_cut_off(file, share):
    os.truncate(file, int(file.stat().st_size * share))
    assert 'cut off' in fault(file)


def test_every_altered_record_is_found(file):
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        records = [info for info in archive.infolist() if info.file_size]
    assert len(records) >= 4
    for record in records:
        # behind the local header, whose last fields are the lengths of name and extra field
        start = record.header_offset + 30 + sum(
            int.from_bytes(whole[record.header_offset + at:record.header_offset + at + 2],
                           'little') for at in (26, 28))
        place = start + record.file_size // 2
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        assert record.filename in fault(file)
    file.write_bytes(whole)
    assert fault(file) == ''


def test_other_files(tmp_path):
    empty, text, other = tmp_path / 'a', tmp_path / 'b', tmp_path / 'c'
    empty.write_bytes(b'')
    text.write_text('no checkpoint')
    with zipfile.ZipFile(other, 'w') as archive:
        archive.writestr('readme', 'x')
    assert fault(empty) == 'it is empty' and 'cut off or altered' in fault(text)
    assert fault(other) == 'it is no file of PyTorch'
    assert 'cannot be read' in fault(tmp_path / 'none')


def test_the_newest_intact_one(tmp_path, file):
    for name in ('epoch_2.pth', 'iter_25.pth', 'iter_31.pth', 'best_f1_epoch_9.pth', 'iter_x.pth',
                 'epoch_3.pth.txt'):
        (tmp_path / name).write_bytes(file.read_bytes())
    found = checkpoints(tmp_path, [('epoch_{}.pth', 10), ('iter_{}.pth', 1)])
    assert [(one.iterations, one.path.name) for one in found] == [
        (31, 'iter_31.pth'), (30, 'epoch_3.pth'), (25, 'iter_25.pth'), (20, 'epoch_2.pth')]
    os.truncate(tmp_path / 'iter_31.pth', 100)
    (tmp_path / 'epoch_3.pth').write_bytes(b'')
    path, passed = newest_intact(found)
    assert path == tmp_path / 'iter_25.pth'
    assert [bad.name for bad, _ in passed] == ['iter_31.pth', 'epoch_3.pth']
    assert 'empty' in passed[1][1]
    assert newest_intact(found[:2])[0] is None and newest_intact([]) == (None, [])
    assert checkpoints(tmp_path / 'none', [('epoch_{}.pth', 10)]) == []


def test_a_file_gets_its_name_and_left_overs_go(tmp_path):
    final = tmp_path / 'epoch_1.pth'
    partial, below = partial_path(final), tmp_path / 'below'
    partial.write_text('new')
    final.write_text('old')
    settle(partial, final)
    assert final.read_text() == 'new' and not partial.exists()
    with pytest.raises(OSError, match='epoch_1.pth'):
        settle(partial, final)
    below.mkdir()
    for folder in (tmp_path, below):
        partial_path(folder / 'x.pth').write_text('half')
    remove_left_over(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['below', 'epoch_1.pth']
    assert len(list(below.iterdir())) == 1  # perhaps of a process that writes there now
    remove_left_over(tmp_path / 'none')
