# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Strictness and safety of the encoder loader, on tiny encoders and real MMEngine files."""

import argparse
import copy
import os
import pathlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_state_dict
from mmpretrain.models import MAE, VisionTransformer
from mmpretrain.structures import DataSample
from mmpretrain.utils import register_all_modules

from fmae_iat_plugin.weights import checkpoint, unpickling
from fmae_iat_plugin.weights.pretrained import load_pretrained_encoder, read_state_dict

register_all_modules(init_default_scope=False)
TINY = {'embed_dims': 32, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 64}


def encoder(arch=None, img_size=32, **kwargs):
    options = {'out_type': 'avg_featmap', 'final_norm': False, 'patch_size': 8, **kwargs}
    return VisionTransformer(arch=arch or TINY, img_size=img_size, **options)


def pretrained_weights(**kwargs):
    """Random weights of a MAE encoder with its decoder, by name."""
    torch.manual_seed(1)
    weights = encoder(out_type='raw', final_norm=True, **kwargs).state_dict()
    weights = {f'backbone.{name}': torch.randn_like(value) for name, value in weights.items()}
    return {**weights, 'neck.mask_token': torch.zeros(1, 1, 8), 'neck.decoder_pred.weight':
            torch.zeros(4, 8), 'data_preprocessor.mean': torch.zeros(3, 1, 1)}


def save(tmp_path, weights, key='state_dict'):
    path = tmp_path / 'checkpoint.pth'
    torch.save({key: weights} if key else weights, path)
    return path


def refusal(path, backbone=None):
    """Loads, expects an error, checks that nothing changed, returns the message."""
    backbone = backbone or encoder()
    before = copy.deepcopy(backbone.state_dict())
    with pytest.raises(ValueError) as error:
        load_pretrained_encoder(backbone, path)
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name]), name
    return str(error.value)


@pytest.fixture(scope='module')
def mae_checkpoint(tmp_path_factory):
    """A checkpoint that a runner wrote while it pretrained a tiny MAE for two iterations."""
    folder = tmp_path_factory.mktemp('mae')
    dataset = [{'inputs': torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8),
                'data_samples': DataSample()} for _ in range(4)]
    model = MAE(
        backbone={'type': 'MAEViT', 'arch': TINY, 'img_size': 32, 'patch_size': 8},
        neck={'type': 'MAEPretrainDecoder', 'num_patches': 16, 'patch_size': 8,
              'embed_dim': 32, 'decoder_embed_dim': 16, 'decoder_depth': 1,
              'decoder_num_heads': 2},
        head={'type': 'MAEPretrainHead', 'norm_pix': True, 'patch_size': 8,
              'loss': {'type': 'PixelReconstructionLoss', 'criterion': 'L2'}},
        data_preprocessor={'mean': [127.0] * 3, 'std': [64.0] * 3})
    runner = Runner(
        model=model, work_dir=str(folder), default_scope='mmpretrain', log_level='ERROR',
        experiment_name=folder.name, randomness={'seed': 0},
        train_dataloader={'dataset': dataset, 'batch_size': 2,
                          'collate_fn': {'type': 'default_collate'},
                          'sampler': {'type': 'DefaultSampler', 'shuffle': True}},
        train_cfg={'by_epoch': True, 'max_epochs': 1},
        optim_wrapper={'optimizer': {'type': 'AdamW', 'lr': 1e-3}},
        param_scheduler={'type': 'CosineAnnealingLR'})
    runner.train()
    return folder / 'epoch_1.pth', model.backbone


def test_real_mmengine_checkpoint(mae_checkpoint):
    path, mae = mae_checkpoint
    backbone = encoder()
    load_pretrained_encoder(backbone, path)
    loaded, source = backbone.state_dict(), mae.state_dict()
    assert set(source) - set(loaded) == {'ln1.weight', 'ln1.bias'}
    for name in set(loaded) - {'ln2.weight', 'ln2.bias'}:
        assert torch.equal(loaded[name], source[name]), name
    assert torch.equal(backbone.ln2.weight, torch.ones(32))
    assert torch.equal(backbone.ln2.bias, torch.zeros(32))
    images = torch.randn(2, 3, 32, 32)
    mae.eval()
    backbone.eval()
    tokens = mae.patch_embed(images)[0] + mae.pos_embed[:, 1:]
    tokens = torch.cat([(mae.cls_token + mae.pos_embed[:, :1]).expand(2, -1, -1), tokens], 1)
    for layer in mae.layers:
        tokens = layer(tokens)
    expected = F.layer_norm(tokens[:, 1:].mean(1), (32, ), eps=1e-6)
    torch.testing.assert_close(backbone(images)[-1], expected)


