# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Joins exported models into one file that gives the mean of what they give.

Models of several seeds, folds or averages of weights err apart, so the mean of their probabilities
errs less than one of them (deep ensembles: Lakshminarayanan et al., NIPS 2017, section 2.4). The
joined file is used as any other; it takes as long as all of its members together.
"""

import json
from pathlib import Path
from typing import Dict, List, Sequence, Union

import numpy as np

from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.files import whole_named_file

from .onnx_backend import OnnxBackend

SAME = ('aus', 'intensity_aus', 'image_size', 'pipeline', 'cropping', 'colour_order')
TOLERANCE = 1e-5     #: between the joined float32 file and the mean of its members
HALF_TOLERANCE = 0.01  #: the same where the weights are stored in 16 bits
_WHAT = 'a joined model'
_LARGE = 256  # numbers of a weight from which 16 bits are worth a node


def join(members: Sequence[Union[str, Path]], out: Union[str, Path], half: bool = False) -> float:
    """Write one model of several.

    Args:
        members: Files of ``tools/export_onnx.py``, one or more, for the same action units in the
            same order, with the same input.
        out: ``.onnx`` file.
        half: Store the weights in 16 bits. They are widened when the file is opened, so the
            arithmetic and the speed stay those of 32 bits.

    Returns:
        float: Largest difference between an output of the file and the mean of its members'.

    Raises:
        FileNotFoundError: If a member is not there.
        ImportError: If the extra ``export`` is not installed.
        ValueError: If ``out`` is no ONNX file, the members do not fit each other, or the difference
            is above ``TOLERANCE`` (``HALF_TOLERANCE`` with ``half``).
    """
    with needs_extra('export', _WHAT):
        import onnx
    out = Path(out)
    if out.suffix != '.onnx':
        raise ValueError(f'{out} does not end with .onnx. Remedy: name an ONNX file.')
    if not members:
        raise ValueError('no model is named. Remedy: name the files that shall be joined.')
    backends = [OnnxBackend(member, 'cpu') for member in members]
    _check_alike(members, [backend.metadata for backend in backends])
    model = _joined([onnx.load(str(member)) for member in members])
    notes = dict(backends[0].metadata, members=str(len(members)))
    notes['thresholds'] = json.dumps(np.mean(
        [json.loads(backend.metadata['thresholds']) for backend in backends], axis=0).tolist())
    if half:
        _store_half(model.graph)
    onnx.helper.set_model_props(model, notes)
    onnx.checker.check_model(model)
    with whole_named_file(out) as written:
        onnx.save(model, str(written))
        difference = _difference(backends, OnnxBackend(written, 'cpu'))
        if not difference <= (HALF_TOLERANCE if half else TOLERANCE):
            raise ValueError(f'the joined model is off by {difference:.2g} from the mean of its '
                             'members: no file was written. Remedy: join without half.')
    return difference


def _check_alike(members: Sequence, notes: List[Dict[str, str]]) -> None:
    for member, noted in zip(members[1:], notes[1:]):
        for key in SAME:
            if noted.get(key) != notes[0].get(key):
                raise ValueError(f'{member} has {key} {noted.get(key)}, {members[0]} has '
                                 f'{notes[0].get(key)}. Remedy: join models of one config.')


def _joined(models: list):
    """The graphs side by side behind one input, and the mean of each output."""
    with needs_extra('export', _WHAT):
        from onnx import compose, helper
    outputs = list(models[0].graph.output)
    source = models[0].graph.input[0]
    nodes, initializers = [], []
    for number, model in enumerate(models):
        part = compose.add_prefix(model, f'{number}/').graph
        for node in part.node:
            for place, name in enumerate(node.input):
                if name == f'{number}/{source.name}':
                    node.input[place] = source.name
        nodes += part.node
        initializers += part.initializer
    nodes += [helper.make_node('Mean', [f'{number}/{output.name}' for number in range(len(models))],
                               [output.name]) for output in outputs]
    graph = helper.make_graph(nodes, 'ensemble', [source], outputs, initializers)
    return helper.make_model(graph, opset_imports=list(models[0].opset_import),
                             ir_version=models[0].ir_version)


def _store_half(graph) -> None:
    """Replace large float32 weights by float16 ones and a node that widens them."""
    with needs_extra('export', _WHAT):
        from onnx import TensorProto, helper, numpy_helper
    kept, widened = [], []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _LARGE:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        name = f'{tensor.name}/16'
        kept.append(numpy_helper.from_array(values.astype(np.float16), name))
        widened.append(helper.make_node('Cast', [name], [tensor.name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(widened + nodes)


def _difference(members: List[OnnxBackend], joined: OnnxBackend) -> float:
    rng = np.random.default_rng(0)
    height, width = joined.image_size
    coarse = rng.integers(0, 256, (8, 3, 8, 8)).repeat(-(-height // 8), 2)
    faces = coarse.repeat(-(-width // 8), 3)[..., :height, :width].astype(np.uint8)
    packed = [dict(inputs=face) for face in faces]
    return float(np.abs(joined(packed) - np.mean([one(packed) for one in members], axis=0)).max())
