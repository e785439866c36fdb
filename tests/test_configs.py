# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every config loads and builds, and says what the papers say."""

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import (
    DATA_SAMPLERS,
    HOOKS,
    METRICS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
)
from mmpretrain.registry import DATASETS as DATASET_REGISTRY

from fmae_iat_plugin.weights.shapes_only import ShapesOnly

REPO = Path(__file__).resolve().parents[1]
CONFIGS = sorted(str(path.relative_to(REPO / 'configs'))
                 for path in (REPO / 'configs').rglob('*.py')
                 # mmdet's own are tried in test_faces/test_face_detection.py
                 if not {'_base_', 'face_detection'} & set(path.parts))
# data set: AUs, subjects, folds, lambda
DATA_SETS = dict(bp4d=(12, 41, 3, 2.0), bp4dplus=(12, 140, 4, 1.0), disfa=(8, 27, 3, 0.5))
# base learning rate, epochs, warm-up
RECIPES = {
    'bp4d': (5e-4, 30, 3), 'bp4dplus': (5e-4, 30, 3), 'disfa': (5e-4, 20, 2),
    'fmae_bp4d': (2e-4, 20, 2), 'fmae_bp4dplus': (5e-4, 20, 2), 'fmae_disfa': (5e-4, 20, 2),
}
ADAMW = dict(type='AdamW', weight_decay=0.05, fused=True)


@cache
def load(name):
    return Config.fromfile(REPO / 'configs' / name)


@cache
def build_model(text):
    with ShapesOnly():
        return MODELS.build(json.loads(text))


def model_of(cfg):
    return build_model(json.dumps(cfg.model.to_dict(), sort_keys=True))


def datasets_of(cfg):
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = cfg.get(loader, {}).get('dataset')
        if dataset is not None:
            yield from dataset.get('datasets', [dataset])


@pytest.mark.slow
@pytest.mark.parametrize('name', CONFIGS)
def test_every_part_is_registered_and_builds(name):
    cfg = load(name)
    model = model_of(cfg)
    for dataset in datasets_of(cfg):
        assert dataset.type in DATASET_REGISTRY
        for transform in dataset.pipeline:
            TRANSFORMS.build(transform)
    evaluators = cfg.get('val_evaluator', [])
    for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
        METRICS.build(evaluator)
    assert cfg.optim_wrapper.type in OPTIM_WRAPPERS
    assert cfg.param_scheduler.type in PARAM_SCHEDULERS
    assert cfg.train_dataloader.batch_sampler.type in DATA_SAMPLERS
    for hook in cfg.custom_hooks:
        HOOKS.build(hook)
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.get(cfg.optim_wrapper.constructor)
    groups = constructor(dict(type='OptimWrapper', optimizer=cfg.optim_wrapper.optimizer),
                         cfg.optim_wrapper.get('paramwise_cfg'))(model).optimizer.param_groups
    assert len(groups) <= 60
    # persistent workers: else every epoch would draw the same augmentation again
    assert all(cfg[key].persistent_workers for key in cfg if key.endswith('_dataloader'))
    # the newest may be damaged by the disk
    assert cfg.default_hooks.checkpoint.max_keep_ckpts >= 2


