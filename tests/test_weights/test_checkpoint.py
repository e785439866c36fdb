# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is no checkpoint, or one of a diverged training, is refused by name and in words."""

import json
import random

import numpy as np
import pytest
import safetensors.torch
import torch

from fmae_iat_plugin.weights.checkpoint import (
    check_finite,
    find_weights,
    read_checkpoint,
    read_state_dict,
    write_checkpoint,
)

WEIGHTS = {'a.weight': torch.arange(6.).reshape(2, 3), 'b': torch.ones(2, dtype=torch.int64)}


@pytest.mark.parametrize('content, words', [
    (b'<!DOCTYPE html><html><title>Quota exceeded</title></html>', 'a saved web page'),
    (b'\xef\xbb\xbf\n <HTML>\n<body>', 'a saved web page'),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', 'a saved web page'),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n', 'git lfs pull'),
    (b'{"error": "Invalid username or password."}', 'a text in JSON'),
    (b'[]', 'a text in JSON'), (b'', 'is empty'),
    (b'PK\x03\x04 cut short', 'not a readable torch file'), (b'\0' * 600, 'torch file'),
    (b'GIF89a', '^checkpoint'), (b'\x1f\x8b\x08\0', 'was refused'),
])
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_files_that_are_no_checkpoints(tmp_path, content, words, suffix):
    path = tmp_path / f'file{suffix}'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as error:
        read_state_dict(path)
    assert str(path) in str(error.value)


def test_folder_and_file_that_may_not_be_read(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match='is a folder'):
        read_checkpoint(tmp_path)

    def denied(*args):
        raise PermissionError(13, 'Permission denied')
    monkeypatch.setattr('builtins.open', denied)
    with pytest.raises(PermissionError, match='a.pth cannot be read: Permission denied'):
        read_checkpoint('a.pth')


@pytest.mark.parametrize('legacy', [False, True])
def test_a_file_cut_or_changed_anywhere_gives_a_message(tmp_path, legacy):
    """Whatever torch raises for such bytes, the file is named; or it reads as tensors."""
    whole, path = tmp_path / 'whole.pth', tmp_path / 'changed.pth'
    torch.save(dict(state_dict=WEIGHTS, meta=dict(epoch=np.float64(3), names=['x'])), whole,
               _use_new_zipfile_serialization=not legacy)
    data, draw = whole.read_bytes(), random.Random(0)
    for _ in range(300):
        changed = bytearray(data[:draw.randrange(1, len(data))] if draw.random() < .3 else data)
        for _ in range(draw.randrange(4)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        path.write_bytes(changed)
        try:
            read_checkpoint(path)
        except ValueError as error:
            assert str(path) in str(error)


def test_what_is_in_the_file_decides_not_its_name(tmp_path):
    """Hubs hand out safetensors as .bin, and people rename what they have."""
    safetensors.torch.save_file(WEIGHTS, tmp_path / 'a.pth', {'meta': json.dumps({'epoch': 3})})
    torch.save(WEIGHTS, tmp_path / 'a.safetensors')
    for name in ('a.pth', 'a.safetensors'):
        found = read_state_dict(tmp_path / name)
        assert found.keys() == WEIGHTS.keys()
        assert all(torch.equal(found[key], WEIGHTS[key]) for key in WEIGHTS)
    assert read_checkpoint(tmp_path / 'a.pth')['meta'] == {'epoch': 3}


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_weights_that_are_not_finite_are_named(tmp_path, value, dtype):
    bad = torch.ones(3, 4, dtype=dtype)
    bad[2, 1] = value
    path = tmp_path / 'diverged.pth'
    torch.save(dict(state_dict={'module.fine': torch.ones(2), 'module.head.fc.weight': bad}), path)
    with pytest.raises(ValueError, match=r'diverged.pth is not finite: 1 of 2 .*\(head.fc.weight\)'
                                         '.*Remedy'):
        read_state_dict(path)
    with pytest.raises(ValueError, match='not finite'):
        find_weights(dict(model={'w': bad}), 'x')
    check_finite(dict(counts=torch.ones(2, dtype=torch.int64), step='no tensor',
                      large=torch.full((3, ), 65504., dtype=torch.float16)), 'x')


@pytest.mark.parametrize('name', ['w.pth', 'w.safetensors'])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, small_files, name):
    with small_files(5000), pytest.raises(OSError, match='File too large') as error:
        write_checkpoint(tmp_path / name, {'w': torch.ones(100, 100)}, {})
    assert error.value.filename == str(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
