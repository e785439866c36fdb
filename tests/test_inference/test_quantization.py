# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""int8: the weights of the blocks, close to the exact model, with its metadata."""

import numpy as np
import pytest

from fmae_iat_plugin.inference.onnx_backend import OnnxBackend

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def small(exported, tmp_path_factory):
    from fmae_iat_plugin.inference.quantization import quantize
    out = tmp_path_factory.mktemp('int8') / 'small.onnx'
    quantize(exported[3], out, faces(8))
    return out


def faces(number, seed=0):
    """Smooth images: noise has no more range than its mean."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (number, 3, 6, 6), dtype=np.uint8)
    return coarse.repeat(8, axis=2).repeat(8, axis=3)


def test_every_linear_layer_of_the_blocks_is_int8(exported, small):
    import onnx
    graph = onnx.load(small).graph
    names = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    blocks = exported[2].backbone.layers
    wanted = sorted(layer.weight.shape[::-1] for block in blocks for layer in (
        block.attn.qkv, block.attn.proj, block.ffn.layers[0][0], block.ffn.layers[1]))
    int8 = {name: value for name, value in names.items()
            if value.dtype == np.int8 and value.ndim == 2}
    assert sorted(value.shape for value in int8.values()) == [tuple(shape) for shape in wanted]
    assert all(np.abs(value.astype(int)).max() <= 64 for value in int8.values())  # 7 bits
    qkv = blocks[0].attn.qkv.weight.detach().numpy().T
    matrix = next(name for name, value in int8.items() if value.shape == qkv.shape
                  and np.corrcoef(value.ravel(), qkv.ravel())[0, 1] > .99)
    scales = next(names[node.input[1]] for node in graph.node
                  if node.op_type == 'DequantizeLinear' and node.input[0] == matrix)
    assert scales.shape == (qkv.shape[1], )  # one a channel
    np.testing.assert_allclose(int8[matrix] * scales, qkv, atol=float(scales.max()) * .51)


def test_it_is_close_and_says_what_it_is(exported, small):
    import torch
    packed = [dict(inputs=torch.from_numpy(face)) for face in faces(16, seed=1)]
    exact, int8 = OnnxBackend(exported[3]), OnnxBackend(small)
    one, other = exact(packed), int8(packed)
    assert 0 < np.abs(one - other).max() < .05 < np.ptp(one, axis=0).max()
    assert int8.metadata == {**exact.metadata, 'quantised': 'int8, 8 faces'}
    assert small.stat().st_size < .4 * exported[3].stat().st_size


@pytest.mark.parametrize('method', ['minmax', 'entropy', 'percentile'])
def test_every_calibration_is_close_to_pytorch(exported, tmp_path, method, capsys):
    import torch

    from fmae_iat_plugin.inference.quantization import quantize
    quantize(exported[3], tmp_path / 'x.onnx', faces(8), method)
    assert capsys.readouterr().out == ''
    int8, images = OnnxBackend(tmp_path / 'x.onnx'), torch.from_numpy(faces(16, seed=1))
    model = exported[2]
    with torch.no_grad():
        normal = model.data_preprocessor(dict(inputs=images))['inputs']
        exact = torch.sigmoid(model.head(model.extract_feat(normal))).numpy()
    found = int8([dict(inputs=image) for image in images])
    assert 0 < np.abs(found - exact).max() < .05 < np.ptp(exact, axis=0).max()
    assert int8.metadata['quantised'] == 'int8, 8 faces' + (
        '' if method == 'minmax' else f', {method}')


def test_an_unknown_calibration(exported, tmp_path):
    from fmae_iat_plugin.inference.quantization import quantize
    with pytest.raises(ValueError, match="'mean' is none of minmax, entropy, percentile"):
        quantize(exported[3], tmp_path / 'x.onnx', faces(8), 'mean')
    assert list(tmp_path.iterdir()) == []


def test_weights_beside_the_file_give_the_same_int8(exported, small, tmp_path):
    """As those of a model beyond 1.5 GB are."""
    import onnx
    import torch

    from fmae_iat_plugin.inference.quantization import quantize
    (tmp_path / 'large').mkdir()
    (tmp_path / 'out').mkdir()
    large = tmp_path / 'large' / 'model.onnx'
    onnx.save_model(onnx.load(exported[3]), large, save_as_external_data=True,
                    location='model.onnx.data', size_threshold=0)
    assert large.stat().st_size < exported[3].stat().st_size / 2
    quantize(large, tmp_path / 'out' / 'x.onnx', faces(8))
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['x.onnx']
    packed = [dict(inputs=torch.from_numpy(face)) for face in faces(4, seed=3)]
    np.testing.assert_array_equal(OnnxBackend(tmp_path / 'out' / 'x.onnx', 'cpu')(packed),
                                  OnnxBackend(small, 'cpu')(packed))