@pytest.mark.parametrize('method', ['', 'fmae_'])
@pytest.mark.parametrize('data', DATA_SETS)
def test_published_recipes(method, data):
    aus, subjects, folds, scale = DATA_SETS[data]
    blr, epochs, warmup = RECIPES[method + data]
    assert not (REPO / f'configs/iat/{method}{data}_fold{folds + 1}.py').exists()
    for fold in range(1, folds + 1):
        cfg = load(f'iat/{method}{data}_fold{fold}.py')
        assert cfg.train_dataloader.batch_size == 64
        assert cfg.train_dataloader.batch_sampler == dict(type='TotalBatchSampler', drop_last=True)
        optimizer = cfg.optim_wrapper.optimizer
        assert optimizer.lr == pytest.approx(blr * 64 / 256)
        assert {**ADAMW, 'betas': (0.9, 0.999), 'lr': optimizer.lr} == optimizer
        assert cfg.optim_wrapper.paramwise_cfg.layer_decay_rate == 0.65
        assert cfg.optim_wrapper.type == 'MixedPrecisionOptimWrapper'
        assert cfg.optim_wrapper.dtype == 'float16'
        assert 'clip_grad' not in cfg.optim_wrapper
        assert cfg.train_cfg.max_epochs == epochs
        assert cfg.param_scheduler.warmup_epochs == warmup
        assert cfg.param_scheduler.eta_min == 1e-6
        for loader, split in (('train', 'train'), ('val', 'test'), ('test', 'test')):
            dataset = cfg[f'{loader}_dataloader'].dataset
            assert (dataset.fold, dataset.split) == (fold, split)
        model = cfg.model
        assert model.head.num_classes == aus
        assert model.backbone.arch == 'large' and model.backbone.drop_path_rate == 0.1
        assert cfg.default_hooks.checkpoint.save_best == 'paper/f1'
        if method:
            assert model.get('adversary') is None
        else:
            assert model.adversary.neck == dict(type='GradReverse', scale=scale)
            assert model.adversary.head == dict(
                type='LinearIdentityHead', in_channels=1024, num_subjects=subjects, loss='bce')


def test_published_augmentation():
    cfg = load('iat/bp4d_fold1.py')
    names = [t.type for t in cfg.train_dataloader.dataset.pipeline]
    assert names == ['LoadFace', 'RandomResizedCrop', 'RandomFlip', 'TimmRandAugment',
                     'PackInputs']
    crop, augment = (cfg.train_dataloader.dataset.pipeline[i] for i in (1, 3))
    assert crop.crop_ratio_range == (0.08, 1.0) and crop.interpolation == 'bicubic'
    assert crop.scale == 224 and crop.backend == 'pillow'
    assert cfg.train_dataloader.dataset.pipeline[2].prob == 0.5
    assert augment.config_str == 'rand-m9-mstd0.5-inc1' and augment.img_size == 224
    assert cfg.model.data_preprocessor.random_erasing == dict(prob=0.25)  # after normalising
    assert [t.type for t in cfg.test_dataloader.dataset.pipeline] == [
        'LoadFace', 'Resize', 'PackInputs']
    resize = cfg.test_dataloader.dataset.pipeline[1]
    assert resize.scale == (224, 224) and resize.interpolation == 'bilinear'
    assert resize.backend == 'pillow'
    preprocessor = cfg.model.data_preprocessor  # ImageNet, RGB
    assert [round(m / 255, 3) for m in preprocessor.mean] == [0.485, 0.456, 0.406]
    assert [round(s / 255, 3) for s in preprocessor.std] == [0.229, 0.224, 0.225]
    assert preprocessor.to_rgb


@pytest.mark.parametrize('size, width, depth, heads, patch', [
    ('small', 384, 12, 6, 16), ('base', 768, 12, 12, 16), ('large', 1024, 24, 16, 16),
    ('huge', 1280, 32, 16, 14)])
