# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""model-index.yml and the metafiles: the OpenMMLab linter's rules, and that what they say is so."""

import json
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from modelindex.load_model_index import load

from fmae_iat_plugin.evaluation.comparison import published_rows
from fmae_iat_plugin.evaluation.published_ablations import published_ablation
from fmae_iat_plugin.faces import CropError
from fmae_iat_plugin.faces.mmdet_detector import import_mmdet
from fmae_iat_plugin.weights.shapes_only import ShapesOnly
from fmae_iat_plugin.weights.zoo_index import find_model

REPO = Path(__file__).resolve().parents[1]
METAFILES = sorted(str(path.relative_to(REPO))
                   for path in (REPO / 'configs').rglob('metafile.yml'))

DRIVE = {  # the authors' public files
    'fmae/fmae_vit-large_face9m': '1xccb4O5cXeq2zO5_Ec1Ybz-VLO4PAwRr',
    'fmae/fmae_vit-base_face9m': '1uCdJq4xQAbYQHTVpcflrnK8OPavJ8Fz7',
    'fmae/fmae_vit-small_face9m': '1p1hJd9ks3U6tg3N1rlEmDyuUNXoRbATJ',
    'iat/bp4d_fold1': '1w5Gad9YKBJMgdyQ4Ax49WatAzZ7vgrKy',
    'iat/bp4d_fold2': '1aIY73NFEW0fObVIE6dh06CIi6HfH6T9u',
    'iat/bp4d_fold3': '1DzP1HrIOOxSYPhrffrRaFrCKeYkWpiPx'}


def published():
    """Config -> {(data set, metric): value}, from the one file of published numbers."""
    f1, accuracy = 'F1 (published)', 'Top 1 Accuracy (published)'
    table = {}
    for data, name, folds in (('bp4d', 'BP4D', 3), ('bp4dplus', 'BP4D+', 4), ('disfa', 'DISFA', 3)):
        means = {row.name.split()[0]: row.values[0] for row in published_rows(name)[0]}
        for fold in range(1, folds + 1):
            for prefix, method in (('', 'FMAE-IAT'), ('fmae_', 'FMAE')):
                table[f'iat/{prefix}{data}_fold{fold}'] = {
                    (f'{name}, mean of {folds} folds', f1): means[method]}
    scales, layers = (published_ablation(name).values for name in ('lambda', 'head'))
    table['iat/bp4d_fold2']['BP4D, fold 2', f1] = scales[2]
    for start, row in (('fmae', 'FMAE'), ('mae-in1k', 'MAE, ImageNet-1k')):
        for size, value in published_ablation('size').values[row].items():
            if (start, size) != ('fmae', 'ViT-L'):  # that is iat/fmae_bp4d
                size = {'S': 'small', 'B': 'base', 'L': 'large'}[size[-1]]
                table[f'iat/start_points/{start}-{size}_bp4d'] = {
                    ('BP4D, mean of 3 folds', f1): value}
    for kind, values in (('lambda', scales), ('id-head', layers)):
        for number, value in values.items():
            table[f'iat/ablations/{kind}{number}_bp4d_fold2'] = {('BP4D, fold 2', f1): value}
    rafdb, affectnet = published_ablation('expressions').values.values()
    table['fer/rafdb'] = {('RAF-DB', accuracy): rafdb}
    table['fer/affectnet8'] = {('AffectNet-8, trained on 37,553 images', accuracy): affectnet}
    return table


@cache
def read(metafile):
    index = load(str(REPO / metafile))
    index.build_models_with_collections()
    return index


def models():
    return [model for metafile in METAFILES for model in read(metafile).models]


def key(model):
    return model.config.removeprefix('configs/').removesuffix('.py')


def errors(index):
    """What modelindex finds; OpenMMLab's READMEs are below the root, which it does not know."""
    return [error for error in index.check(silent=True) if 'Path to README' not in error]


def test_every_metafile_is_imported():
    index = load(str(REPO / 'model-index.yml'))
    assert not errors(index)
    assert len(index.models) == len(models())
    assert len(index.collections) == len(METAFILES)


@pytest.mark.parametrize('metafile', METAFILES)
def test_rules_of_the_linter(metafile):
    """What mmpretrain's check_metafile.py asks for, warnings included."""
    index = read(metafile)
    assert not errors(index)
    collection, = index.collections
    assert collection.name
    assert (REPO / collection.readme).is_file()
    assert collection.paper['Title'] and collection.paper['URL'].startswith('https://arxiv.org/')
    for model in index.models:
        assert model.name == model.name.lower()
        assert model.in_collection == collection.name
        assert isinstance(model.metadata.parameters, int)
        assert isinstance(model.metadata.flops, int)
        assert (REPO / model.config).is_file()
        assert Path(model.config).parent == Path(metafile).parent
        for result in model.results or ():
            assert isinstance(result.dataset, str) and isinstance(result.task, str)
            assert result.metrics
        assert model.data.get('Converted From') is None
        assert not model.weights or model.weights.endswith(f'/{model.name}.pth')


def test_every_config_is_in_exactly_one_metafile():
    configs = sorted(str(path.relative_to(REPO)) for path in (REPO / 'configs').rglob('*.py')
                     if '_base_' not in path.parts)
    assert sorted(model.config for model in models()) == configs


