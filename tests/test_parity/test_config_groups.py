# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The parameter groups that the published configs form, on models without memory (meta)."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'


def groups_of(config):
    """The model and the optimizer's groups, fp32: fp16 asks for an accelerator."""
    cfg = Config.fromfile(CONFIGS / config)
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
        wrapper = {key: cfg.optim_wrapper[key]
                   for key in ('constructor', 'optimizer', 'paramwise_cfg')}
        return model, build_optim_wrapper(model, wrapper).optimizer.param_groups


def test_fine_tuning_of_vit_large():
    model, groups = groups_of('iat/bp4d_fold1.py')
    assert len(groups) <= 60
    of = {name: group for group in groups for name in group['param_names']}
    assert set(of) == {name for name, _ in model.named_parameters()}
    assert of['head.fc.weight']['lr'] == of['adversary.head.fc.weight']['lr'] == 5e-4 * 64 / 256
    assert of['backbone.ln2.weight']['lr_scale'] == 1
    for name in ('cls_token', 'pos_embed', 'patch_embed.projection.weight'):
        assert of[f'backbone.{name}']['lr_scale'] == pytest.approx(0.65**25)
    assert of['backbone.layers.23.ffn.layers.1.weight']['lr_scale'] == pytest.approx(0.65)
    assert {name for name, group in of.items() if group['weight_decay'] == 0} == {
        name for name, value in model.named_parameters()
        if value.ndim == 1 or name in ('backbone.cls_token', 'backbone.pos_embed')}
    assert {group['weight_decay'] for group in groups} == {0, 0.05}
    assert {tuple(group['betas']) for group in groups} == {(0.9, 0.999)}


def test_pretraining_of_vit_large():
    model, groups = groups_of('fmae/fmae_vit-large_face9m.py')
    plain, decayed = sorted(groups, key=lambda group: group['weight_decay'])
    assert (plain['weight_decay'], decayed['weight_decay']) == (0, 0.05)
    assert {'backbone.cls_token', 'neck.mask_token'} <= set(decayed['param_names'])
    assert all(value.ndim == 1 for value in plain['params'])
    assert all(value.ndim > 1 for value in decayed['params'])
    left_out = {name for name, _ in model.named_parameters()} - {
        *plain['param_names'], *decayed['param_names']}
    assert left_out == {'backbone.pos_embed', 'neck.decoder_pos_embed'}
    assert {group['lr'] for group in groups} == {1.5e-4 * 512 / 256}
    assert {tuple(group['betas']) for group in groups} == {(0.9, 0.95)}
