# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""PyTorch on threads of one core each: the same scores, in order, and its settings untouched."""

import threading

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from fmae_iat_plugin.inference.torch_backend import TorchBackend

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('number', [1, 2, 3, 8])
def test_parts_of_a_batch_are_put_together(exported, torch_threads, number):
    torch_threads(3)
    cfg, weights, model, _, _ = exported
    rng = np.random.default_rng(number)
    inputs = torch.from_numpy(rng.integers(0, 256, (number, 3, 48, 48), dtype=np.uint8))
    packed = [dict(inputs=one, data_samples=DataSample()) for one in inputs]
    with torch.no_grad():
        images = model.data_preprocessor(dict(inputs=inputs))['inputs']
        truth = torch.sigmoid(model.head(model.extract_feat(images))).numpy()
    backend = TorchBackend(cfg, weights, 'cpu')
    used = []

    def watch(*_):
        used.append((threading.get_ident(), torch.get_num_threads()))

    backend.model.register_forward_pre_hook(watch)
    backend.model.backbone.register_forward_pre_hook(watch)
    np.testing.assert_allclose(backend(packed), truth, atol=1e-5)
    if number == 1:  # all threads on one image
        assert {threads for _, threads in used} == {3}
    else:
        assert {threads for _, threads in used} == {1}
        assert threading.get_ident() not in {thread for thread, _ in used}
    assert torch.get_num_threads() == 3
