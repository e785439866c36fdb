# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Thresholds come from held-out training subjects and go with the checkpoint."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS
from PIL import Image
from sklearn.metrics import f1_score

from fmae_iat_plugin.engine import ThresholdHook
from fmae_iat_plugin.inference.inferencer import AUInferencer

pytestmark = pytest.mark.slow

AUS = (1, 12, 24)


@pytest.fixture(scope='module')
def config(repo, tmp_path_factory):
    """Twelve people, two folds; brightness tells AU1; AU24 is never present."""
    root, rng = tmp_path_factory.mktemp('table'), np.random.default_rng(0)
    lines = ['image,subject,AU1,AU12,AU24']
    for k in range(144):
        label = rng.random(2) < (.3, .2)
        pixels = rng.integers(0, 100, (48, 48, 3), dtype=np.uint8) + np.uint8(90 * label[0])
        Image.fromarray(pixels).save(root / f'{k}.png')
        lines.append(f'{k}.png,S{k % 12:02d},{int(label[0])},{int(label[1])},0')
    (root / 'annotation.csv').write_text('\n'.join(lines) + '\n')
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    table = dict(data_root=str(root), data_prefix='', folds=2, fold=1, aus=AUS)
    for name in ('train', 'val', 'test'):
        loader = cfg[f'{name}_dataloader']
        loader.dataset.update(table)
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 16
    cfg.model.head.num_classes, cfg.model.adversary.head.num_subjects = 3, 12
    cfg.model.backbone.arch.num_layers = 1
    cfg.train_cfg.update(max_epochs=3, val_interval=3)
    cfg.param_scheduler.warmup_epochs = 1
    cfg.log_level = 'WARNING'
    return cfg


def trained(config, folder, **options):
    cfg = copy.deepcopy(config)
    cfg.train_dataloader.dataset.held_out = 3
    cfg.custom_hooks = [*cfg.custom_hooks, dict(type='ThresholdHook', **options)]
    cfg.work_dir = str(folder)
    Runner.from_cfg(cfg).train()
    return cfg, folder / 'epoch_3.pth'


@pytest.fixture(scope='module')
def per_au(config, tmp_path_factory):
    return trained(config, tmp_path_factory.mktemp('per_au'))


def held_out(cfg):
    return DATASETS.build({**cfg.train_dataloader.dataset, 'split': 'held_out',
                           'pipeline': cfg.test_dataloader.dataset.pipeline})


def predictions(cfg, checkpoint):
    """Scores and labels of the held-out subjects, one frame at a time."""
    infer = AUInferencer(cfg, str(checkpoint), 'cpu', detector=None)
    data, rows = held_out(cfg), []
    with torch.no_grad():
        for k in range(len(data)):
            sample, = infer.backend.model.test_step(default_collate([data[k]]))
            rows.append((sample.pred_score.numpy(), sample.gt_score.numpy()))
    return [np.stack(values) for values in zip(*rows)]


def test_nobody_is_on_two_sides(config):
    cfg = copy.deepcopy(config)
    cfg.train_dataloader.dataset.held_out = 3
    people = {}
    for split, name in (('train', 'train'), ('held_out', 'train'), ('test', 'test')):
        data = DATASETS.build({**cfg[f'{name}_dataloader'].dataset, 'split': split})
        people[split] = {data.get_data_info(k)['subject'] for k in range(len(data))}
    assert [len(people[split]) for split in ('train', 'held_out', 'test')] == [3, 3, 6]
    assert set.union(*people.values()) == set(range(12))
    with pytest.raises(ValueError, match='5 subjects cannot be held out of the 6 training'):
        DATASETS.build({**cfg.train_dataloader.dataset, 'held_out': 5})
    with pytest.raises(ValueError, match='needs `held_out`'):
        DATASETS.build({**config.train_dataloader.dataset, 'split': 'held_out', 'held_out': 0})


def best(scores, labels, grid):
    """The lowest threshold with the highest F1, by scikit-learn, one try after the other."""
    values = [f1_score(labels, scores >= np.float32(value), zero_division=0) for value in grid]
    return grid[int(np.argmax(np.array(values) >= max(values) - 1e-12))]


def test_thresholds_of_each_au_are_the_best_on_the_held_out(per_au):
    cfg, checkpoint = per_au
    meta = torch.load(checkpoint, weights_only=False)['meta']
    scores, labels = predictions(cfg, checkpoint)
    grid = np.arange(1, 100) / 100
    expected = [best(scores[:, k], labels[:, k], grid) for k in range(2)] + [.5]  # no positive
    assert meta['thresholds'] == expected and expected[0] != .5
    data = held_out(cfg)
    names = {data.metainfo['subjects'][data.get_data_info(k)['subject']] for k in range(len(data))}
    assert meta['threshold_subjects'] == sorted(names)


def test_epochs_that_were_not_tuned_for_note_no_thresholds(config, tmp_path):
    cfg = copy.deepcopy(config)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 9
    cfg.train_cfg.update(max_epochs=5, val_interval=9)
    trained(cfg, tmp_path, interval=2)
    noted = {epoch: torch.load(tmp_path / f'epoch_{epoch}.pth', weights_only=False)['meta']
             .get('thresholds') for epoch in range(1, 6)}
    assert [epoch for epoch, values in noted.items() if values] == [2, 4, 5]  # 5: the last


def test_one_threshold_for_all(config, tmp_path):
    cfg, checkpoint = trained(config, tmp_path, kind='shared')
    scores, labels = predictions(cfg, checkpoint)
    values = [np.mean([f1_score(labels[:, k], scores[:, k] >= np.float32(value), zero_division=0)
                       for k in range(3)]) for value in np.arange(1, 100) / 100]
    first = (np.argmax(np.array(values) >= max(values) - 1e-12) + 1) / 100
    assert torch.load(checkpoint, weights_only=False)['meta']['thresholds'] == [first] * 3


def test_the_test_and_the_inferencer_use_them(per_au, tmp_path):
    cfg, checkpoint = per_au
    thresholds = torch.load(checkpoint, weights_only=False)['meta']['thresholds']
    assert AUInferencer(cfg, str(checkpoint), 'cpu', None).thresholds.tolist() == thresholds
    cfg = copy.deepcopy(cfg)
    cfg.load_from, cfg.work_dir = str(checkpoint), str(tmp_path)
    cfg.test_evaluator = dict(type='ActionUnitMetric', out_file=str(tmp_path / 'p.npz'))
    found = Runner.from_cfg(cfg).test()
    with np.load(tmp_path / 'p.npz') as data:
        for k, au in enumerate((1, 12)):
            value = 100 * f1_score(data['labels'][:, k],
                                   data['scores'][:, k] >= np.float32(thresholds[k]))
            assert abs(found[f'f1_tuned/AU{au}'] - value) < 1e-9
        assert data['thresholds'].tolist() == thresholds


def test_without_held_out_subjects_it_says_how(config, tmp_path):
    cfg = copy.deepcopy(config)
    cfg.custom_hooks = [dict(type='ThresholdHook')]
    cfg.train_dataloader.dataset.held_out = 0
    cfg.work_dir = str(tmp_path)
    with pytest.raises(ValueError, match='train_dataloader.dataset.held_out=K'):
        Runner.from_cfg(cfg).train()
    with pytest.raises(ValueError, match="kind 'best' is none of per_au, shared"):
        ThresholdHook('best')
