# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which action units occur together, in the labels and in what a model predicts."""

import numpy as np


def cooccurrence(present: np.ndarray, coded: np.ndarray) -> np.ndarray:
    """How often AU j is present where AU i is.

    Args:
        present: ``[N, C]`` bool.
        coded: ``[N, C]`` bool; a frame counts for (i, j) if both are coded.

    Returns:
        ``[C, C]``, row i, column j: P(j present | i present) in 0..1; NaN if AU i never is.
    """
    both = np.asarray(present & coded, dtype=np.float64)
    known = np.asarray(coded, dtype=np.float64)
    with np.errstate(invalid='ignore'):
        return (both.T @ both) / (both.T @ known)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference of two such tables over the defined off-diagonal cells."""
    off = ~np.eye(len(a), dtype=bool) & ~np.isnan(a) & ~np.isnan(b)
    return float(np.abs(a - b)[off].mean()) if off.any() else float('nan')
