# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What decides the rows of a prediction; files count by their contents, not by their names."""

import hashlib
from pathlib import Path
from typing import Optional, Sequence

import numpy as np

from fmae_iat_plugin.faces import DetectorSpec
from fmae_iat_plugin.files import file_sha256
from fmae_iat_plugin.version import __version__


def prediction_settings(model, weights: Optional[str], detector, threshold, stride: int,
                        smoothing: float, crop: Sequence = ()) -> dict:
    """What decides the rows of a prediction, as JSON holds it.

    Args:
        model: Config, its path, or an ``.onnx`` file.
        weights: Checkpoint.
        detector: A :class:`~fmae_iat_plugin.faces.DetectorSpec`, a function, a name, or None.
        crop: (name, value) of the options that differ from the model's own crop.
        threshold, stride, smoothing: See :class:`~.inferencer.AUInferencer`.
    """
    if isinstance(detector, DetectorSpec):
        detector = detector.record()
    elif detector is not None and not isinstance(detector, str):
        detector = f'{type(detector).__module__}.{type(detector).__qualname__}'
    return dict(model=str(model) if isinstance(model, (str, Path)) else 'a Config',
                model_content=_content(model), weights=weights and str(weights),
                weights_content=_content(weights), detector=detector,
                threshold=threshold if threshold is None else np.asarray(threshold).tolist(),
                stride=stride, smoothing=smoothing, crop=dict(crop), version=__version__)


def _content(file) -> Optional[str]:
    """Of a config what it resolves to, of another file its SHA-256; shortened."""
    if isinstance(file, (str, Path)):
        if not Path(file).is_file():
            return None  # an address, or to be said when it is opened
        if Path(file).suffix != '.py':
            return file_sha256(file)[:16]
        from mmengine.config import Config  # of the stack
        file = Config.fromfile(file)
    return file and hashlib.sha256(repr(file.to_dict()).encode()).hexdigest()[:16]
