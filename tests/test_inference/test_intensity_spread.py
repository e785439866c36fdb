# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Spread intensities have the standard deviation of their labels, and nothing else changes."""

import json

import cv2
import numpy as np
import pytest

from fmae_iat_plugin.evaluation.intensity_scores import agreement
from fmae_iat_plugin.inference.intensity_spread import spread_factors, spread_intensities
from fmae_iat_plugin.inference.onnx_backend import OnnxBackend

AUS = (1, 12)
NOTES = dict(aus='[1, 12]', intensity_aus='[1, 12]', thresholds='[0.5, 0.5]',
             image_size='[8, 8]', colour_order='BGR',
             pipeline='[{"type": "Resize", "scale": [8, 8]}]', config='made_up.py')


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """AU1 is the mean of red, AU12 that of green, from 0 to 5; no network."""
    onnx = pytest.importorskip('onnx', reason="pip install 'fmae_iat_plugin[export]'")
    from onnx import TensorProto, helper, numpy_helper
    nodes = [helper.make_node('Cast', ['faces'], ['float'], to=TensorProto.FLOAT),
             helper.make_node('ReduceMean', ['float', 'places'], ['mean'], keepdims=0),
             helper.make_node('Gather', ['mean', 'first'], ['two'], axis=1),
             helper.make_node('Div', ['two', 'full'], ['probabilities']),
             helper.make_node('Mul', ['probabilities', 'five'], ['intensities'])]
    values = dict(places=np.int64([2, 3]), first=np.int64([2, 1]), full=np.float32(255),
                  five=np.float32(5))
    graph = helper.make_graph(
        nodes, 'means', [helper.make_tensor_value_info('faces', TensorProto.UINT8,
                                                       ['n', 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ['n', 2])
         for name in ('probabilities', 'intensities')],
        [numpy_helper.from_array(value, name) for name, value in values.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    helper.set_model_props(made, NOTES)
    path = tmp_path_factory.mktemp('model') / 'means.onnx'
    onnx.save(made, str(path))
    return path


def _folder(folder, labels, header='image,subject,AU1,AU12'):
    """Faces of one colour: of number k the red 10 k, the green 200 - 5 k."""
    for k in range(len(labels)):
        colour = np.uint8([0, 200 - 5 * k, 10 * k])  # blue, green, red
        cv2.imwrite(str(folder / f'{k}.png'), np.tile(colour, (8, 8, 1)))
    (folder / 'annotation.csv').write_text('\n'.join(
        [header, *(f'{k}.png,S1,{",".join(map(str, row))}' for k, row in enumerate(labels))]))
    return folder


def _predicted(number):
    shown = np.stack([10 * np.arange(number), 200 - 5 * np.arange(number)], 1)
    return 5 * shown / 255


def test_the_spread_is_that_of_the_labels(model, tmp_path):
    rng = np.random.default_rng(0)
    given = _predicted(20)
    labels = np.clip(1.3 * given - [0, 1] + rng.normal(0, .3, given.shape), 0, 5).round(2)
    folder = _folder(tmp_path, labels)
    wanted = labels.std(0) / given.std(0)
    np.testing.assert_allclose(spread_factors(model, folder), wanted, rtol=1e-5)
    out = tmp_path / 'spread.onnx'
    np.testing.assert_allclose(spread_intensities(model, folder, out), wanted, rtol=1e-5)
    faces = [dict(inputs=np.tile(np.uint8([0, 200 - 5 * k, 10 * k])[:, None, None], (1, 8, 8)))
             for k in range(20)]
    before, after = (OnnxBackend(path, 'cpu') for path in (model, out))
    found = np.asarray(after(faces))
    np.testing.assert_array_equal(found[:, :2], np.asarray(before(faces))[:, :2])
    np.testing.assert_allclose(found[:, 2:], np.clip(given * wanted, 0, 5), rtol=1e-5)
    assert json.loads(after.metadata.pop('intensity_factors')) == [
        round(value, 4) for value in wanted.astype(np.float32).tolist()]
    assert after.metadata == before.metadata
    for k in range(2):  # the agreement becomes the correlation, where nothing is cut off
        plain, spread = given[:, k], given[:, k] * wanted[k]
        assert agreement(spread, labels[:, k])['icc'] == pytest.approx(
            np.corrcoef(plain, labels[:, k])[0, 1])
        assert agreement(spread, labels[:, k])['icc'] > agreement(plain, labels[:, k])['icc']
    with pytest.raises(ValueError, match='were spread before. Remedy'):
        spread_intensities(out, folder, tmp_path / 'twice.onnx')


@pytest.mark.parametrize('labels, header, message', [
    ([[2, 1], [3, 0]], 'image,subject,AU1,AU25', r'has no AU12\. Remedy'),
    ([[1, 0], [0, 1]], 'image,subject,AU1,AU12', 'holds occurrences. Remedy'),
    ([[2, 3], [2, 1]], 'image,subject,AU1,AU12', 'AU1 is the same in all faces')])
def test_labels_that_do_not_fit(model, tmp_path, labels, header, message):
    with pytest.raises(ValueError, match=message):
        spread_intensities(model, _folder(tmp_path, labels, header), tmp_path / 'out.onnx')
    assert not list(tmp_path.glob('*.onnx'))
