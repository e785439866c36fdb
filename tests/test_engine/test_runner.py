# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Sizes that a config leaves out are those of its table; what it says is kept."""

import time

import pandas as pd
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from fmae_iat_plugin.engine import ActionUnitRunner, build_runner, derive_sizes

pytestmark = pytest.mark.slow

ROWS = [f'{who}{k}.png,{who},{k % 2},1,' for who in 'abcde' for k in range(4)]


def config(repo, root, work_dir, **dataset):
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.update(data_root=str(root), data_prefix='', aus=(1, 2), **dataset)
        cfg[loader].update(num_workers=0, persistent_workers=False, batch_size=4)
    cfg.train_cfg.max_epochs, cfg.param_scheduler.warmup_epochs = 1, 0
    cfg.work_dir = str(work_dir)
    del cfg.model.head['num_classes'], cfg.model.head['in_channels']
    return cfg


def test_sizes_are_counted_in_the_table(repo, face_table, tmp_path):
    root = face_table(ROWS, 'image,subject,AU1,AU2,AU4', size=48)
    cfg = config(repo, root, tmp_path / 'run')
    before = cfg.pretty_text
    runner = build_runner(cfg)
    assert isinstance(runner, ActionUnitRunner) and cfg.pretty_text == before
    table = pd.read_csv(root / 'annotation.csv')
    people = table['subject'].nunique()
    head, adversary = runner.model.head, runner.model.adversary['head']
    assert (head.num_classes, adversary.num_subjects) == (2, people) == (2, 5)
    assert tuple(adversary.fc.weight.shape) == (people, runner.model.backbone.embed_dims)
    runner.train()
    dumped = Config.fromfile(next((tmp_path / 'run').glob('*.py')))
    assert dumped.model.adversary.head.num_subjects == people
    assert dumped.model.head.num_classes == 2


def test_two_runs_that_begin_in_one_second_share_no_logs(repo, face_table, tmp_path, monkeypatch):
    second = time.localtime(0)
    monkeypatch.setattr(time, 'localtime', lambda *_: second)
    root = face_table(ROWS, 'image,subject,AU1,AU2,AU4', size=48)
    runners = [build_runner(config(repo, root, tmp_path / name)) for name in 'ab']
    assert runners[0].timestamp == runners[1].timestamp
    for runner in runners:
        runner.train()
        logged = runner.message_hub.get_scalar('train/loss').data[0]
        assert len(logged) == len(runner.train_dataloader)


def test_what_the_config_says_is_kept(repo, face_table, tmp_path):
    root = face_table(ROWS, 'image,subject,AU1,AU2,AU4')
    cfg = config(repo, root, tmp_path)
    cfg.model.adversary.head.num_subjects, cfg.model.head.num_classes = 9, 7
    assert derive_sizes(cfg) is cfg
    cfg.model.adversary = None
    cfg.model.head.pop('num_classes')
    assert derive_sizes(cfg).model.head.num_classes == 2


@pytest.mark.parametrize('backbone, width', [
    (dict(type='ResNet', depth=18), 512), (dict(type='MobileNetV3', arch='small_050'), 288)])
def test_the_width_is_that_of_the_backbone(backbone, width):
    model = MODELS.build(dict(
        type='AUClassifier', backbone=backbone, neck=dict(type='GlobalAveragePooling'),
        head=dict(type='AUHead', num_classes=3),
        adversary=dict(neck=dict(type='GradReverse'),
                       head=dict(type='LinearIdentityHead', num_subjects=4))))
    assert model.head.fc.in_features == model.adversary['head'].fc.in_features == width
    assert model.backbone.training


def test_a_head_without_people_says_what_to_do():
    head = MODELS.build(dict(type='LinearIdentityHead', in_channels=4))
    with pytest.raises(ValueError, match='number of subjects. Remedy: set model.adversary'):
        head.loss((torch.zeros(0, 4), ), [])
