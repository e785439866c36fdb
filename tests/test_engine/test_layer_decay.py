# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Groups against independent formulas; merged groups against one group per tensor."""

import copy

import pytest
import torch
from mmpretrain.models import ImageClassifier, VisionTransformer
from torch import nn

from fmae_iat_plugin.engine import LayerDecayOptimWrapperConstructor

FINE_TUNING = {'layer_decay_rate': 0.65, 'undecayed': ('cls_token', 'pos_embed')}
TINY = {'embed_dims': 16, 'num_layers': 3, 'num_heads': 2, 'feedforward_channels': 32}


class Classifier(ImageClassifier):
    """An encoder, its AU head and an adversary, named as in the plugin."""

    def __init__(self, **backbone):
        super(ImageClassifier, self).__init__()
        self.backbone = VisionTransformer(out_type='avg_featmap', **backbone)
        width = self.backbone.embed_dims
        self.head = nn.Linear(width, 12)
        self.adversary = nn.Linear(width, 41)


def build(model, paramwise_cfg=None, lr=1e-3, **options):
    optimizer = {'type': 'AdamW', 'lr': lr, 'weight_decay': 0.05, **options}
    constructor = LayerDecayOptimWrapperConstructor({'optimizer': optimizer}, paramwise_cfg)
    return constructor(model).optimizer


def tiny(final_norm=False):
    torch.manual_seed(0)
    return Classifier(arch=TINY, img_size=32, final_norm=final_norm)


@pytest.fixture(scope='module')
def vit_large():
    with torch.device('meta'):
        model = Classifier(arch='large', final_norm=True)
    return model, build(model, FINE_TUNING)


def test_vit_large_has_few_groups_with_every_parameter_once(vit_large):
    model, optimizer = vit_large
    names = [name for group in optimizer.param_groups for name in group['param_names']]
    grouped = [param for group in optimizer.param_groups for param in group['params']]
    assert len(optimizer.param_groups) <= 60
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    by_name = dict(model.named_parameters())
    assert all(param is by_name[name] for name, param in zip(names, grouped, strict=True))


def test_vit_large_scales_and_decays_follow_the_paper(vit_large):
    model, optimizer = vit_large
    layer_of = {name: 25 for name, _ in model.named_parameters()}
    for name in ('cls_token', 'pos_embed', 'patch_embed.projection.weight',
                 'patch_embed.projection.bias'):
        layer_of[f'backbone.{name}'] = 0
    for block in range(24):
        for name in model.backbone.layers[block].state_dict():
            layer_of[f'backbone.layers.{block}.{name}'] = block + 1
    for group in optimizer.param_groups:
        for name, param in zip(group['param_names'], group['params'], strict=True):
            expected = 0.65**(25 - layer_of[name])
            assert group['lr_scale'] == pytest.approx(expected, rel=1e-12), name
            assert group['lr'] == pytest.approx(1e-3 * expected, rel=1e-12), name
            undecayed = len(param.shape) == 1 or name in ('backbone.cls_token',
                                                          'backbone.pos_embed')
            assert group['weight_decay'] == (0 if undecayed else 0.05), name
    for name in ('backbone.ln1.weight', 'backbone.ln2.bias', 'head.weight', 'adversary.bias'):
        assert layer_of[name] == 25  # after the blocks: scale 1


def test_pretraining_decays_the_tokens_and_skips_frozen_position_embeddings():
    model = tiny()
    model.backbone.pos_embed.requires_grad = False
    groups = {group['weight_decay']: group for group in build(model).param_groups}
    assert sorted(groups) == [0, 0.05]
    assert 'backbone.cls_token' in groups[0.05]['param_names']
    assert all(group['lr_scale'] == 1 for group in groups.values())
    named = groups[0]['param_names'] + groups[0.05]['param_names']
    assert set(dict(model.named_parameters())) - set(named) == {'backbone.pos_embed'}
    assert all(param.ndim == 1 for param in groups[0]['params'])


