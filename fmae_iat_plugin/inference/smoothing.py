# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Smooths the probabilities of a face over time, knowing the past only (a camera has no future)."""

import math
from typing import Dict, Optional, Tuple

import numpy as np

from fmae_iat_plugin.faces.structures import Frame


class Smoother:
    """Exponential moving average in time, right for any frame rate, gap or stride.

    ``s = s + (1 - exp(-dt / constant)) * (x - s)``, a face's first value as it is.

    Args:
        constant: Seconds after which a step has been followed by 63 %. 0: nothing is smoothed.
    """

    def __init__(self, constant: float):
        self.constant = constant
        self._source: Optional[str] = None
        self._last: Dict[int, Tuple[float, np.ndarray]] = {}  # track -> time, smoothed values

    def __call__(self, frame: Frame, track: int, values: np.ndarray) -> np.ndarray:
        """The smoothed values ``[C]`` of a face of a frame; frames come in order."""
        if not self.constant or frame.timestamp is None:
            return values
        if frame.source != self._source:
            self._source, self._last = frame.source, {}
        if track in self._last:
            time, before = self._last[track]
            step = max(frame.timestamp - time, 0.)
            values = before - math.expm1(-step / self.constant) * (values - before)
        self._last[track] = frame.timestamp, values
        return values
