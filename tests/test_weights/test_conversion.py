# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Conversion of weights against timm models that carry the names of MAE, FMAE and FMAE-IAT."""

import argparse
import copy
import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from safetensors.torch import load_file, save_file
from small_models import Hostile
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

import fmae_iat_plugin  # noqa: F401
from fmae_iat_plugin.weights.checkpoint import read_checkpoint, read_state_dict
from fmae_iat_plugin.weights.conversion import (
    fmae_to_mmpretrain,
    mmpretrain_to_fmae,
    to_fmae,
    to_mmpretrain,
)
from fmae_iat_plugin.weights.pretrained import load_pretrained_encoder

ROOT = Path(__file__).parents[2]
TINY = dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2)
TINY_ARCH = dict(_delete_=True, embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=128)
TINY_CONFIG = {'backbone.arch': TINY_ARCH, 'backbone.img_size': 32, 'backbone.patch_size': 8,
               'head.in_channels': 32, 'adversary.head.in_channels': 32}


def randomise(model):
    """Every parameter away from 0 and 1, so that no two can be mixed up unnoticed."""
    torch.manual_seed(3)
    for value in model.parameters():
        value.data += 0.1 * torch.randn_like(value)
    return model.eval()


def fine_tuned(identities=41, hidden=(), **options):
    """The architecture that the authors fine-tune: mean of the patch tokens, `fc_norm`, `head`."""
    options = {**TINY, **options}
    model = VisionTransformer(global_pool='avg', num_classes=12, **options)
    if identities:
        layers, width = [], options['embed_dim']
        for wide in hidden:
            layers += [nn.Linear(width, wide), nn.GELU()]
            width = wide
        last = nn.Linear(width, identities)
        model.ID_head = nn.Sequential(*layers, last) if hidden else last
    return randomise(model)


def save(path, weights, **more):
    """Writes a file as the authors do: `model`, and the arguments of the command line."""
    args = argparse.Namespace(model='vit_large_patch16', blr=5e-4, output_dir='out', eval=False)
    torch.save(dict(model=weights, args=args, epoch=20, **more), path)
    return path


def build(name, options=None):
    """The model of a base config; `options` are changes below `model`."""
    cfg = Config.fromfile(ROOT / f'configs/_base_/models/{name}.py')
    options = copy.deepcopy(options or {})  # mmengine takes `_delete_` out of them
    cfg.merge_from_dict({f'model.{key}': value for key, value in options.items()})
    cfg.model.pretrained = cfg.model.data_preprocessor = None
    if cfg.model.type == 'MAE':
        del cfg.model.pretrained
    return MODELS.build(cfg.model).eval()


def assert_same_bits(found, wanted):
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize(('source', 'config', 'options'), [
    (dict(identities=41), 'iat_vit-large', TINY_CONFIG),
    (dict(identities=5, hidden=(16, 8)), 'iat_vit-large',
     {**TINY_CONFIG, 'adversary.head.num_subjects': 5, 'adversary.head.hidden_dims': (16, 8)}),
    (dict(identities=0, img_size=224, patch_size=16, embed_dim=384, depth=12, num_heads=6),
     'au_vit-small', None),
], ids=['iat', 'three-layer-identity-head', 'vit-small'])
def test_fine_tuned_gives_the_same_logits_and_converts_back(tmp_path, source, config, options):
    twin = fine_tuned(**source)
    path = save(tmp_path / 'theirs.pth', twin.state_dict())
    fmae_to_mmpretrain(path, tmp_path / 'ours.pth')
    model = build(config, options)
    model.load_state_dict(read_state_dict(tmp_path / 'ours.pth'), strict=True)
    images = torch.randn(2, 3, twin.patch_embed.img_size[0], twin.patch_embed.img_size[0])
    with torch.no_grad():
        expected = twin(images)
        torch.testing.assert_close(model(images), expected, atol=1e-5, rtol=0)
        assert expected.std() > 1e-3  # the logits say something
        if source['identities']:
            feature = twin.forward_head(twin.forward_features(images), pre_logits=True)
            found = model.adversary['head'](model.extract_feat(images))
            torch.testing.assert_close(found, twin.ID_head(feature), atol=1e-5, rtol=0)
    mmpretrain_to_fmae(tmp_path / 'ours.pth', tmp_path / 'back.pth')
    back = torch.load(tmp_path / 'back.pth', weights_only=True)
    assert_same_bits(back['model'], twin.state_dict())
    assert list(back['model']) == list(twin.state_dict())


