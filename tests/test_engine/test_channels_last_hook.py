# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Another order in memory, the same values."""

from types import SimpleNamespace

import torch
from mmpretrain.registry import HOOKS


def test_weights_and_maps_have_their_channels_together_and_their_values():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3), torch.nn.BatchNorm2d(6),
                                torch.nn.Conv2d(6, 4, 3), torch.nn.Flatten(),
                                torch.nn.Linear(64, 2)).eval()
    x = torch.randn(3, 1, 8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=.1)  # made before, and holds them after
    maps = model[:3](x)
    assert not maps.is_contiguous(memory_format=torch.channels_last)
    HOOKS.build(dict(type='ChannelsLastHook')).before_train(SimpleNamespace(model=model))
    assert model[2].weight.is_contiguous(memory_format=torch.channels_last)
    after = model[:3](x)
    assert after.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(after, maps)
    before = model[2].weight.detach().clone()
    model(x).sum().backward()
    optimizer.step()
    torch.testing.assert_close(model[2].weight.detach(), before - .1 * model[2].weight.grad)
