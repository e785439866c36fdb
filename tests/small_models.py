# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A small model with an adversary whose scores spread, and its export."""

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpretrain.registry import MODELS

AUS = (12, 1, 24)


def _write_weights(cfg, path, seed):
    """Random weights with scores that spread; returns the model in evaluation."""
    torch.manual_seed(seed)
    model = MODELS.build(cfg.model)
    MMLogger.get_instance(str(path))  # init_weights writes to the newest; an older may be closed
    model.init_weights()
    torch.nn.init.normal_(model.head.fc.weight, std=.1)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(
        dataset_meta=dict(aus=AUS), thresholds=[.4, .5, .6])), path)
    return model.eval()


@pytest.fixture(scope='session')
def write_weights():
    return _write_weights


@pytest.fixture(scope='session')
def exported(repo, tmp_path_factory):
    """(config, checkpoint, model, .onnx file, what the export returned)"""
    for name in ('onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(name, reason="pip install 'fmae_iat_plugin[export]'")
    from fmae_iat_plugin.inference.export import export_onnx
    folder = tmp_path_factory.mktemp('export')
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    cfg.model.head.num_classes = len(AUS)
    cfg.model.adversary.head.num_subjects = 30
    cfg.test_dataloader.dataset.aus = AUS
    model = _write_weights(cfg, folder / 'w.pth', seed=0)
    done = export_onnx(cfg, folder / 'w.pth', folder / 'model.onnx')
    return cfg, folder / 'w.pth', model, folder / 'model.onnx', done
