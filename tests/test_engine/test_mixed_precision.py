# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Mixed precision with an accelerator, fp32 without."""

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.registry import OPTIM_WRAPPERS

from fmae_iat_plugin.engine import mixed_precision

CONFIG = dict(type='MixedPrecisionOptimWrapper', dtype='bfloat16', loss_scale=1.0,
              accumulative_counts=2)


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.5)


@pytest.mark.parametrize('device', ['cpu', 'mps'])
def test_fp32_where_mmengine_has_no_amp(monkeypatch, device):
    monkeypatch.setattr(mixed_precision, 'get_device', lambda: device)
    wrapper = OPTIM_WRAPPERS.build(CONFIG, default_args=dict(optimizer=optimizer()))
    assert type(wrapper) is OptimWrapper and wrapper._accumulative_counts == 2


def test_arguments_reach_amp_on_an_accelerator(monkeypatch):
    monkeypatch.setattr(mixed_precision, 'get_device', lambda: 'cuda')
    seen = {}
    monkeypatch.setattr(mixed_precision, 'AmpOptimWrapper', lambda **kwargs: seen.update(kwargs))
    given = optimizer()
    OPTIM_WRAPPERS.build(CONFIG, default_args=dict(optimizer=given))
    assert seen == dict(optimizer=given, dtype='bfloat16', loss_scale=1.0, accumulative_counts=2)
