# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Weights that cannot be written."""

import errno
import io

import pytest
import torch
from safetensors import SafetensorError

from fmae_iat_plugin.weights import checkpoint


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    """PyTorch's own message would be 'unexpected pos 704 vs 598'."""
    class Full(io.BytesIO):
        def write(self, data):
            if self.tell() + len(data) > 9000:
                raise OSError(errno.ENOSPC, 'No space left on device')
            return super().write(data)

    monkeypatch.setattr(checkpoint, 'open', lambda *_: Full(), raising=False)
    with pytest.raises(OSError, match='No space left on device'):
        checkpoint.write_checkpoint(tmp_path / 'a.pth', {'a': torch.zeros(9000)}, {})
    assert not list(tmp_path.iterdir())


def test_an_error_of_safetensors_is_one_of_the_system(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise SafetensorError('No space left on device (os error 28)')

    monkeypatch.setattr(checkpoint.safetensors.torch, 'save_file', fail)
    with pytest.raises(OSError, match=r"\[Errno 28\] No space left on device: '.*a\.safetensors'"):
        checkpoint.write_checkpoint(tmp_path / 'a.safetensors', {'a': torch.zeros(9)}, {})
    assert not list(tmp_path.iterdir())
