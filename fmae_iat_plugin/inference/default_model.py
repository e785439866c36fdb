# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The model that is used where none is named: an ONNX file in the package, run without PyTorch."""

import json
from pathlib import Path
from typing import Mapping

from fmae_iat_plugin.action_units import au_name

#: the model of the package
PATH = Path(__file__).with_name('default_au.onnx')


def default_model() -> Path:
    """The file of the default model.

    Raises:
        FileNotFoundError: If the installation does not carry it; the message says what to do.
    """
    if not PATH.is_file():
        raise FileNotFoundError(
            f'no model was named, and the default model {PATH} is not there. Remedy: install the '
            'package again (pip install --force-reinstall --no-deps fmae_iat_plugin), or name a '
            'model: an exported .onnx file, a config with its checkpoint (AUInferencer(CONFIG, '
            'FILE), --model CONFIG --weights FILE), or a NAME of the model zoo (python '
            'tools/model_zoo.py list)')
    return PATH


def describe(metadata: Mapping[str, str]) -> str:
    """What a file says it is, in one line.

    Args:
        metadata: Of an ONNX file: ``name``, ``training_data``, ``licence`` (text, each may be
            absent), ``aus`` and ``intensity_aus`` (JSON).
    """
    aus = json.loads(metadata['aus'])
    graded = json.loads(metadata.get('intensity_aus', '[]'))
    return (f'{metadata.get("name", "a model without a name")}: {len(aus)} action units '
            f'({", ".join(map(au_name, aus))}){", with intensities" if graded else ""}; trained on '
            f'{metadata.get("training_data", "unknown data")}; licence '
            f'{metadata.get("licence", "unknown")}')
