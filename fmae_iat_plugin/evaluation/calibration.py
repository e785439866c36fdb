# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Calibration: whether the scores mean what they say, as bins and as one number.

Source: Guo et al., "On Calibration of Modern Neural Networks" (2017): equal bins of the score;
expected calibration error (eq. 3) = the mean over all labels of |observed - predicted| of the bin.
"""

from typing import NamedTuple

import numpy as np


class Calibration(NamedTuple):
    """B bins of rising score.

    Attributes:
        predicted (np.ndarray): ``[B]`` mean score of the bin; NaN if it is empty.
        observed (np.ndarray): ``[B]`` share of positives among its labels; NaN if it is empty.
        number (np.ndarray): ``[B]`` number of labels in the bin.
    """

    predicted: np.ndarray
    observed: np.ndarray
    number: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error in 0..1; NaN if there is no label."""
        filled = self.number > 0
        if not filled.any():
            return float('nan')
        gap = np.abs(self.observed - self.predicted)[filled]
        return float(np.average(gap, weights=self.number[filled]))


def calibration(scores: np.ndarray, labels: np.ndarray, bins: int = 10) -> Calibration:
    """Reliability over all coded labels of all AUs.

    Args:
        scores: ``[N, C]`` within 0..1.
        labels: ``[N, C]`` 0, 1 or NaN (not coded).
        bins: Number of bins of equal width.
    """
    coded = ~np.isnan(labels)
    scores, labels = np.asarray(scores, float)[coded], np.asarray(labels, float)[coded]
    place = np.minimum((scores * bins).astype(int), bins - 1)
    number = np.bincount(place, minlength=bins)
    with np.errstate(invalid='ignore'):
        return Calibration(np.bincount(place, scores, bins) / number,
                           np.bincount(place, labels, bins) / number, number)
