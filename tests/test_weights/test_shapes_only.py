# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Shapes alone: the same names and shapes as the real model, no memory."""

import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from fmae_iat_plugin.weights.shapes_only import ShapesOnly


def test_names_and_shapes_are_those_of_the_model(repo):
    cfg = Config.fromfile(repo / 'configs/rtatl/rtatl-iat_synthfacs.py').model
    with ShapesOnly():
        bare = MODELS.build({**cfg, 'data_preprocessor': None})
    full = MODELS.build(cfg)
    assert {name: value.shape for name, value in bare.state_dict().items()} == {
        name: value.shape for name, value in full.state_dict().items()}
    assert all(value.is_meta for value in bare.parameters())
    assert not torch.empty(1).is_meta
