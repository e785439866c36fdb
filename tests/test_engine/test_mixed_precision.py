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
    assert seen == dict(optimizer=given, dtype='bfloat16', loss_scale=1.0, accumulative_counts=2,
                        use_fsdp=False)
    OPTIM_WRAPPERS.build({**CONFIG, 'use_fsdp': True}, default_args=dict(optimizer=given))
    assert seen['use_fsdp'] is True


def test_bfloat16_on_a_cpu_if_asked(monkeypatch):
    """The forward pass is that of autocast; gradients and weights stay 32 bits wide."""
    monkeypatch.setattr(mixed_precision, 'get_device', lambda: 'cpu')
    torch.manual_seed(0)
    layer = torch.nn.Linear(16, 4)
    weight, x = layer.weight.detach().clone(), torch.randn(8, 16)
    wrapper = OPTIM_WRAPPERS.build(
        dict(type='MixedPrecisionOptimWrapper', cpu_dtype='bfloat16'),
        default_args=dict(optimizer=torch.optim.SGD(layer.parameters(), lr=0.5)))
    with wrapper.optim_context(layer):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    rounded = x.bfloat16().float() @ weight.bfloat16().float().T + layer.bias.bfloat16().float()
    torch.testing.assert_close(out.float(), rounded, rtol=2 ** -7, atol=2 ** -7)
    wrapper.update_params(out.float().sum())
    assert layer.weight.dtype == torch.float32
    gradient = x.sum(0).expand(4, 16)  # of a sum
    torch.testing.assert_close(layer.weight.detach(), weight - .5 * gradient, rtol=.02, atol=.02)
    assert layer(x).dtype == torch.float32  # only inside the context


def test_another_type_on_a_cpu_is_refused():
    with pytest.raises(ValueError, match="cpu_dtype is 'float16'"):
        OPTIM_WRAPPERS.build(dict(CONFIG, cpu_dtype='float16'),
                             default_args=dict(optimizer=optimizer()))