def test_sizes(size, width, depth, heads, patch):
    """MMPretrain's own 'small' is 768 wide and 8 deep: ViT-S is its 'deit-small'."""
    cfg = load(f'fmae/fmae_vit-{size}_face9m.py')
    model = model_of(cfg)
    au = build_model(json.dumps(Config.fromfile(
        REPO / f'configs/_base_/models/au_vit-{size}.py').model.to_dict()))
    for vit in (model.backbone, au.backbone):
        assert (vit.embed_dims, len(vit.layers)) == (width, depth)
        assert vit.layers[0].attn.num_heads == heads
        assert vit.layers[0].ffn.feedforward_channels == 4 * width
        assert vit.patch_embed.projection.kernel_size == (patch, patch)
    assert au.head.fc.in_features == width
    decoder = model.neck
    assert (decoder.decoder_embed.in_features, decoder.decoder_embed.out_features) == (width, 512)
    assert len(decoder.decoder_blocks) == 8 and decoder.decoder_blocks[0].attn.num_heads == 16
    assert decoder.decoder_pos_embed.shape == (1, (224 // patch)**2 + 1, 512)
    assert decoder.decoder_pred.out_features == 3 * patch**2
    assert model.head.patch_size == patch and model.head.norm_pix
    assert model.backbone.mask_ratio == 0.75


@pytest.mark.parametrize('size', ['small', 'base', 'large', 'huge'])
def test_pretraining_recipe(size):
    cfg = load(f'fmae/fmae_vit-{size}_face9m.py')
    assert cfg.train_dataloader.batch_size == 512
    assert cfg.optim_wrapper.optimizer == dict(ADAMW, lr=1.5e-4 * 2, betas=(0.9, 0.95))
    assert cfg.train_cfg.max_epochs == 50
    assert cfg.param_scheduler.warmup_epochs == 2 and cfg.param_scheduler.eta_min == 0
    crop = cfg.model.data_preprocessor.random_resized_crop  # bicubic, on the device
    assert crop == dict(size=224, crop_ratio_range=(0.2, 1.0), flip=0.5)


def test_released_codes_pretraining_transform():
    cfg = load('fmae/fmae_vit-large_face9m_resize-flip.py')
    assert cfg.model.data_preprocessor.random_resized_crop == dict(
        size=224, crop_ratio_range=None, flip=0.5)


@pytest.mark.parametrize('name, value', [(f'lambda{x}', float(x))
                                         for x in ('0', '0.02', '0.5', '1', '2', '3')])
def test_lambda_ablation(name, value):
    cfg, base = load(f'iat/ablations/{name}_bp4d_fold2.py'), load('iat/bp4d_fold2.py')
    assert cfg.model.adversary.neck.scale == value
    changed = cfg.to_dict()
    changed['model']['adversary']['neck']['scale'] = 2.0
    assert changed == base.to_dict()  # and nothing else


@pytest.mark.parametrize('layers', [1, 2, 3])
def test_head_ablation(layers):
    head = model_of(load(f'iat/ablations/id-head{layers}_bp4d_fold2.py')).adversary['head']
    widths = [m.in_features for m in head.modules() if isinstance(m, torch.nn.Linear)]
    assert widths == [1024, 512, 256][:layers]


@pytest.mark.parametrize('name, batch, lr, epochs, warmup, classes', [
    ('rafdb', 32, 1e-3 * 32 / 256, 60, 6, 7), ('affectnet8', 64, 5e-4 * 64 / 256, 30, 3, 8)])
def test_expressions(name, batch, lr, epochs, warmup, classes):
    cfg = load(f'fer/{name}.py')
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(lr)
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler.warmup_epochs) == (epochs, warmup)
    assert cfg.model.head.num_classes == classes and cfg.model.get('adversary') is None
    assert cfg.default_hooks.checkpoint.save_best == 'accuracy/top1'


@pytest.mark.parametrize('name', ['own_table', 'own_table_tiny_48px'])
def test_own_table_takes_two_settings(name):
    """An inheriting config that overrides only what the user knows builds and agrees."""
    cfg = load(f'custom/{name}.py')
    assert cfg.model.head.num_classes == len(cfg.aus)
    assert cfg.model.adversary.head.num_subjects is None  # counted in the table
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert {**cfg[loader].dataset, **cfg.table, 'aus': cfg.aus} == cfg[loader].dataset


@pytest.mark.parametrize('name', ['own_table', 'own_table_tiny_48px'])
def test_an_own_table_chooses_no_epoch_on_the_people_of_its_test(name, face_table):
    cfg = load(f'custom/{name}.py')
    assert cfg.default_hooks.checkpoint.save_best == 'f1/mean'  # not paper/..., which is of a test
    root = face_table([f'{s}.png,{s},1,0,1,0,0' for s in 'ABCDEFGHIJKL'],
                      header='image,subject,AU1,AU2,AU4,AU6,AU12')
    people = {}
    for part in ('train', 'val', 'test'):
        data = DATASET_REGISTRY.build({
            **cfg[f'{part}_dataloader'].dataset, 'data_root': str(root), 'data_prefix': ''})
        people[part] = {data.get_data_info(row)['subject'] for row in range(len(data))}
    assert [len(people[part]) for part in ('train', 'val', 'test')] == [7, 1, 4]
    assert set.union(*people.values()) == set(range(12))
    for path in ('iat/bp4d_fold1.py', 'iat/disfa_fold2.py'):  # as published
        assert load(path).val_dataloader.dataset.split == 'test'
        assert load(path).default_hooks.checkpoint.save_best == 'paper/f1'
