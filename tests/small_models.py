# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A small model with an adversary whose scores spread, and its export."""

import json
import os

import numpy as np
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


#: of a tiny ONNX model: what its file notes
NOTES = dict(name='tiny', training_data='three colours', licence='Apache-2.0')
TINY_AUS, GRADED = (12, 1, 4), (4, 12)
_RNG = np.random.default_rng(0)
TINY_WEIGHTS = _RNG.normal(0, 4, (3, len(TINY_AUS))).astype(np.float32)
GRADED_WEIGHTS = _RNG.normal(0, 4, (3, len(GRADED))).astype(np.float32)


def tiny_outputs(faces, graded=False):
    """What the model gives for faces uint8 ``[N, 3, H, W]`` BGR, in NumPy: logistic in the mean
    colour; ``[N, 3]`` probabilities, then, if graded, ``[N, 2]`` intensities."""
    means = np.asarray(faces, dtype=np.float64).mean(axis=(2, 3)) / 255 - .5
    found = 1 / (1 + np.exp(-means @ TINY_WEIGHTS))
    more = 5 / (1 + np.exp(-means @ GRADED_WEIGHTS))
    return np.concatenate([found, more], axis=1) if graded else found


def write_tiny_onnx(path, graded=False, size=48, **notes):
    """An exported model without training, PyTorch or a config."""
    onnx = pytest.importorskip('onnx', reason="pip install 'fmae_iat_plugin[export]'")
    pytest.importorskip('onnxruntime', reason="pip install 'fmae_iat_plugin[export]'")
    h, kind = onnx.helper, onnx.TensorProto
    nodes = [h.make_node('Cast', ['faces'], ['real'], to=kind.FLOAT),
             h.make_node('GlobalAveragePool', ['real'], ['pooled']),
             h.make_node('Flatten', ['pooled'], ['flat']),
             h.make_node('Mul', ['flat', 'scale'], ['unit']),
             h.make_node('Sub', ['unit', 'half'], ['means']),
             h.make_node('MatMul', ['means', 'weights'], ['logits']),
             h.make_node('Sigmoid', ['logits'], ['probabilities'])]
    values = dict(scale=np.float32(1 / 255), half=np.float32(.5), weights=TINY_WEIGHTS)
    outputs = [h.make_tensor_value_info('probabilities', kind.FLOAT, ['N', len(TINY_AUS)])]
    meta = dict(aus=TINY_AUS, thresholds=[.4, .5, .6], image_size=(size, size), pipeline=[
        dict(type='Resize', scale=(size, size), interpolation='bilinear', backend='pillow'),
        dict(type='PackInputs', algorithm_keys=('subject', ))])
    if graded:
        nodes += [h.make_node('MatMul', ['means', 'graded'], ['raw']),
                  h.make_node('Sigmoid', ['raw'], ['share']),
                  h.make_node('Mul', ['share', 'five'], ['intensities'])]
        values.update(graded=GRADED_WEIGHTS, five=np.float32(5))
        outputs.append(h.make_tensor_value_info('intensities', kind.FLOAT, ['N', len(GRADED)]))
        meta['intensity_aus'] = GRADED
    graph = h.make_graph(
        nodes, 'tiny', [h.make_tensor_value_info('faces', kind.UINT8, ['N', 3, size, size])],
        outputs, [onnx.numpy_helper.from_array(np.asarray(value), name)
                  for name, value in values.items()])
    model = h.make_model(graph, opset_imports=[h.make_opsetid('', 17)], ir_version=8)
    texts = {key: json.dumps(value) for key, value in meta.items()}
    h.set_model_props(model, {**texts, 'colour_order': 'BGR', **NOTES, **notes})
    onnx.save(model, str(path))
    return path


@pytest.fixture
def tiny_onnx(tmp_path):
    """The file of a tiny model."""
    return write_tiny_onnx(tmp_path / 'tiny.onnx')


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


class Hostile:
    """Unpickling it makes a folder."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace), )