@pytest.mark.parametrize(('config', 'arch', 'width'), [
    ('au_vit-small', 'deit-small', 384), ('au_vit-base', 'base', 768),
    ('au_vit-large', 'large', 1024), ('au_vit-huge', 'huge', 1280)])
def test_sizes_are_found_from_shapes(config, arch, width):
    with torch.device('meta'):
        ours = build(config).state_dict()
    theirs = to_fmae(ours)
    assert theirs.weights['blocks.11.attn.qkv.weight'].shape == (3 * width, width)
    again = to_mmpretrain(theirs.weights)
    assert {name: value.shape for name, value in again.weights.items()} == {
        name: value.shape for name, value in ours.items()}
    assert again.size.arch == arch
    assert (again.size.img_size, again.size.num_classes) == (224, 12)


class MAETwin(VisionTransformer):
    """MAE's pretraining model by its names: an encoder with `norm`, and the decoder."""

    def __init__(self):
        super().__init__(img_size=48, patch_size=6, embed_dim=192, depth=6, num_heads=6,
                         num_classes=0, global_pool='token')
        self.decoder_embed = nn.Linear(192, 128)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 128))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, 65, 128))
        self.decoder_blocks = nn.ModuleList(Block(128, 4, qkv_bias=True) for _ in range(2))
        self.decoder_norm = nn.LayerNorm(128)
        self.decoder_pred = nn.Linear(128, 6 * 6 * 3)
        for norm in self.modules():
            if isinstance(norm, nn.LayerNorm):
                norm.eps = 1e-6

    def predict(self, images, kept):
        """Pixels `[N, 64, 108]` from the `kept` patches of all images alone."""
        tokens = self.patch_embed(images) + self.pos_embed[:, 1:]
        cls_token = (self.cls_token + self.pos_embed[:, :1]).expand(len(images), -1, -1)
        latent = self.norm(self.blocks(torch.cat([cls_token, tokens[:, kept]], dim=1)))
        latent = self.decoder_embed(latent)
        every = self.mask_token.repeat(len(images), 64, 1)
        every[:, kept] = latent[:, 1:]
        every = torch.cat([latent[:, :1], every], dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            every = block(every)
        return self.decoder_pred(self.decoder_norm(every))[:, 1:]


def test_mae_pretraining_checkpoint(tmp_path):
    twin = randomise(MAETwin())
    path = save(tmp_path / 'theirs.pth', twin.state_dict(), optimizer=dict(state={}), scaler={})
    converted = fmae_to_mmpretrain(path, tmp_path / 'ours.pth')
    assert converted.size.decoder == (128, 2, 512)
    model = build('mae_vit-tiny-48px')
    model.load_state_dict(read_state_dict(tmp_path / 'ours.pth'), strict=True)
    image = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        latent, mask, restore = model.backbone(image)
        kept = restore[0].argsort()[:16]
        assert not mask[0, kept].any()
        torch.testing.assert_close(model.neck(latent, restore), twin.predict(image, kept),
                                   atol=1e-5, rtol=0)
    backbone = build('au_vit-large', {
        'backbone.arch': dict(TINY_ARCH, embed_dims=192, num_layers=6, num_heads=6,
                              feedforward_channels=768),
        'backbone.img_size': 48, 'backbone.patch_size': 6}).backbone
    load_pretrained_encoder(backbone, tmp_path / 'ours.pth')
    assert torch.equal(backbone.layers[5].attn.qkv.weight, twin.blocks[5].attn.qkv.weight)
    mmpretrain_to_fmae(tmp_path / 'ours.pth', tmp_path / 'back.pth')
    assert_same_bits(torch.load(tmp_path / 'back.pth', weights_only=True)['model'],
                     twin.state_dict())


@pytest.mark.parametrize('formats', itertools.product(('.pth', '.safetensors'), repeat=2),
                         ids=' to '.join)
def test_safetensors_in_and_out_and_half_precision(tmp_path, formats):
    weights = fine_tuned().half().state_dict()
    source, target = (tmp_path / f'{name}{end}' for name, end in zip('st', formats))
    if formats[0] == '.pth':
        save(source, weights)
    else:
        save_file(weights, source)
    fmae_to_mmpretrain(source, target, aus=(1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24))
    assert read_checkpoint(target)['meta']['dataset_meta']['classes'][11] == 'AU24'
    assert_same_bits(to_fmae(read_state_dict(target)).weights, weights)
    mmpretrain_to_fmae(target, tmp_path / 'back.safetensors')
    assert_same_bits(load_file(tmp_path / 'back.safetensors'), weights)


def test_position_embeddings_for_another_image_size(tmp_path):
    twin = fine_tuned()
    path = save(tmp_path / 'theirs.pth', twin.state_dict())
    assert fmae_to_mmpretrain(path, tmp_path / 'ours.pth', img_size=64).size.img_size == 64
    model = build('iat_vit-large', {**TINY_CONFIG, 'backbone.img_size': 64})
    model.load_state_dict(read_state_dict(tmp_path / 'ours.pth'), strict=True)
    wanted = resample_abs_pos_embed(twin.pos_embed, [8, 8], antialias=False)  # as MAE resizes
    torch.testing.assert_close(model.backbone.pos_embed, wanted)
    mae = to_mmpretrain(MAETwin().state_dict(), img_size=72).weights
    assert mae['neck.decoder_pos_embed'].shape == (1, 145, 128)
    with pytest.raises(ValueError, match='img_size is 60. Remedy: set a multiple of the patch'):
        to_mmpretrain(twin.state_dict(), img_size=60)


def hugging_face_names(weights):
    """The names of `ViTForImageClassification`, with query, key and value apart."""
    parts = {'norm1': 'layernorm_before', 'norm2': 'layernorm_after', 'mlp.fc1':
             'intermediate.dense', 'mlp.fc2': 'output.dense', 'attn.proj': 'attention.output.dense'}
    stems = {'cls_token': 'embeddings.cls_token', 'pos_embed': 'embeddings.position_embeddings',
             'patch_embed.proj': 'embeddings.patch_embeddings.projection', 'norm': 'layernorm'}
    renamed = {}
    for name, value in weights.items():
        stem, _, leaf = name.rpartition('.') if '.' in name else (name, '', '')
        end = f'.{leaf}' if leaf else ''
        if stem == 'head':
            renamed[f'classifier{end}'] = value
        elif stem in stems:
            renamed[f'vit.{stems[stem]}{end}'] = value
        else:
            _, number, part = stem.split('.', 2)
            start = f'vit.encoder.layer.{number}.'
            if part == 'attn.qkv':
                for which, third in zip(('query', 'key', 'value'), value.chunk(3)):
                    renamed[f'{start}attention.attention.{which}{end}'] = third
            else:
                renamed[f'{start}{parts[part]}{end}'] = value
    return renamed


@pytest.mark.parametrize('names', [dict, hugging_face_names])
def test_image_classifiers_of_timm_and_hugging_face_are_start_points(tmp_path, names):
    twin = randomise(VisionTransformer(num_classes=10, **TINY))
    converted = to_mmpretrain(names(twin.state_dict()))
    assert {name.split('.')[0] for name in converted.left_out} <= {'head', 'classifier'}
    assert len(converted.left_out) == 2
    torch.save(dict(state_dict=converted.weights), tmp_path / 'ours.pth')
    model = build('iat_vit-large', {**TINY_CONFIG, 'backbone.out_type': 'raw',
                                    'backbone.final_norm': True})
    load_pretrained_encoder(model.backbone, tmp_path / 'ours.pth')
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.backbone(images)[-1], twin.forward_features(images),
                                   atol=1e-5, rtol=0)


