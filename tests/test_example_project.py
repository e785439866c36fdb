# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""projects/example: its config inherits ours, its head learns the labels it says."""

import sys

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

import fmae_iat_plugin


@pytest.fixture
def config(repo, monkeypatch):
    monkeypatch.syspath_prepend(str(repo / 'projects/example'))
    yield Config.fromfile(repo / 'projects/example/bp4d_small.py')
    MODELS.module_dict.pop('SmoothedAUHead', None)
    for name in ('example', 'example.smoothed_au_head'):
        sys.modules.pop(name, None)


def test_the_base_is_ours_from_any_folder(repo, config):
    ours = Config.fromfile(repo / 'configs/iat/bp4d_fold1.py')
    assert fmae_iat_plugin.config_path('iat/bp4d_fold1.py') == str(
        repo / 'configs/iat/bp4d_fold1.py')
    for key in ('test_evaluator', 'optim_wrapper', 'model_wrapper_cfg'):
        assert config[key] == ours[key]
    assert config.model.adversary.neck == ours.model.adversary.neck
    assert config.train_dataloader.dataset == ours.train_dataloader.dataset


def test_a_config_that_is_not_ours_is_said():
    with pytest.raises(FileNotFoundError, match=r"no config 'iat/bp4d_fold7.py'.*iat/bp4d_fold1"):
        fmae_iat_plugin.config_path('iat/bp4d_fold7.py')


def test_the_head_learns_labels_that_are_less_sure(config):
    head = MODELS.build(dict(type='SmoothedAUHead', in_channels=3, num_classes=2, smoothing=.1))
    labels = torch.tensor([[1., 0.], [float('nan'), 1.]])
    logits = torch.tensor([[.3, -.2], [2., 1.]])
    samples = [DataSample().set_gt_score(row) for row in labels]
    found = head._get_loss(logits, samples)['loss_au']
    p = logits.sigmoid()
    wanted = -torch.stack([.9 * p[0, 0].log() + .1 * (1 - p[0, 0]).log(),
                           .1 * p[0, 1].log() + .9 * (1 - p[0, 1]).log(),
                           .9 * p[1, 1].log() + .1 * (1 - p[1, 1]).log()]).mean()
    torch.testing.assert_close(found, wanted)
    assert samples[0].gt_score.tolist() == [1., 0.]  # the labels themselves are left alone
