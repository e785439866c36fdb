# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The head: the sum of a linear layer on the global feature and one for each AU token."""

import numpy as np
import torch
from mmpretrain.structures import DataSample

from fmae_iat_plugin.models.rtatl import RTATLHead


def test_logits_and_loss_by_hand():
    torch.manual_seed(0)
    head = RTATLHead(5, 3, embed_dims=4)
    head.init_weights()
    tokens, pooled = torch.randn(2, 3, 4), torch.randn(2, 5)
    logits = head((tokens, pooled)).detach().numpy()
    weight, bias, own = (p.detach().numpy() for p in (head.fc.weight, head.fc.bias, head.regional))
    wanted = np.zeros((2, 3))
    for image in range(2):
        for au in range(3):
            wanted[image, au] = (weight[au] @ pooled[image].numpy() + bias[au]
                                 + own[au] @ tokens[image, au].numpy())
    np.testing.assert_allclose(logits, wanted, atol=1e-6)
    labels = np.array([[1, 0, np.nan], [np.nan, np.nan, np.nan]])
    samples = [DataSample().set_gt_score(torch.from_numpy(row)) for row in labels]
    loss = head.loss((tokens, pooled), samples)
    assert list(loss) == ['loss_au']
    by_hand = np.log1p(np.exp(-wanted[0, 0])) + np.log1p(np.exp(wanted[0, 1]))
    np.testing.assert_allclose(loss['loss_au'].item(), by_hand / 2, atol=1e-6)


def test_a_batch_without_labels_has_a_loss_of_zero_that_reaches_every_parameter():
    head = RTATLHead(5, 3, embed_dims=4)
    samples = [DataSample().set_gt_score(torch.full((3, ), torch.nan)) for _ in range(2)]
    loss = head.loss((torch.randn(2, 3, 4), torch.randn(2, 5)), samples)['loss_au']
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is not None and not p.grad.any() for p in head.parameters())