def test_models_of_transformers_itself():
    transformers = pytest.importorskip('transformers')
    options = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32,
                   intermediate_size=128, patch_size=8)
    twin = randomise(transformers.ViTModel(transformers.ViTConfig(
        **options, layer_norm_eps=1e-6, hidden_dropout_prob=0)))
    converted = to_mmpretrain(twin.state_dict())
    model = build('iat_vit-large', {**TINY_CONFIG, 'backbone.out_type': 'raw',
                                    'backbone.final_norm': True}).backbone
    model.load_state_dict({name.removeprefix('backbone.'): value
                           for name, value in converted.weights.items()}, strict=True)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(images)[-1], twin(images).last_hidden_state,
                                   atol=1e-5, rtol=0)
    mae = transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(
        **options, decoder_hidden_size=16, decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2, decoder_intermediate_size=64))
    assert to_mmpretrain(mae.state_dict()).size.decoder == (16, 1, 64)


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a tool in this process: exit message or None, and what it printed."""

    def call(tool, *args):
        monkeypatch.setattr('sys.argv', [tool, *map(str, args)])
        message = None
        try:
            runpy.run_path(str(ROOT / f'tools/model_converters/{tool}.py'), run_name='__main__')
        except SystemExit as end:
            message = end.code
        return message, capsys.readouterr().out

    return call


def test_hostile_pickle_is_refused_unless_trusted(tmp_path, command):
    trace, target = tmp_path / 'trace', tmp_path / 'ours.pth'
    weights = fine_tuned().state_dict()
    path = save(tmp_path / 'hostile.pth', weights, extra=Hostile(trace))
    message, _ = command('fmae_to_mmpretrain', path, target)
    assert 'was refused (GLOBAL posix.mkdir' in message
    assert '--trust-pickle' in message
    assert not trace.exists()
    assert not target.exists()
    message, printed = command('fmae_to_mmpretrain', path, target, '--trust-pickle')
    assert message is None
    assert trace.exists()
    assert '12 classes, 41 subjects; 34 tensors' in printed
    assert_same_bits(read_state_dict(target), to_mmpretrain(weights).weights)
    message, printed = command('mmpretrain_to_fmae', target, tmp_path / 'back.pth')
    assert message is None
    assert_same_bits(read_state_dict(tmp_path / 'back.pth'), weights)


def test_commands_name_file_and_remedy(tmp_path, command):
    path = save(tmp_path / 'theirs.pth', fine_tuned().state_dict())
    fmae_to_mmpretrain(path, tmp_path / 'ours.pth')
    for args, words in (
            ([tmp_path / 'nowhere.pth', tmp_path / 'x.pth'], 'nowhere.pth does not exist'),
            ([path, tmp_path / 'x.onnx'], 'end it with .pth or .safetensors'),
            ([path, tmp_path / 'x.pth', '--aus', 1, 2], '2 AUs were given ([1, 2]) for a')):
        message, _ = command('fmae_to_mmpretrain', *args)
        assert message.startswith('error: ')
        assert words in message
    (tmp_path / 'cut.safetensors').write_bytes(b'\x80\0\0\0\0\0\0\0{"a"')
    message, _ = command('mmpretrain_to_fmae', tmp_path / 'cut.safetensors', tmp_path / 'x.pth')
    assert 'cut.safetensors is not a readable safetensors file' in message
    message, _ = command('mmpretrain_to_fmae', path, tmp_path / 'x.pth')
    assert f'{path}: ' in message
    assert 'fmae_to_mmpretrain.py' in message
    assert list(tmp_path.glob('x*')) == []


@pytest.mark.parametrize(('change', 'words'), [
    ({'blocks.1.mlp.fc2.bias': None}, 'missing (1): blocks.1.mlp.fc2.bias\n'),
    ({'blocks.0.norm1.weight': None, 'blocks.0.norm1.bias': None}, 'missing (2): blocks.0.norm1'),
    ({'fc_norm.bias': None}, 'missing (1): fc_norm.bias\n'),
    ({'head.bias': None}, 'missing (1): head.bias\n'),
    ({'dist_token': torch.zeros(1, 1, 32)}, 'unknown (1): dist_token\n'),
    ({'blocks.0.ls1.gamma': torch.zeros(32)}, 'unknown (1): blocks.0.ls1.gamma\n'),
    ({'blocks.3.norm1.weight': torch.zeros(32)}, 'missing (23): '),
    ({'pos_embed': torch.zeros(1, 16, 32)}, 'pos_embed (1, 16, 32) instead of (1, 10, 32)'),
    ({'blocks.1.attn.qkv.weight': torch.zeros(64, 32)}, '(64, 32) instead of (96, 32)'),
    ({'decoder_embed.weight': torch.zeros(16, 32)}, 'missing (19): mask_token, '),
    ({'patch_embed.proj.weight': None}, 'this is not a ViT of MAE, FMAE, timm or Hugging Face'),
])
def test_weights_that_do_not_fit(change, words):
    weights = {**fine_tuned().state_dict(), **change}
    with pytest.raises(ValueError) as error:
        to_mmpretrain({name: value for name, value in weights.items() if value is not None})
    assert words in str(error.value)
    assert 'Remedy: ' in str(error.value)


def test_incomplete_hugging_face_file_and_foreign_mmpretrain_tensor():
    weights = hugging_face_names(VisionTransformer(num_classes=0, **TINY).state_dict())
    del weights['vit.encoder.layer.1.attention.attention.key.bias']
    with pytest.raises(ValueError, match=r'but not \[.blocks\.1\.attn\.key\.bias.\]'):
        to_mmpretrain(weights)
    ours = to_mmpretrain(fine_tuned().state_dict()).weights
    with pytest.raises(ValueError, match=r'unknown \(1\): neck\.gate\.weight'):
        to_fmae({**ours, 'neck.gate.weight': torch.zeros(1)})
    assert to_fmae({**ours, 'data_preprocessor.mean': torch.zeros(3)}).left_out == [
        'data_preprocessor.mean']


AUS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)


def ours_of_a_training(path, **more):
    """A checkpoint as a training leaves it, in MMPretrain's names."""
    weights = to_mmpretrain(fine_tuned().state_dict()).weights
    meta = dict(epoch=3, seed=0, config='import os', thresholds=[.3] * 12,
                threshold_subjects=('S1', 'S2'), score=np.float64(.5), space=argparse.Namespace(),
                dataset_meta=dict(aus=AUS, classes=tuple(f'AU{au}' for au in AUS)))
    torch.save(dict(state_dict=weights, meta=meta, optimizer=dict(state={}), **more), path)
    return weights


