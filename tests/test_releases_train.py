# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""From an emulated raw release through converter, face crops and its own config to a trained epoch.

The configs are the shipped ones; only paths, the size of the encoder and the batch are made small.
What the runner counted is counted again in the truth that the writer of the release left.
"""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from fmae_iat_plugin import converters
from fmae_iat_plugin.datasets import load_protocol
from fmae_iat_plugin.datasets.annotation import read_annotation
from fmae_iat_plugin.synthfacs import releases as releases

pytestmark = pytest.mark.slow

TINY = dict(embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=24, _delete_=True)
BATCH = 4


def run(repo, tmp_path, config, data, pretraining=False):
    """Train one epoch; returns the iterations and the last validation's scores."""
    model = dict(backbone=dict(arch=dict(TINY)))
    if pretraining:
        model['neck'] = dict(embed_dim=24, decoder_embed_dim=24, decoder_depth=1,
                             decoder_num_heads=2)
    else:
        model.update(head=dict(in_channels=24), pretrained=None)
    cfg = Config.fromfile(repo / 'configs' / config)
    if cfg.model.get('adversary'):
        model['adversary'] = dict(head=dict(in_channels=24))
    if cfg.model.get('intensity_head'):
        model['intensity_head'] = dict(in_channels=24)
    loader = dict(num_workers=0, persistent_workers=False, dataset=data)
    delta = dict(model=model, train_dataloader=dict(loader, batch_size=BATCH),
                 train_cfg=dict(max_epochs=1), param_scheduler=dict(warmup_epochs=0),
                 default_hooks=dict(logger=dict(interval=1)), work_dir=str(tmp_path / 'work'))
    if not pretraining:
        delta.update(val_dataloader=dict(loader, batch_size=BATCH),
                     test_dataloader=dict(loader, batch_size=BATCH))
    cfg.merge_from_dict(delta)
    cfg.experiment_name = tmp_path.name
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        runner = Runner.from_cfg(cfg)
        before = {name: value.clone() for name, value in runner.model.named_parameters()}
        runner.train()
    trained = [name for name, value in runner.model.named_parameters() if value.requires_grad]
    moved = [name for name in trained
             if not torch.equal(before[name], dict(runner.model.named_parameters())[name])]
    assert len(moved) > len(trained) / 2
    assert (tmp_path / 'work' / 'epoch_1.pth').is_file()
    scalars = next((tmp_path / 'work').glob('*/vis_data/scalars.json')).read_text().splitlines()
    rows = [json.loads(line) for line in scalars]
    assert all(np.isfinite(row['loss']) for row in rows if 'loss' in row)
    return runner.iter, rows[-1]


@pytest.mark.parametrize('name, config, options', [
    ('bp4d', 'iat/bp4d_fold1.py', dict(tasks=('T1', ))),
    ('bp4dplus', 'iat/bp4dplus_fold2.py', dict(tasks=('T1', ))),
    ('disfa', 'iat/disfa_fold3.py', {}),
    ('disfa', 'iat/disfa_intensity_fold3.py', {}),
])
def test_action_units(tmp_path, repo, name, config, options):
    pytest.importorskip('dlib', reason="needs the extra 'face'")
    from fmae_iat_plugin.faces import crop_faces
    release, data = tmp_path / 'release', tmp_path / 'data'
    truth = getattr(releases, f'write_{name}')(release, subjects=4, frames=6, size=160, seed=5,
                                               workers=1, **options)
    getattr(converters, f'convert_{name}')(release, data)
    cropped = crop_faces(data, data)
    assert cropped['crops'] >= 12
    iterations, scores = run(repo, tmp_path, config, dict(data_root=str(data)))

    table, protocol = read_annotation(truth), load_protocol(name)
    fold = int(config[-4])
    tested = set(protocol.folds[fold])
    faces = read_annotation(data / 'annotation.csv').frame
    shown = {(row.subject, row.sequence.split('/')[-1], int(row.frame))
             for row in faces.itertuples() if row.face != 'none'}
    graded = 'intensity' in config
    counts = {au: [0, 0] for au in (table.aus if graded else protocol.aus)}
    train = 0
    for row, labels in zip(table.frame.itertuples(), table.labels):
        if name == 'disfa':
            there = any(key[0] == row.subject and key[2] == int(row.frame) for key in shown)
        else:
            there = (row.subject, row.sequence.split('/')[-1], int(row.frame)) in shown
        if not there:
            continue
        train += row.subject not in tested
        for au in counts if row.subject in tested else ():
            value = labels[table.aus.index(au)]
            if not np.isnan(value):
                positive = value >= 2 if name == 'disfa' else value >= 1
                counts[au][0 if positive else 1] += 1
    assert iterations == train // BATCH > 0
    assert sum(map(sum, counts.values())) > 0
    for au, (positive, negative) in counts.items():
        assert scores[f'positive/AU{au}'] == positive, au
        assert scores[f'negative/AU{au}'] == negative, au
        if graded:
            assert scores[f'intensity_coded/AU{au}'] == positive + negative, au
            assert 0 <= scores[f'mae/AU{au}'] <= 5
    assert not graded or len(counts) == 12 and 0 < scores['mse/mean'] < 25


@pytest.mark.parametrize('name, config', [('rafdb', 'fer/rafdb.py'),
                                          ('affectnet', 'fer/affectnet8.py')])
def test_expressions(tmp_path, repo, name, config):
    truth = getattr(releases, f'write_{name}')(tmp_path / 'data', subjects=5, frames=8, size=64,
                                               seed=5, workers=1)
    iterations, scores = run(repo, tmp_path, config, dict(data_root=str(tmp_path / 'data')))
    train = (read_annotation(truth).frame['split'] == 'train').sum()
    assert iterations == train // BATCH > 0
    assert 0 <= scores['accuracy/top1'] <= 100


def test_face9m(tmp_path, repo):
    import pandas as pd
    releases.write_face9m(tmp_path / 'data', subjects=6, frames=8, size=64, seed=5, workers=1)
    manifest = pd.read_csv(tmp_path / 'data' / 'manifest.csv')
    iterations, _ = run(repo, tmp_path, 'fmae/fmae_vit-small_face9m.py',
                        dict(data_root=str(tmp_path / 'data' / 'images')), pretraining=True)
    files = manifest['path'].str.startswith('images/').sum()  # unreadable ones are replaced
    assert iterations == files // BATCH > 0


def test_face9m_curated(tmp_path, repo):
    """The same faces as eight raw sources, through the curation; its shards hold no bad image."""
    from fmae_iat_plugin.curation.pipeline import curate
    from fmae_iat_plugin.curation.structures import Source
    from fmae_iat_plugin.synthfacs.releases.face9m_sources import SOURCES, write_face9m_sources
    releases.write_face9m(tmp_path / 'faces', subjects=6, frames=8, size=64, seed=5, workers=1)
    files = [(path.suffix, path.read_bytes())
             for path in sorted((tmp_path / 'faces' / 'images').rglob('*.*'))]
    write_face9m_sources(tmp_path / 'raw', files)
    manifest = curate([Source(name, str(tmp_path / 'raw' / name)) for name in SOURCES],
                      tmp_path / 'data')
    iterations, _ = run(repo, tmp_path, 'fmae/fmae_vit-small_face9m.py',
                        dict(data_root=str(tmp_path / 'data' / 'shards')), pretraining=True)
    assert iterations == manifest['kept'] // BATCH > 0