def test_names_are_unique_also_beside_mmpretrain():
    import mmpretrain
    theirs = load(str(Path(mmpretrain.__file__).parent / '.mim' / 'model-index.yml'))
    names = [model.name for model in models()]
    assert len(set(names)) == len(names)
    assert not set(names) & {model.name.lower() for model in theirs.models}


def test_published_numbers_are_those_of_the_one_file():
    found = {key(model): {(result.dataset, name): value for result in model.results
                          for name, value in result.metrics.items()}
             for model in models() if model.results}
    assert found == published()


def test_weights_are_the_public_files_and_say_their_licence():
    with_weights = [model for model in models() if model.weights]
    assert {key(model) for model in with_weights} == set(DRIVE)
    for model in with_weights:
        file = DRIVE[key(model)]
        assert model.weights == (f'https://drive.usercontent.google.com/download?id={file}'
                                 f'&confirm=t&name=/{model.name}.pth')
        assert find_model(model.name).weights == f'https://drive.google.com/uc?id={file}'  # gdown
    for model in with_weights:
        assert model.data['Weights License'] == 'CC BY-NC 4.0'
        assert model.data['Weights From'] == 'https://github.com/forever208/FMAE-IAT'


@cache
def count(text):
    """Parameters without the adversary; multiply-adds as MMEngine counts them, attention too."""
    cfg = json.loads(text)
    if cfg['type'] == 'RTATL' or 'ResNet' in cfg['backbone']['type']:
        return count_convolutions(cfg)
    with torch.device('meta'):
        model = MODELS.build({**cfg, 'data_preprocessor': None})
    backbone = model.backbone
    width, hidden = backbone.embed_dims, backbone.layers[0].ffn.feedforward_channels
    patch, side = cfg['backbone']['patch_size'], cfg['backbone']['img_size']
    tokens, norm = (side // patch)**2 + 1, 5 * width
    block = (tokens * (4 * width**2 + 2 * width * hidden + 2 * norm) + 2 * tokens**2 * width)
    flops = (tokens - 1) * width * 3 * patch**2 + len(backbone.layers) * block
    if cfg['type'] == 'MAE':
        flops += tokens * norm  # the encoder alone, of all patches
    else:
        heads = [model.head, getattr(model, 'intensity_head', None)]
        flops += norm + sum(head.fc.in_features * head.fc.out_features for head in heads if head)
    return sum(value.numel() for value in model.parameters()), flops


def count_convolutions(cfg):
    """Parameters of what predicts; multiply-adds of its convolutions and linear layers."""
    with ShapesOnly():
        unused = dict.fromkeys(('inpainting', 'flow') if cfg['type'] == 'RTATL' else ())
        model = MODELS.build({**cfg, 'data_preprocessor': None, **unused})
    model.to('meta')
    flops = []

    def add(module, args, out):
        inner = module.weight[0].numel()  # a Linear has no bias term here, nor has a Conv2d
        flops.append(out.numel() * inner)

    for module in model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            module.register_forward_hook(add)
    small = cfg['backbone'].get('num_stages') or cfg['backbone']['type'] == 'IBNResNetCIFAR'
    side = cfg['backbone'].get('img_size', 64 if small else 224)
    with torch.no_grad():
        model.eval()
        feats = model.extract_feat(
            torch.empty(1, cfg['backbone'].get('in_channels', 3), side, side, device='meta'))
        for head in (model.head, getattr(model, 'intensity_head', None)):
            if head is not None:
                head(feats)
    return sum(value.numel() for value in model.parameters()), sum(flops)


@pytest.mark.slow
@pytest.mark.parametrize('metafile', [m for m in METAFILES if 'face_detection' not in m])
def test_metadata_is_that_of_the_config(metafile):
    for entry in read(metafile).models:
        cfg = Config.fromfile(REPO / entry.config, import_custom_modules=False)
        cfg.model.pop('adversary', None)
        cfg.model.pop('pretrained', None)
        found = (*count(json.dumps(cfg.model.to_dict(), sort_keys=True)),
                 cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size)
        written = entry.metadata
        assert found == (written.parameters, written.flops, written.epochs,
                         written.batch_size), entry.name


def test_count_agrees_with_mmpretrain():
    """Its metafile on MAE, ViT-B."""
    cfg = Config.fromfile(REPO / 'configs/_base_/models/mae_vit-base.py')
    assert count(json.dumps(cfg.model.to_dict())) == (111907840, 17581972224)


@pytest.mark.slow
def test_parameters_of_the_detectors():
    try:
        registry = import_mmdet()[0]
    except CropError as missing:
        pytest.skip(str(missing))
    from mmengine.registry import DefaultScope
    with DefaultScope.overwrite_default_scope('mmdet'):
        for entry in read('configs/face_detection/metafile.yml').models:
            cfg = Config.fromfile(REPO / entry.config)
            model = registry.build(cfg.model)
            assert sum(value.numel() for value in model.parameters()) == entry.metadata.parameters
            assert cfg.train_cfg.max_epochs == entry.metadata.epochs
            assert cfg.train_dataloader.batch_size == entry.metadata.batch_size