@pytest.mark.parametrize('end', ['.pth', '.safetensors'])
def test_a_file_in_our_names_is_cleaned_and_keeps_its_notes(tmp_path, command, end):
    """The remedy for a file that the guard refuses, here one with a hostile part."""
    path, target, trace = tmp_path / 'theirs.pth', tmp_path / f'clean{end}', tmp_path / 'trace'
    weights = ours_of_a_training(path, more=Hostile(trace))
    message, _ = command('fmae_to_mmpretrain', path, target)
    assert 'was refused' in message and not trace.exists() and not target.exists()
    message, printed = command('fmae_to_mmpretrain', path, target, '--trust-pickle')
    assert message is None and '12 classes, 41 subjects; 34 tensors' in printed
    content = read_checkpoint(target)
    assert content.keys() == {'state_dict', 'meta'}
    assert_same_bits(content['state_dict'], weights)
    meta = content['meta']
    assert meta['thresholds'] == [.3] * 12 and meta['threshold_subjects'] == ['S1', 'S2']
    assert tuple(meta['dataset_meta']['aus']) == AUS and meta['epoch'] == 3
    assert meta['score'] == .5 and not {'config', 'space'} & meta.keys()


def test_action_units_and_thresholds_go_there_and_back(tmp_path, command):
    ours_of_a_training(tmp_path / 'ours.pth')
    mmpretrain_to_fmae(tmp_path / 'ours.pth', tmp_path / 'theirs.pth')
    fmae_to_mmpretrain(tmp_path / 'theirs.pth', tmp_path / 'again.pth')
    meta = read_checkpoint(tmp_path / 'again.pth')['meta']
    assert meta['dataset_meta']['aus'] == list(AUS) and meta['thresholds'] == [.3] * 12
    # what the file notes is not overruled
    message, _ = command('fmae_to_mmpretrain', tmp_path / 'theirs.pth', tmp_path / 'x.pth',
                         '--aus', *AUS[::-1])
    assert 'in another order' in message and not (tmp_path / 'x.pth').exists()


def test_images_of_another_size_in_our_names(tmp_path):
    path = save(tmp_path / 'theirs.pth', fine_tuned().state_dict())
    fmae_to_mmpretrain(path, tmp_path / 'same.pth')
    fmae_to_mmpretrain(path, tmp_path / 'truth.pth', img_size=48)
    fmae_to_mmpretrain(tmp_path / 'same.pth', tmp_path / 'other.pth', img_size=48)
    assert_same_bits(read_state_dict(tmp_path / 'other.pth'),
                     read_state_dict(tmp_path / 'truth.pth'))
    assert read_checkpoint(tmp_path / 'other.pth')['meta']['img_size'] == 48
