# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""An RTATL checkpoint in every way to predict, without a special case at the call."""

import json

import cv2
import mmpretrain
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.inference.predict import main
from fmae_iat_plugin.synthfacs import render

CONFIG = 'configs/rtatl/rtatl-iat_synthfacs.py'


@pytest.fixture(scope='module')
def checkpoint(repo, tmp_path_factory):
    """A checkpoint as a training leaves it, tasks and adversary included, scores that spread."""
    path = tmp_path_factory.mktemp('rtatl') / 'w.pth'
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(repo / CONFIG).model)
    torch.nn.init.normal_(model.head.fc.weight, std=.3)
    torch.nn.init.normal_(model.head.regional, std=.3)
    model.neck.set_mean_shape(model.neck.mean_shape + 0.02)
    assert any(name.startswith('inpainting.') for name in model.state_dict())
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path), model.eval()


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """A synthetic video: a face whose action units rise, twelve frames."""
    path = tmp_path_factory.mktemp('video') / 'face.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (160, 160))
    for frame in range(12):
        face = render(5, {12: frame / 3, 4: 4 - frame / 3}, size=160)[0]
        writer.write(np.ascontiguousarray(face[..., ::-1]))
    writer.release()
    return path


def test_the_inferencer_is_the_model_without_its_tasks(repo, checkpoint):
    weights, model = checkpoint
    infer = AUInferencer(str(repo / CONFIG), weights, 'cpu', detector=None)
    assert infer.aus == (1, 2, 4, 6, 9, 12, 25, 26)
    names = {name.split('.')[0] for name in infer.backend.model.state_dict()}
    assert names == {'backbone', 'neck', 'head'}
    face = np.ascontiguousarray(render(3, {12: 4}, size=64)[0][..., ::-1])
    found = infer.scores([face])[0]
    pixels = torch.from_numpy(face[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    mean, std = (torch.tensor(value)[:, None, None] for value in (
        (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
    with torch.no_grad():
        wanted = model((pixels - mean) / std).sigmoid()[0]
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)
    torch.testing.assert_close(infer.backend.model.neck.mean_shape, model.neck.mean_shape)


def test_a_video_by_pytorch_and_onnx(repo, checkpoint, video, tmp_path):
    for name in ('onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(name, reason="pip install 'fmae_iat_plugin[export]'")
    from fmae_iat_plugin.inference.export import export_onnx
    done = export_onnx(str(repo / CONFIG), checkpoint[0], tmp_path / 'rtatl.onnx')
    assert done.difference < 1e-4
    rows = []
    for name, model in (('torch', ['--model', str(repo / CONFIG), '--weights', checkpoint[0]]),
                        ('onnx', ['--model', str(tmp_path / 'rtatl.onnx')])):
        assert main([str(video), *model, '--out-dir', str(tmp_path / name), '--format', 'json',
                     '--detector', 'none', '--device', 'cpu']) == 0
        lines = (tmp_path / name / 'predictions.jsonl').read_text().splitlines()
        rows.append([[au['probability'] for au in json.loads(line)['aus'].values()]
                     for line in lines])
    first, second = np.array(rows)
    assert first.shape == (12, 8) and np.ptp(first, axis=0).max() > 0.02
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_real_video_by_pytorch_and_onnx(repo, checkpoint, real_data, tmp_path):
    pytest.importorskip('dlib', reason="pip install 'fmae_iat_plugin[face]'")
    for name in ('onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(name, reason="pip install 'fmae_iat_plugin[export]'")
    from fmae_iat_plugin.inference.export import export_onnx
    export_onnx(str(repo / CONFIG), checkpoint[0], tmp_path / 'rtatl.onnx')
    rows = []
    for model in ((str(repo / CONFIG), checkpoint[0]), (str(tmp_path / 'rtatl.onnx'), None)):
        found = AUInferencer(*model, 'cpu')(str(real_data / 'media/single_face.mp4'), stride=12)
        rows.append([[au['probability'] for au in row['aus'].values()] for row in found])
    np.testing.assert_allclose(*np.array(rows), atol=1e-3)
    assert len(rows[0]) == 6


def test_by_name():
    """MMPretrain's own function knows the names of configs/rtatl."""
    model = mmpretrain.get_model('rtatl_resnet-tiny_synthfacs', pretrained=False)
    assert type(model).__name__ == 'RTATL'
    assert model.neck.aus == (1, 2, 4, 6, 9, 12, 25, 26)
