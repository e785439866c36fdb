# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime beside PyTorch: the same rows; a file may not name what is run."""

import json
import threading

import cv2
import numpy as np
import pytest
import torch

from fmae_iat_plugin.inference.backends import open_model
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.inference.onnx_backend import OnnxBackend
from fmae_iat_plugin.inference.predict import main
from fmae_iat_plugin.version import __version__

pytestmark = pytest.mark.slow

AUS = (12, 1, 24)


def images(number=5, size=70):
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (size, size + 9, 3), dtype=np.uint8) for _ in range(number)]


def probabilities(rows):
    return np.array([[row['aus'][f'AU{au}']['probability'] for au in AUS] for row in rows])


def test_the_file_says_what_it_is(exported):
    cfg, _, _, path, _ = exported
    backend = OnnxBackend(path, 'cpu')
    assert backend.aus == AUS and backend.outputs == 3 and backend.image_size == (48, 48)
    assert backend.threshold == [.4, .5, .6]
    assert backend.metadata['config'] == 'own_table_tiny_48px.py'
    assert backend.metadata['colour_order'] == 'BGR'
    assert backend.metadata['fmae_iat_plugin'] == __version__
    steps = [step['type'] for step in json.loads(backend.metadata['pipeline'])]
    assert steps == [step['type'] for step in cfg.test_dataloader.dataset.pipeline[1:]]


@pytest.mark.parametrize('alone', [True, False])
def test_rows_equal_pytorchs(exported, alone):
    cfg, weights, _, path, _ = exported
    truth = AUInferencer(cfg, weights, 'cpu', detector=None)
    infer = AUInferencer(*([path] if alone else [cfg, path]), device='cpu', detector=None)
    assert isinstance(infer.backend, OnnxBackend) and infer.aus == truth.aus == AUS
    assert infer.thresholds.tolist() == truth.thresholds.tolist() == [.4, .5, .6]
    rows, wanted = infer(images(11), batch_size=9), truth(images(11), batch_size=5)
    np.testing.assert_allclose(probabilities(rows), probabilities(wanted), atol=1e-3)
    assert np.std(probabilities(wanted), axis=0).max() > .01


@pytest.mark.parametrize('cores', [1, 3])
def test_a_face_alone_has_all_cores_and_many_have_one_each(exported, torch_threads, cores):
    torch_threads(cores)
    backend = OnnxBackend(exported[3], 'cpu')
    rng = np.random.default_rng(7)
    packed = [dict(inputs=torch.from_numpy(rng.integers(0, 256, (3, 48, 48), dtype=np.uint8)))
              for _ in range(8)]

    def threads():
        return backend.session.get_session_options().intra_op_num_threads

    alone = np.concatenate([backend([face]) for face in packed])
    assert alone.shape == (8, 3) and alone.std(axis=0).min() > 0 and threads() == cores
    used, run = set(), backend._run
    backend._run = lambda faces: used.add((len(faces), threading.get_ident())) or run(faces)
    np.testing.assert_allclose(backend(packed), alone, atol=1e-6)
    assert threads() == 1 and {size for size, _ in used} == {1}
    assert (threading.get_ident() in {thread for _, thread in used}) == (cores == 1)
    np.testing.assert_array_equal(backend(packed[2:5]), backend(packed)[2:5])  # whatever the batch


def test_the_command_equals_python(exported, tmp_path):
    cfg, weights, _, path, _ = exported
    for number, image in enumerate(images()):
        cv2.imwrite(str(tmp_path / f'{number}.png'), image)
    assert main([str(tmp_path / '*.png'), '--model', str(path), '--detector', 'none', '--format',
                 'json', '--out-dir', str(tmp_path / 'out')]) == 0
    lines = (tmp_path / 'out' / 'predictions.jsonl').read_text().splitlines()
    truth = AUInferencer(cfg, weights, 'cpu', detector=None)(images())
    np.testing.assert_allclose(probabilities(map(json.loads, lines)), probabilities(truth),
                               atol=1e-3)


def rewrite(path, to, **notes):
    import onnx
    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {
        key: value for key, value in {**kept, **notes}.items() if value is not None})
    onnx.save(model, to)
    return to


def test_a_file_may_not_name_what_is_run(exported, tmp_path):
    effect = tmp_path / 'effect'
    step = dict(type='pathlib.Path.mkdir', self=str(effect))
    bad = rewrite(exported[3], tmp_path / 'bad.onnx', pipeline=json.dumps([step]))
    with pytest.raises(ValueError, match='test pipeline has pathlib.Path.mkdir'):
        AUInferencer(bad, detector=None)
    assert not effect.exists()
    infer = AUInferencer(exported[0], bad, detector=None)  # the config's pipeline is used
    assert len(infer(images())) == 5


def test_unusable_files_are_named(exported, tmp_path):
    cfg, weights, _, path, _ = exported
    text = tmp_path / 'text.onnx'
    text.write_text('no model')
    foreign = rewrite(path, tmp_path / 'foreign.onnx', aus=None)
    for file, error, message in ((tmp_path / 'none.onnx', FileNotFoundError, 'does not exist'),
                                 (text, ValueError, 'is not an ONNX model'),
                                 (foreign, ValueError, 'does not note its aus')):
        with pytest.raises(error, match=message):
            OnnxBackend(file)
    with pytest.raises(ValueError, match='both weights'):
        open_model(path, weights)
    with pytest.raises(ValueError, match='takes .3, 48, 48.. Remedy: the config'):
        OnnxBackend(path)([dict(inputs=torch.zeros(3, 64, 64, dtype=torch.uint8))])


def test_a_gpu_that_is_not_there(exported):
    import onnxruntime
    if 'CUDAExecutionProvider' in onnxruntime.get_available_providers():
        pytest.skip('this ONNX Runtime has CUDA')
    with pytest.raises(ValueError, match='onnxruntime-gpu'):
        OnnxBackend(exported[3], 'cuda:0')
