# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Single-image flow: end point error against exact rendered flow, masks, the decoder."""

import math

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from fmae_iat_plugin.models.rtatl import SingleImageFlow, end_point_error
from fmae_iat_plugin.models.rtatl.flow import stack_flow
from fmae_iat_plugin.synthfacs import flow as rendered_flow


def sample(flow=None):
    data = DataSample(metainfo=dict(img_path='face.png'))
    if flow is not None:
        data.set_field(flow, 'flow')
    return data


def test_end_point_error_of_exact_rendered_flow():
    """A guess of the rendered flow moved by (3, 4) pixels is 5 pixels off everywhere."""
    exact = rendered_flow(3, {12: 4}, None, None, (4, 0, 0), size=32)
    target = torch.from_numpy(exact.flow).permute(2, 0, 1)[None]
    guess = target + torch.tensor([3., 4.])[None, :, None, None]
    torch.testing.assert_close(end_point_error(guess, target), torch.full((1, 32, 32), 5.))
    still = end_point_error(torch.zeros_like(target), target)[0]
    lengths = [math.hypot(*exact.flow[y, x]) for y in range(32) for x in range(32)]
    np.testing.assert_allclose(still.flatten().numpy(), lengths, rtol=1e-5)
    assert max(lengths) > 1


def test_loss_is_the_mean_error_over_known_pixels_in_percent():
    torch.manual_seed(0)
    task = SingleImageFlow(6, size=8, channels=(4, ), weight=2.)
    rng = np.random.default_rng(0)
    flows = rng.normal(0, 0.02, (2, 8, 8, 2)).astype(np.float32)
    flows[0, :3] = np.nan
    loss = task.loss(torch.randn(3, 6), [sample(flows[0]), sample(), sample(flows[1])])
    assert list(loss) == ['loss_flow']
    # without init_weights the last layer is random: its output is not zero
    pooled = torch.randn(3, 6)
    loss = task.loss(pooled, [sample(flows[0]), sample(), sample(flows[1])])['loss_flow'].item()
    found = task(pooled).detach().numpy()
    errors = [math.hypot(*(found[row, :, y, x] - 100 * flow[y, x]))
              for row, flow in ((0, flows[0]), (2, flows[1])) for y in range(8) for x in range(8)
              if not np.isnan(flow[y, x]).any()]
    assert len(errors) == 2 * 64 - 24
    assert loss == pytest.approx(2 * np.mean(errors), rel=1e-4)


def test_training_begins_with_no_motion():
    task = SingleImageFlow(6, size=16)
    task.init_weights()
    assert not task(torch.randn(2, 6)).any()
    assert task(torch.randn(2, 6)).shape == (2, 2, 16, 16)


def test_a_batch_without_targets_has_a_loss_of_zero_that_reaches_every_parameter():
    task = SingleImageFlow(6, size=8)
    loss = task.loss(torch.randn(2, 6), [sample(), sample()])['loss_flow']
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in task.parameters())


def test_perfect_flow_has_a_finite_gradient():
    task = SingleImageFlow(6, size=4)
    task.init_weights()
    loss = task.loss(torch.randn(1, 6), [sample(np.zeros((4, 4, 2), np.float32))])['loss_flow']
    loss.backward()
    assert loss.item() < 2e-3
    assert all(p.grad.isfinite().all() for p in task.parameters())


def test_unknown_pixels_are_masked():
    flow = np.full((4, 4, 2), 0.5, np.float32)
    flow[1, 2, 0] = np.nan
    target, known = stack_flow([sample(flow)], 4, 'cpu')
    assert known.sum() == 15 and not known[0, 1, 2]
    assert target[0, :, 1, 2].tolist() == [0, 50] and target[0, :, 0, 0].tolist() == [50, 50]


def test_flow_of_another_size_is_an_error_in_words():
    task = SingleImageFlow(6, size=8)
    with pytest.raises(ValueError, match=r"flow of 'face.png' has the shape \(4, 4, 2\), the deco"
                                         r'der makes \(8, 8, 2\). Remedy'):
        task.loss(torch.randn(1, 6), [sample(np.zeros((4, 4, 2), np.float32))])


@pytest.mark.parametrize('kwargs, words', [(dict(size=12), 'size is 12. Remedy: 4, 8, 16'),
                                           (dict(size=2), 'size is 2'),
                                           (dict(weight=-1.), 'weight of the flow loss is -1')])
def test_wrong_settings(kwargs, words):
    with pytest.raises(ValueError, match=words):
        SingleImageFlow(6, **kwargs)
