# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Intensities from a model to its rows: by PyTorch, by an exported file, through the command."""

import csv
import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from small_models import GRADED, TINY_AUS, tiny_outputs, write_tiny_onnx

from fmae_iat_plugin.inference.backends import open_model
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.inference.onnx_backend import OnnxBackend
from fmae_iat_plugin.inference.predict import main

CARD = dict(name='small', training_data='noise', licence='Apache-2.0')
NOTE = dict(detector=dict(detector='dlib', threshold=None, upsample=1), margin=.1, square=True,
            align=None, halve=False, size=60)


@pytest.fixture
def crops():
    rng = np.random.default_rng(0)
    return [cv2.GaussianBlur(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8), (0, 0), sigma) +
            np.uint8(shift) for sigma, shift in ((1, 0), (5, 60), (9, 110))]


def test_rows_of_a_file_with_two_outputs(tmp_path, crops):
    infer = AUInferencer(write_tiny_onnx(tmp_path / 'g.onnx', graded=True), detector=None)
    assert infer.intensity_aus == GRADED
    truth = tiny_outputs([crop.transpose(2, 0, 1) for crop in crops], graded=True)
    for row, values in zip(infer.predict(crops), truth):
        np.testing.assert_allclose(row.probabilities, values[:3], atol=1e-5)
        np.testing.assert_allclose(row.intensities, values[3:], atol=1e-4)
    sample = infer(crops[:1], return_datasamples=True)[0]
    np.testing.assert_allclose(sample.pred_intensity, truth[0, 3:], atol=1e-4)
    assert sample.intensity_aus == GRADED and sample.aus == TINY_AUS


def test_the_command_writes_and_prints_them(tmp_path, crops, capsys):
    path = write_tiny_onnx(tmp_path / 'g.onnx', graded=True)
    cv2.imwrite(str(tmp_path / 'a.png'), crops[1])
    assert main([str(tmp_path / 'a.png'), '--model', str(path), '--detector', 'none', '--format',
                 'openface,json', '--out-dir', str(tmp_path / 'out'), '--vis']) == 0
    truth = tiny_outputs([crops[1].transpose(2, 0, 1)], graded=True)[0, 3:]
    with open(tmp_path / 'out/a.csv') as file:
        row, = csv.DictReader(file)
    line, = map(json.loads, (tmp_path / 'out/predictions.jsonl').read_text().splitlines())
    said = capsys.readouterr().out
    for au, value in zip(GRADED, truth):
        assert abs(float(row[f'AU{au:02d}_r']) - value) <= .00501
        assert abs(line['aus'][f'AU{au}']['intensity'] - value) < 1e-4
        printed, = (text for text in said.splitlines() if f'AU{au} ' in text)
        assert f'{value:.1f}' in printed
    assert 'AU01_r' not in row and (tmp_path / 'out/a_annotated.jpg').is_file()


def test_a_file_whose_outputs_do_not_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match='notes 2 action units for its output intensities, and '
                       'has no such output. Remedy'):
        OnnxBackend(write_tiny_onnx(tmp_path / 'x.onnx', intensity_aus=json.dumps([1, 2])))
    with pytest.raises(ValueError, match='notes 2 action units for its output probabilities, and '
                       'has 3'):
        OnnxBackend(write_tiny_onnx(tmp_path / 'y.onnx', aus=json.dumps([1, 2])))


@pytest.fixture
def trained(repo, tmp_path):
    """A config with both heads, and a checkpoint that notes what they predict."""
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    cfg.model.head.num_classes = 3
    cfg.model.adversary.head.num_subjects = 5
    cfg.model.intensity_head = dict(type='AUIntensityHead', num_classes=2, form='ordinal')
    cfg.test_dataloader.dataset.aus = TINY_AUS
    cfg.test_dataloader.dataset.intensities = GRADED
    cfg.model_card = CARD
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    for part in (model.head.fc.weight, model.intensity_head.fc.weight, model.intensity_head.steps):
        torch.nn.init.normal_(part, std=.3)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(
        aus=TINY_AUS, intensity_aus=GRADED, cropping=NOTE))), tmp_path / 'w.pth')
    return cfg, tmp_path / 'w.pth', model


@pytest.mark.slow
def test_pytorch_and_its_export_agree_and_the_file_notes_everything(trained, crops, tmp_path):
    pytest.importorskip('onnxscript', reason="pip install 'fmae_iat_plugin[export]'")
    from fmae_iat_plugin.inference.export import export_onnx
    cfg, weights, model = trained
    infer = AUInferencer(cfg, weights, 'cpu', detector=None)
    rows = list(infer.predict(crops))
    with torch.no_grad():
        images = torch.stack([torch.from_numpy(crop.transpose(2, 0, 1).copy()) for crop in crops])
        feats = model.extract_feat(model.data_preprocessor(dict(inputs=images))['inputs'])
        logits = feats[-1] @ model.intensity_head.fc.weight.T + model.intensity_head.fc.bias
        truth = torch.sigmoid(logits[..., None] + model.intensity_head.steps).sum(-1).numpy()
    np.testing.assert_allclose([row.intensities for row in rows], truth, atol=1e-4)
    assert truth.std() > .01
    done = export_onnx(cfg, str(weights), tmp_path / 'm.onnx')
    assert done.difference <= 1e-4
    backend = OnnxBackend(tmp_path / 'm.onnx', 'cpu')
    assert backend.intensity_aus == GRADED and backend.aus == TINY_AUS
    assert backend.cropping == NOTE
    assert {key: backend.metadata[key] for key in CARD} == CARD
    other = AUInferencer(tmp_path / 'm.onnx')
    assert other.crop.square and other.crop.margin == .1 and other.crop.size == 60
    assert other.detector.upsample == 1
    exported = list(AUInferencer(tmp_path / 'm.onnx', detector=None).predict(crops))
    for ours, theirs in zip(rows, exported):
        np.testing.assert_allclose(ours.intensities, theirs.intensities, atol=1e-3)
        np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-3)


def test_intensities_that_nobody_names_or_others_are_refused(trained):
    cfg, weights, _ = trained
    cfg.test_dataloader.dataset.intensities = (12, 4)
    with pytest.raises(ValueError, match="AU4, AU12, the config's intensities has AU12, AU4"):
        open_model(cfg, weights, 'cpu')
    content = torch.load(weights)
    del content['meta']['dataset_meta']['intensity_aus']
    torch.save(content, weights)
    cfg.test_dataloader.dataset.intensities = (1, )
    with pytest.raises(ValueError, match='1 intensities .1,. are named, the model has 2. Remedy'):
        open_model(cfg, weights, 'cpu')


def test_a_card_with_another_key_is_refused(trained, tmp_path):
    pytest.importorskip('onnxscript', reason="pip install 'fmae_iat_plugin[export]'")
    from fmae_iat_plugin.inference.export import export_onnx
    cfg, weights, _ = trained
    cfg.model_card = dict(license='MIT')
    with pytest.raises(ValueError, match="model_card has 'license'. Remedy: name, training_data"):
        export_onnx(cfg, str(weights), tmp_path / 'm.onnx')