@pytest.mark.parametrize('key', ['state_dict', 'model', None])
@pytest.mark.parametrize('prefix', ['backbone.', ''])
@pytest.mark.parametrize('ddp', ['module.', ''])
def test_where_the_weights_may_stand(tmp_path, key, prefix, ddp):
    source = pretrained_weights()
    weights = {ddp + (name if prefix else name.removeprefix('backbone.')): value
               for name, value in source.items()}
    backbone = encoder()
    load_pretrained_encoder(backbone, str(save(tmp_path, weights, key)))
    for name, value in backbone.state_dict().items():
        if not name.startswith('ln2'):
            assert torch.equal(value, source[f'backbone.{name}']), name


def test_au_classifier_checkpoint_brings_its_ln2(tmp_path):
    source = {f'backbone.{name}': torch.randn_like(value)
              for name, value in encoder().state_dict().items()}
    extra = {'head.fc.weight': torch.zeros(12, 32),
             'adversary.head.fc.weight': torch.zeros(41, 32)}
    backbone = encoder()
    load_pretrained_encoder(backbone, save(tmp_path, {**source, **extra}))
    assert torch.equal(backbone.ln2.weight, source['backbone.ln2.weight'])


def test_mask_token_and_final_norm_may_be_left_over(tmp_path):
    weights = {**pretrained_weights(), 'backbone.mask_token': torch.zeros(1, 1, 32)}
    load_pretrained_encoder(encoder(), save(tmp_path, weights))


@pytest.mark.parametrize('name', ['layers.1.ffn.layers.1.bias', 'cls_token', 'pos_embed',
                                  'patch_embed.projection.weight'])
def test_missing_parameter_is_refused(tmp_path, name):
    weights = pretrained_weights()
    del weights[f'backbone.{name}']
    assert f'missing from the checkpoint (1): {name}\n' in refusal(save(tmp_path, weights))


def test_half_of_ln2_is_refused(tmp_path):
    weights = {**pretrained_weights(), 'backbone.ln2.weight': torch.ones(32)}
    assert 'missing from the checkpoint (1): ln2.bias' in refusal(save(tmp_path, weights))


@pytest.mark.parametrize('name', ['backbone.layers.0.gamma', 'ema.decay', 'backbone.head.weight'])
def test_unknown_left_over_is_refused(tmp_path, name):
    weights = {**pretrained_weights(), name: torch.ones(1)}
    text = refusal(save(tmp_path, weights))
    assert f'unknown to the backbone (1): {name.removeprefix("backbone.")}\n' in text


def test_missing_ln1_and_left_over_ln2_name_the_option(tmp_path):
    weights = pretrained_weights()
    with_norm = {name: value for name, value in weights.items() if 'backbone.ln1' not in name}
    assert 'final_norm=False' in refusal(save(tmp_path, with_norm), encoder(final_norm=True))
    tuned = {**weights, 'backbone.ln2.weight': torch.ones(32), 'backbone.ln2.bias': torch.ones(32)}
    assert "out_type='avg_featmap'" in refusal(save(tmp_path, tuned), encoder(out_type='raw'))


def test_wrong_architecture_names_both(tmp_path):
    with torch.device('meta'):
        small = encoder(arch='deit-small', patch_size=16, img_size=224)
    weights = {f'backbone.{name}': torch.zeros(()).expand(value.shape)
               for name, value in small.state_dict().items()}
    text = refusal(save(tmp_path, weights))
    assert "a ViT-S, arch='deit-small' (384 wide, 12 blocks, patch 16)" in text
    assert '(32 wide, 2 blocks, patch 8)' in text
    assert 'cls_token (1, 1, 384) instead of (1, 1, 32)' in text


@pytest.mark.parametrize('option', [{'arch': {**TINY, 'num_layers': 3}}, {'patch_size': 4}])
def test_deeper_checkpoint_or_other_patch_is_refused(tmp_path, option):
    assert 'choose the checkpoint or' in refusal(save(tmp_path, pretrained_weights(**option)))


@pytest.mark.parametrize('name', ['blocks.0.attn.qkv.weight', 'patch_embed.proj.weight'])
def test_timm_names_must_be_converted(tmp_path, name):
    text = refusal(save(tmp_path, {name: torch.zeros(1), 'cls_token': torch.zeros(1)}, 'model'))
    assert 'convert it to MMPretrain names first' in text


