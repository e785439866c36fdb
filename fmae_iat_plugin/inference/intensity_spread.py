# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Gives the intensities of an exported model the spread of the labels.

A regression that minimises squared errors spreads less than its labels, the more the less it
knows: with correlation r to the labels, its standard deviation is about r times theirs. An action
unit that is hard to see would never be called strong. Here each action unit's intensities are
multiplied by the ratio of the standard deviations on labelled faces, and cut at 0 and 5. At equal
spread ICC(3,1) (Shrout and Fleiss, 1979) is the correlation itself.
"""

import json
from pathlib import Path
from typing import Union

import numpy as np

from fmae_iat_plugin.action_units import au_name
from fmae_iat_plugin.datasets.annotation import MAX_INTENSITY
from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.files import write_whole

from .real_faces import predict_photos, read_photos

FACTORS = 'intensity_factors'  #: what the file notes
_WHAT = 'the spread of intensities'
_SCALED = 'intensities/scaled'


def spread_factors(model: Union[str, Path], folder: Union[str, Path]) -> np.ndarray:
    """The ratio of the standard deviations of labels and predicted intensities.

    Args:
        model: File of ``tools/export_onnx.py`` or ``tools/join_onnx.py``, with intensities.
        folder: Face crops with an annotation table of intensities; they are predicted as they are.

    Returns:
        np.ndarray: ``[K]`` float32, one for each of the model's intensities.

    Raises:
        FileNotFoundError, AnnotationError: See
            :func:`~fmae_iat_plugin.inference.real_faces.read_photos`.
        ValueError: If the table has no intensities of an action unit, or it never varies.
    """
    table, paths = read_photos(folder)
    predicted = predict_photos(paths, ['--detector', 'none', '--model', str(model)])
    missing = [au_name(au) for au in predicted.aus if au not in table.aus]
    if missing:
        raise ValueError(f'{table.path} has no {", ".join(missing)}. Remedy: labels of all action '
                         'units of the model.')
    labels, given = table.select(predicted.aus), predicted.intensities
    if given is None or np.isnan(given).all():
        raise ValueError(f'{model} gives no intensities. Remedy: a model with an intensity head.')
    if np.nanmax(labels, initial=0) <= 1:
        raise ValueError(f'{table.path} holds occurrences. Remedy: intensities, 0 to 5.')
    known = ~np.isnan(labels) & ~np.isnan(given)
    factors = []
    for k, au in enumerate(predicted.aus):
        wanted, found = labels[known[:, k], k].std(), given[known[:, k], k].std()
        if not wanted > 0 or not found > 0:
            raise ValueError(f'{au_name(au)} is the same in all faces of {table.path}. Remedy: '
                             'more faces.')
        factors.append(wanted / found)
    return np.array(factors, np.float32)


def spread_intensities(model: Union[str, Path], folder: Union[str, Path],
                       out: Union[str, Path]) -> np.ndarray:
    """Write ``model`` with intensities of the labels' spread.

    Args:
        model, folder: See :func:`spread_factors`.
        out: ``.onnx`` file; may be ``model`` itself.

    Returns:
        np.ndarray: ``[K]`` the factors, which the file notes as ``intensity_factors``.

    Raises:
        ImportError: If the extra ``export`` is not installed.
        ValueError: If the intensities of ``model`` were spread before; see also
            :func:`spread_factors`.
    """
    with needs_extra('export', _WHAT):
        import onnx
        from onnx import helper, numpy_helper
    graph_model = onnx.load(str(model))
    notes = {entry.key: entry.value for entry in graph_model.metadata_props}
    if FACTORS in notes:
        raise ValueError(f'{model}: its intensities were spread before. Remedy: the file of '
                         'tools/export_onnx.py or tools/join_onnx.py.')
    factors = spread_factors(model, folder)
    graph = graph_model.graph
    for node in graph.node:
        for place, name in enumerate(node.output):
            if name == 'intensities':
                node.output[place] = 'intensities/regressed'
    for name, values in (('factors', factors), ('lowest', np.float32(0)),
                         ('highest', np.float32(MAX_INTENSITY))):
        graph.initializer.append(numpy_helper.from_array(values, f'intensities/{name}'))
    graph.node.extend([
        helper.make_node('Mul', ['intensities/regressed', 'intensities/factors'], [_SCALED]),
        helper.make_node('Clip', [_SCALED, 'intensities/lowest', 'intensities/highest'],
                         ['intensities'])])
    notes[FACTORS] = json.dumps([round(float(factor), 4) for factor in factors])
    helper.set_model_props(graph_model, notes)
    onnx.checker.check_model(graph_model)
    write_whole(Path(out), graph_model.SerializeToString())
    return factors