@pytest.mark.parametrize('option', [{'foreach': True}, {'fused': True}, {}])
def test_updates_equal_those_of_one_group_per_tensor(option):
    model = tiny()
    twin = copy.deepcopy(model)
    merged = build(model, FINE_TUNING, **option)
    settings = {name: group for group in merged.param_groups for name in group['param_names']}
    single = torch.optim.AdamW([
        {'params': [param], 'lr': settings[name]['lr'],
         'weight_decay': settings[name]['weight_decay']}
        for name, param in twin.named_parameters()], foreach=False)
    for _ in range(3):
        for param, other in zip(model.parameters(), twin.parameters(), strict=True):
            param.grad = torch.randn_like(param)
            other.grad = param.grad.clone()
        merged.step()
        single.step()
    for param, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(param, other, rtol=0, atol=1e-7)


def test_head_comes_first_so_that_the_log_shows_its_rate():
    scales = [group['lr_scale'] for group in build(tiny(), FINE_TUNING).param_groups]
    assert scales[0] == 1
    assert scales == sorted(scales, reverse=True)


def test_order_is_stable_and_ddp_prefix_makes_no_difference():
    wrapped = nn.Module()
    wrapped.module = tiny()
    first = [group['param_names'] for group in build(tiny(), FINE_TUNING).param_groups]
    assert first == [g['param_names'] for g in build(wrapped, FINE_TUNING).param_groups]


def test_compiled_submodule_is_refused_and_compile_in_place_is_not():
    model = tiny()
    model.backbone.compile()
    build(model, FINE_TUNING)
    model.backbone = torch.compile(model.backbone)
    with pytest.raises(ValueError, match=r'_orig_mod.*module\.compile\(\)'):
        build(model, FINE_TUNING)


def test_tied_parameter_is_refused():
    model = tiny()
    model.adversary = nn.Linear(16, 12)
    model.adversary.weight = model.head.weight
    with pytest.raises(ValueError, match='head.weight and adversary.weight are the same'):
        build(model, FINE_TUNING)


@pytest.mark.parametrize(('cfg', 'error', 'words'), [
    ({'layer_decay_rate': 0.65, 'norm_decay_mult': 0.0}, ValueError, 'norm_decay_mult'),
    ({'layer_decay_rate': 1.5}, ValueError, 'layer_decay_rate=1.5'),
    ({'undecayed': 'cls_token'}, TypeError, 'sequence'),
])
def test_wrong_settings_are_named(cfg, error, words):
    with pytest.raises(error, match=words):
        build(tiny(), cfg)


def test_missing_weight_decay_depth_function_or_parameters_are_named():
    with pytest.raises(ValueError, match='set weight_decay'):
        LayerDecayOptimWrapperConstructor({'optimizer': {'type': 'AdamW', 'lr': 1.0}})
    with pytest.raises(ValueError, match=r'Linear\.get_layer_depth'):
        build(nn.Linear(2, 2), FINE_TUNING)
    with pytest.raises(ValueError, match='no trainable parameter'):
        build(nn.ReLU())


def test_depth_out_of_range_is_refused():
    model = tiny()
    model.get_layer_depth = lambda name: (7, 5)
    with pytest.raises(ValueError, match=r'\(7, 5\)'):
        build(model, FINE_TUNING)


def test_the_head_of_the_adversary_has_a_rate_of_its_own():
    factors = {'adversary': 5.0, 'adversary.bias': 2.0, 'backbone.layers.1': 0.5}
    optimizer = build(tiny(), {**FINE_TUNING, 'lr_mult': factors})
    rates = {name: group['lr'] for group in optimizer.param_groups
             for name in group['param_names']}
    plain = {name: group['lr'] for group in build(tiny(), FINE_TUNING).param_groups
             for name in group['param_names']}
    for name, rate in plain.items():
        factor = {'adversary.weight': 5.0, 'adversary.bias': 2.0}.get(
            name, 0.5 if name.startswith('backbone.layers.1.') else 1.0)
        assert rates[name] == pytest.approx(rate * factor, rel=1e-12), name
    assert all(group['lr'] == pytest.approx(1e-3 * group['lr_scale'])  # the floor follows it
               for group in optimizer.param_groups)
    with pytest.raises(ValueError, match=r"lr_mult=\{'head': 0\} must be above 0"):
        build(tiny(), {'lr_mult': {'head': 0}})
