# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A runner that loads before it asks the hooks is refused; ours asks first."""

import pytest
from mmengine.runner import FlexibleRunner

from fmae_iat_plugin.engine import SafeCheckpointHook, SafeFlexibleRunner


def test_mmengines_own_is_refused_and_told_of_ours():
    runner = FlexibleRunner.__new__(FlexibleRunner)
    with pytest.raises(ValueError, match="Remedy: runner_type='mmpretrain.SafeFlexibleRunner'"):
        SafeCheckpointHook().before_run(runner)


def test_hooks_are_asked_before_a_checkpoint_is_loaded(monkeypatch):
    happened = []
    runner = SafeFlexibleRunner.__new__(SafeFlexibleRunner)
    runner._has_loaded = False
    monkeypatch.setattr(FlexibleRunner, 'load_or_resume', lambda self: happened.append('load'))
    monkeypatch.setattr(runner, 'call_hook', happened.append)
    runner.load_or_resume()
    assert happened == ['choose_checkpoint', 'load']
