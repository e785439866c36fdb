# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Mean over labelled elements, against a loop; several ranks against one."""

import sys

import pytest
import torch

from fmae_iat_plugin.models.losses import masked_mean


@pytest.mark.parametrize('seed', range(5))
def test_equals_a_loop(seed):
    torch.manual_seed(seed)
    values = torch.randn(7, 5, dtype=torch.float64)
    mask = torch.rand(7, 5) < 0.6
    listed = [values[i, j].item() for i in range(7) for j in range(5) if mask[i, j]]
    assert masked_mean(values, mask).item() == pytest.approx(sum(listed) / len(listed))


def test_nothing_labelled_is_zero_and_still_connected():
    """Under DDP every rank must touch every parameter, labelled or not."""
    values = torch.randn(3, requires_grad=True)
    loss = masked_mean(values, torch.zeros(3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0 and torch.equal(values.grad, torch.zeros(3))


def test_unlabelled_infinite_values_do_no_harm():
    values = torch.tensor([1.0, float('inf'), 3.0], requires_grad=True)
    loss = masked_mean(values, torch.tensor([True, False, True]))
    loss.backward()
    assert loss.item() == 2 and torch.equal(values.grad, torch.tensor([.5, 0, .5]))


@pytest.mark.parametrize('split', [1, 4, 7])
def test_average_over_ranks_is_the_mean_over_all(monkeypatch, split):
    """Two ranks with uneven parts: DDP's average of their losses is the loss of one rank."""
    torch.manual_seed(0)
    values, mask = torch.randn(8, 3, dtype=torch.float64), torch.rand(8, 3) < 0.5
    whole = masked_mean(values, mask)
    total = mask.sum().double()
    module = 'fmae_iat_plugin.models.losses.masked_mean'
    monkeypatch.setattr(sys.modules[module], 'get_world_size', lambda: 2)
    monkeypatch.setattr(sys.modules[module], 'all_reduce', lambda count: count.copy_(total))
    ranks = [masked_mean(values[part], mask[part]) for part in (slice(split), slice(split, None))]
    assert (sum(ranks) / 2).item() == pytest.approx(whole.item())
