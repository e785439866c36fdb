# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Static int8 quantisation of an exported model, by ONNX Runtime.

The linear layers of the blocks, nearly all of the arithmetic, get int8 weights (a scale per
channel) and uint8 inputs, whose ranges are the lowest and highest value on the calibration faces,
or leave out rare values (``METHODS``). The rest stays float: patch embedding, LayerNorm, attention
between tokens, GELU, the AU head. Weights use 7 bits, for products of 8-bit ones overflow on
processors without VNNI.
"""

import contextlib
import io
import logging
import tempfile
from pathlib import Path
from typing import List, Sequence

import numpy as np

from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.parallel import counting_bar

#: How the ranges are found, and ONNX Runtime's name of it: the extremes; the range with the least
#: Kullback-Leibler divergence; all but the outermost 0.001 % of the values.
METHODS = dict(minmax='MinMax', entropy='Entropy', percentile='Percentile')


def quantize(model: Path, out: Path, faces: Sequence[np.ndarray], method: str = 'minmax') -> None:
    """Write an int8 model.

    Args:
        model: What :func:`~.export.write_graph` wrote, with its ``.data`` beside it if it is large.
        out: ``.onnx`` file; the metadata is kept and gets ``quantised``.
        faces: For the calibration, uint8 ``[3, H, W]`` BGR each.
        method: One of ``METHODS``.

    Raises:
        ImportError: If the extra ``export`` is not installed.
        ValueError: For another method.
    """
    if method not in METHODS:
        raise ValueError(f'calibration method {method!r} is none of {", ".join(METHODS)}.')
    with needs_extra('export', 'int8'):
        import onnx
        from onnxruntime import quantization as ort
        from onnxruntime.quantization.shape_inference import quant_pre_process

    class Faces(ort.CalibrationDataReader):
        """One face after the other."""

        def __init__(self):
            self.faces = iter(faces)

        def __len__(self):
            return len(faces)

        def set_range(self, start_index, end_index):
            self.faces = iter(faces[start_index:end_index])

        def get_next(self):
            face = next(self.faces, None)
            bar.advance(calibrated, face is not None)
            return None if face is None else dict(faces=face[None])

    extra = dict(OpTypesToExcludeOutputQuantization=['MatMul'])
    if method != 'minmax':
        extra['CalibStridedMinMax'] = 1  # histograms: one face's values at a time in memory
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # it writes its warnings to the root logger
    try:
        # ONNX Runtime prints the size of histograms
        with tempfile.TemporaryDirectory(dir=out.parent, prefix='.prepared') as folder, \
                contextlib.redirect_stdout(io.StringIO()), counting_bar() as bar:
            calibrated = bar.add_task('Calibration', total=len(faces))
            prepared, done = Path(folder, 'model.onnx'), Path(folder, 'int8.onnx')
            large = model.with_name(f'{model.name}.data').exists()  # beyond a file's 2 GB
            quant_pre_process(str(model), str(prepared), save_as_external_data=large,
                              all_tensors_to_one_file=True, external_data_location='model.data')
            layers = linear_layers(onnx.load(str(prepared), load_external_data=False))
            ort.quantize_static(
                str(prepared), str(done), Faces(), quant_format=ort.QuantFormat.QDQ,
                nodes_to_quantize=layers, per_channel=True, reduce_range=True,
                activation_type=ort.QuantType.QUInt8, weight_type=ort.QuantType.QInt8,
                calibrate_method=ort.CalibrationMethod[METHODS[method]],
                use_external_data_format=large, extra_options=extra)
            small = onnx.load(str(done))  # a quarter of the size, one file
    finally:
        logging.getLogger().setLevel(level)
    notes = {entry.key: entry.value
             for entry in onnx.load(str(model), load_external_data=False).metadata_props}
    onnx.helper.set_model_props(small, {**notes, 'quantised': f'int8, {len(faces)} faces'
                                      f'{"" if method == "minmax" else ", " + method}'})
    onnx.save(small, str(out))


def linear_layers(model) -> List[str]:
    """Names of the products with a constant matrix, in the blocks.

    Those between tokens have no constant, and the head is the ``Gemm``.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    return [node.name for node in model.graph.node
            if node.op_type == 'MatMul' and constants.intersection(node.input)]
