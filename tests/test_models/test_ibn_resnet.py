# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""IBN-a against its formula, and what it is for: the look of an image does not pass."""

import pytest
import torch
from mmpretrain.models.backbones import ResNet_CIFAR
from mmpretrain.registry import MODELS

from fmae_iat_plugin.models.ibn_resnet import IBNResNetCIFAR, InstanceBatchNorm


def normalised(x, dims):
    mean = x.mean(dims, keepdim=True)
    return (x - mean) / ((x - mean)**2).mean(dims, keepdim=True).add(1e-5).sqrt()


def test_the_norm_is_its_formula():
    torch.manual_seed(0)
    norm, x = InstanceBatchNorm(5), torch.randn(3, 5, 4, 4)
    weights, biases = torch.randn(5), torch.randn(5)
    for part, channels in ((norm.instance, slice(0, 2)), (norm.batch, slice(2, 5))):
        part.weight.data, part.bias.data = weights[channels].clone(), biases[channels].clone()
    expected = torch.cat([normalised(x[:, :2], (2, 3)), normalised(x[:, 2:], (0, 2, 3))], 1)
    expected = expected * weights.view(1, -1, 1, 1) + biases.view(1, -1, 1, 1)
    torch.testing.assert_close(norm(x), expected)


def test_contrast_and_tint_of_a_map_do_not_pass_the_instance_half():
    torch.manual_seed(0)
    norm, x = InstanceBatchNorm(4).eval(), torch.randn(2, 4, 8, 8)
    other = x * torch.tensor([.5, 3.]).view(2, 1, 1, 1) + torch.tensor([1., -2.]).view(2, 1, 1, 1)
    torch.testing.assert_close(norm(other)[:, :2], norm(x)[:, :2], atol=1e-3, rtol=1e-3)
    assert not torch.allclose(norm(other)[:, 2:], norm(x)[:, 2:], atol=.1)


def test_only_the_first_stages_differ_from_mmpretrain():
    options = dict(depth=18, base_channels=8, stem_channels=8)
    net = MODELS.build(dict(type='IBNResNetCIFAR', ibn_stages=2, **options))
    assert isinstance(net, IBNResNetCIFAR)
    kinds = [[type(block.norm1) for block in getattr(net, name)] for name in net.res_layers]
    batch = torch.nn.BatchNorm2d
    assert kinds == [[InstanceBatchNorm] * 2] * 2 + [[batch] * 2] * 2
    plain, none = ResNet_CIFAR(**options), IBNResNetCIFAR(ibn_stages=0, **options)
    none.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(none(x), plain(x))


@pytest.mark.parametrize('stages', [-1, 5])
def test_stages_that_do_not_exist_are_refused(stages):
    with pytest.raises(ValueError, match=f'ibn_stages is {stages}. Remedy: 0 to 4'):
        IBNResNetCIFAR(depth=18, ibn_stages=stages)
