# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The mean shape of the training faces reaches the model, and nothing else changes it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fmae_iat_plugin.datasets.mean_shape import MEAN_SHAPE
from fmae_iat_plugin.engine import MeanShapeHook
from fmae_iat_plugin.models import AURelationNeck


def runner(meta, neck=None):
    model = torch.nn.Module()
    model.neck = neck
    dataset = SimpleNamespace(metainfo=meta)
    return SimpleNamespace(model=model, train_dataloader=SimpleNamespace(dataset=dataset))


def test_it_is_copied():
    neck = AURelationNeck(4, (1, 2), embed_dims=8)
    shape = np.random.default_rng(0).uniform(size=(68, 2))
    MeanShapeHook().before_train(runner(dict(mean_shape=tuple(map(tuple, shape.tolist()))), neck))
    np.testing.assert_allclose(neck.mean_shape.numpy(), shape, rtol=1e-6)


def test_without_landmarks_it_stays():
    neck = AURelationNeck(4, (1, 2), embed_dims=8)
    MeanShapeHook().before_train(runner({}, neck))
    np.testing.assert_array_equal(neck.mean_shape.numpy(), MEAN_SHAPE)


def test_a_model_without_regions_is_an_error_in_words():
    with pytest.raises(ValueError, match='has no regions of the face. Remedy'):
        MeanShapeHook().before_train(runner({}))
