# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What DeepSpeed needs and refuses; tests/test_parity/test_sharded.py trains with it."""

import sys
import types

import pytest

from fmae_iat_plugin.engine import WholeDeepSpeedStrategy


def test_a_missing_deepspeed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'deepspeed', None)
    with pytest.raises(ImportError, match=r"pip install 'fmae_iat_plugin\[deepspeed\]'"):
        WholeDeepSpeedStrategy()


@pytest.mark.parametrize('options, remedy', [
    (dict(zero_optimization=dict(stage=3)), 'WholeFSDPStrategy'),
    (dict(config=dict(gradient_accumulation_steps=2)), 'a smaller batch, or DDP'),
    (dict(config=dict(bf16=dict(enabled=True))), 'optim_wrapper.dtype')])
def test_what_a_whole_checkpoint_does_not_hold_is_refused(monkeypatch, options, remedy):
    monkeypatch.setitem(sys.modules, 'deepspeed', types.ModuleType('deepspeed'))
    with pytest.raises(ValueError, match=f'Remedy: .*{remedy}'):
        WholeDeepSpeedStrategy(**options)
