# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Names and shapes of what is wrapped; tests/test_parity/test_sharded.py shards over processes."""

import pytest
from torch import nn

from fmae_iat_plugin.engine import sharded


def test_names_are_those_without_wrappers():
    for name in ('head.fc.weight', 'backbone.layers.11.ln1.bias', ''):
        inner = '_fsdp_wrapped_module.' + name.replace(
            'layers.11.', 'layers.11._fsdp_wrapped_module._checkpoint_wrapped_module.')
        assert sharded.plain_name(inner) == sharded.plain_name(name) == name


def test_shapes_are_those_before_the_weights_were_cut():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert sharded.with_shapes(model) is model
    sharded.note_shapes(model)
    names = set(model.state_dict())
    model[0].weight.data = model[0].weight.data.flatten()[:5]  # as FSDP leaves it
    found = sharded.with_shapes(model)
    assert {name: tuple(value.shape) for name, value in found.state_dict().items()} == wanted
    assert set(model.state_dict()) == names and all(p.is_meta for p in found.parameters())


def test_whole_weights_are_run_and_changed_as_they_are(monkeypatch):
    model = nn.Linear(2, 2)
    assert sharded.call_whole(model, lambda whole: whole.weight) is model.weight
    sharded.refuse_sharded(model, 'SomeHook')
    monkeypatch.setattr(sharded, 'FullyShardedDataParallel', nn.Linear)
    with pytest.raises(ValueError, match='^SomeHook works on whole weights.*Remedy: remove it'):
        sharded.refuse_sharded(model, 'SomeHook')