def test_not_silently_partial_as_mmengine_is(tmp_path):
    """A file of names that match nothing: MMEngine warns and goes on, this loader raises."""
    weights = {f'encoder.{name}': value for name, value in encoder().state_dict().items()}
    backbone = encoder()
    before = copy.deepcopy(backbone.state_dict())
    load_state_dict(backbone, weights, strict=False, logger=None)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert 'missing from the checkpoint' in refusal(save(tmp_path, weights))


def test_position_embedding_of_another_size_is_interpolated_and_logged(tmp_path, monkeypatch):
    weights, lines = pretrained_weights(), []
    monkeypatch.setattr(MMLogger, 'info', lambda self, text, *args: lines.append(text))
    backbone = encoder(img_size=64)
    load_pretrained_encoder(backbone, save(tmp_path, weights))
    saved = weights['backbone.pos_embed']
    grid = saved[:, 1:].reshape(1, 4, 4, 32).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(8, 8), mode='bicubic', align_corners=False)
    expected = torch.cat([saved[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
    torch.testing.assert_close(backbone.pos_embed.detach(), expected)
    assert any('(1, 17, 32) is interpolated to (1, 65, 32)' in line for line in lines)


def test_position_embedding_without_a_square_grid_is_refused(tmp_path):
    weights = {**pretrained_weights(), 'backbone.pos_embed': torch.zeros(1, 16, 32)}
    assert 'pos_embed (1, 16, 32) instead of (1, 17, 32)' in refusal(save(tmp_path, weights))


class Hostile:

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('attack', [
    lambda path: Hostile(os.system, f'touch {path}'),
    lambda path: Hostile(eval, f'open({str(path)!r}, "w")'),
    lambda path: Hostile(pathlib.Path.touch, path),
])
def test_hostile_file_is_refused_and_runs_nothing(tmp_path, attack, legacy):
    trace = tmp_path / 'trace'
    path = tmp_path / 'hostile.pth'
    torch.save({'state_dict': pretrained_weights(), 'meta': attack(trace)}, path,
               _use_new_zipfile_serialization=not legacy)
    text = refusal(path)
    assert 'was refused (GLOBAL' in text
    assert 'could run code' in text
    assert not trace.exists()


class Witness:
    """Notes that it was brought to life."""

    alive = []

    def __setstate__(self, state):
        self.alive.append(state)


def test_allowed_objects_are_never_created(tmp_path, monkeypatch):
    path = tmp_path / 'checkpoint.pth'
    witness = Witness()
    witness.value = 1
    meta = [Hostile(getattr, np.zeros(2), 'tofile'), np.float64(1), np.arange(3),
            argparse.Namespace(lr=1), pathlib.Path('x'), slice(1, 2), witness]
    torch.save({'state_dict': {'weight': torch.ones(2)}, 'meta': meta}, path)
    with pytest.raises(ValueError, match=r'was refused \(GLOBAL .*Witness'):
        read_state_dict(path)
    monkeypatch.setattr(checkpoint, 'STAND_INS', [
        *checkpoint.STAND_INS, (unpickling.Nothing, f'{Witness.__module__}.Witness')])
    assert torch.equal(read_state_dict(path)['weight'], torch.ones(2))
    assert not Witness.alive
    torch.load(path, weights_only=False)  # what a full unpickling would have done
    assert Witness.alive == [{'value': 1}]


def test_truncated_checkpoint(tmp_path):
    path = save(tmp_path, pretrained_weights())
    path.write_bytes(path.read_bytes()[:-1000])
    assert 'not a readable torch file' in refusal(path)


def test_checkpoint_without_weights_and_missing_file(tmp_path):
    assert "it holds: ['epoch']" in refusal(save(tmp_path, 3, 'epoch'))
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth does not exist'):
        load_pretrained_encoder(encoder(), tmp_path / 'nowhere.pth')


def test_url_is_fetched_into_the_cache_and_read_safely(tmp_path, monkeypatch, file_server):
    path = save(tmp_path, pretrained_weights())
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    file_server.files['/mae.pth'] = path.read_bytes()
    backbone = encoder()
    load_pretrained_encoder(backbone, f'{file_server.url}/mae.pth')
    assert torch.equal(backbone.cls_token, pretrained_weights()['backbone.cls_token'])
    torch.save({'state_dict': {}, 'meta': Hostile(os.system, 'true')}, path)
    file_server.files['/hostile.pth'] = path.read_bytes()
    assert 'was refused' in refusal(f'{file_server.url}/hostile.pth')
