# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Gradient reversal: identity forward, -lambda times the gradient backward."""

import pytest
import torch
import torch._dynamo.testing
from mmpretrain.registry import MODELS


def build(scale):
    return MODELS.build(dict(type='GradReverse', scale=scale))


@pytest.mark.parametrize('scale', [0.0, 0.02, 0.5, 2.0])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_forward_is_identity_backward_is_minus_scale(scale, dtype):
    torch.manual_seed(0)
    x = torch.randn(4, 3, dtype=dtype, requires_grad=True)
    out, = build(scale)((x, ))
    assert torch.equal(out, x) and out.dtype == dtype
    grad = torch.randn_like(out)
    out.backward(grad)
    torch.testing.assert_close(x.grad, -scale * grad)


def test_finite_differences_see_no_reversal_but_autograd_does():
    """d(sum x^2)/dx by differences is 2x; through the layer autograd says -lambda 2x."""
    x = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    layer, step = build(1.5), 1e-6
    (layer(x)**2).sum().backward()
    for i in range(2):
        shift = torch.zeros(2, dtype=torch.float64)
        shift[i] = step
        with torch.no_grad():
            slope = ((layer(x + shift)**2).sum() - (layer(x - shift)**2).sum()) / (2 * step)
        assert x.grad[i].item() == pytest.approx(-1.5 * slope.item(), rel=1e-6)


def test_maps_over_stages():
    stages = tuple(torch.randn(2, d, requires_grad=True) for d in (3, 5))
    out = build(2.0)(stages)
    assert isinstance(out, tuple)
    (out[0].sum() + 3 * out[1].sum()).backward()
    assert torch.equal(stages[0].grad, torch.full((2, 3), -2.0))
    assert torch.equal(stages[1].grad, torch.full((2, 5), -6.0))


def test_scale_can_change_without_recompiling():
    """A schedule of lambda must not recompile at every value (a Python float would)."""
    layer = build(0.0)
    counter = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(layer, backend=counter)
    for scale in (0.0, 0.5, 1.25, 2.0):
        layer.set_scale(scale)
        x = torch.ones(3, requires_grad=True)
        compiled(x).sum().backward()
        assert torch.equal(x.grad, torch.full((3, ), -scale))
    assert counter.frame_count == 1


def test_scale_is_a_setting_not_a_weight():
    assert build(2.0).state_dict() == {}


@pytest.mark.parametrize('scale', [-1.0, float('nan'), float('inf')])
def test_bad_scale(scale):
    with pytest.raises(ValueError, match='lambda.*Remedy'):
        build(scale)
