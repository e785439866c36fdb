# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The exported graph is the model without its adversary; a wrong one leaves no file."""

import shutil

import numpy as np
import pytest
import torch

from fmae_iat_plugin.inference import export
from fmae_iat_plugin.inference.inferencer import AUInferencer

pytestmark = pytest.mark.slow

AUS = (12, 1, 24)


def faces(number, size=48, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, 3, size, size), dtype=np.uint8)


@pytest.mark.parametrize('number', [1, 3, 8])
def test_probabilities_by_hand(exported, number):
    """BGR -> RGB, ImageNet's mean and deviation, encoder, head, sigmoid."""
    import onnxruntime
    _, _, model, path, done = exported
    inputs = faces(number)
    rgb = torch.from_numpy(inputs[:, ::-1].astype(np.float32))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (
        [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    with torch.no_grad():
        feature = model.backbone((rgb - mean) / std)[-1]
        truth = torch.sigmoid(feature @ model.head.fc.weight.T + model.head.fc.bias).numpy()
    found, = onnxruntime.InferenceSession(str(path)).run(['probabilities'], {'faces': inputs})
    assert found.shape == (number, len(AUS)) and found.dtype == np.float32 and truth.std() > .01
    np.testing.assert_allclose(found, truth, atol=1e-4)
    assert 0 <= done.difference <= 1e-4 and done.calibration == 0 and done.f1 is None


def test_neither_adversary_nor_paths_are_in_the_file(exported):
    import onnx
    _, _, model, path, _ = exported
    graph = onnx.load(path).graph
    assert not [tensor.name for tensor in graph.initializer if 'adversary' in tensor.name]
    wanted = sum(value.numel() for part in (model.backbone, model.head)
                 for value in part.parameters())
    found = sum(int(np.prod(tensor.dims)) for tensor in graph.initializer)
    adversary = sum(value.numel() for value in model.adversary.parameters())
    assert abs(found - wanted) < 5000 < adversary  # the exporter folds some vectors
    content = path.read_bytes()
    assert b'adversary' not in content and b'site-packages' not in content


def test_a_graph_of_other_weights_leaves_no_file(exported, write_weights, tmp_path, monkeypatch):
    cfg, _, _, path, _ = exported
    other = tmp_path / 'other.pth'
    write_weights(cfg, other, seed=1)
    monkeypatch.setattr(export, 'write_graph', lambda infer, cfg, to: shutil.copy(path, to))
    with pytest.raises(ValueError, match='differ from PyTorch by up to 0.* no file was written'):
        export.export_onnx(cfg, other, tmp_path / 'out' / 'x.onnx')
    assert list((tmp_path / 'out').iterdir()) == []


def test_arguments_are_checked_first(exported, tmp_path):
    cfg, weights, _, _, _ = exported
    for arguments, message in ((dict(out='x.pth'), 'x.pth does not end with .onnx'),
                               (dict(out='x.onnx', faces=0), '0 faces were asked')):
        with pytest.raises(ValueError, match=message):
            export.export_onnx(cfg, weights, **arguments)


def test_int8_prints_the_change_of_f1(exported, face_table, tmp_path, monkeypatch):
    sklearn = pytest.importorskip('sklearn.metrics')
    cfg, weights, _, path, _ = exported
    rng = np.random.default_rng(3)
    rows = [f'{i}.png,S{i % 6},{",".join(map(str, rng.integers(0, 2, 3)))}' for i in range(30)]
    root = face_table(rows, header='image,subject,AU1,AU12,AU24', size=60)
    cfg = cfg.copy()
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.update(data_root=str(root), data_prefix='', ann_file='annotation.csv',
                              aus=AUS, folds=3, fold=1)
    monkeypatch.setattr(export, 'write_graph', lambda infer, cfg, to: shutil.copy(path, to))
    out = tmp_path / 'small.onnx'
    done = export.export_onnx(cfg, weights, out, int8=True, faces=8)
    assert (done.calibration, done.frames) == (8, 10)
    data = export.DATASETS.build(cfg.test_dataloader.dataset)
    truth = np.stack([data[row]['data_samples'].gt_score.numpy() for row in range(10)])
    images = [data.get_data_info(row)['img_path'] for row in range(10)]
    for name, printed in zip((path, out), done.f1):
        found = AUInferencer(name, detector=None)(images)
        present = np.array([[row['aus'][f'AU{au}']['present'] for au in AUS] for row in found])
        values = [sklearn.f1_score(truth[:, au], present[:, au]) for au in range(3)]
        assert printed == pytest.approx(100 * np.mean(values))
    calibrated = []
    monkeypatch.setattr(export, 'quantize', lambda model, to, images, method: (
        calibrated.extend(images), shutil.copy(model, to)))
    other = export.export_onnx(cfg, weights, out, int8=True, calibration=root, faces=5, f1=False)
    assert other.calibration == 5 and other.f1 is None
    loaded = [data.pipeline(dict(img_path=str(path)))['inputs'].numpy()
              for path in sorted(root.glob('*.png'))]
    assert [next(row for row, one in enumerate(loaded) if np.array_equal(one, image))
            for image in calibrated] == [0, 7, 14, 22, 29]
    assert sorted(file.name for file in tmp_path.glob('*.onnx*')) == ['small.onnx']


def test_f1_is_not_measured_on_action_units_in_another_order(exported, face_table):
    cfg, _, _, path, _ = exported
    root = face_table([f'{i}.png,S{i % 3},{i % 2},0,1' for i in range(6)],
                      header='image,subject,AU1,AU12,AU24', size=60)
    cfg = cfg.copy()
    cfg.test_dataloader.dataset.update(data_root=str(root), data_prefix='', folds=3, fold=1,
                                       ann_file='annotation.csv', aus=AUS[::-1])
    with pytest.raises(ValueError, match=r'AU12, AU1, AU24, .* AU24, AU1, AU12 .*another order'):
        export.measure_f1(cfg, [export.OnnxBackend(path, 'cpu')])
