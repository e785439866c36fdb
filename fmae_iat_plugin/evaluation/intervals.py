# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Confidence intervals over subjects: the people are the sample, not their frames.

Percentile bootstrap (Efron and Tibshirani, 1993): subjects are drawn with replacement, and all
frames of a subject come along.
"""

from typing import Callable, Sequence, Tuple

import numpy as np

from .scores import Counts, f1_from_counts, threshold_counts

RESAMPLES = 2000


def bootstrap(statistic: Callable[[np.ndarray], float], subjects: int, confidence: float = 0.95,
              seed: int = 0, resamples: int = RESAMPLES) -> Tuple[float, float]:
    """Percentile interval of a statistic of ``subjects`` subjects.

    Args:
        statistic: Takes ``[subjects]`` int positions, repeated ones included; a NaN (undefined on
            this draw) is left out.
        subjects: Their number, at least 2.
        confidence: Within (0, 1).

    Returns:
        Lower and upper end; both NaN where more than half of the draws are undefined.

    Raises:
        ValueError: For fewer than two subjects: they have no spread.
    """
    if subjects < 2:
        raise ValueError(f'an interval over subjects needs at least 2, not {subjects}')
    rng = np.random.default_rng(seed)
    values = np.array([statistic(rng.integers(subjects, size=subjects))
                       for _ in range(resamples)])
    values = values[~np.isnan(values)]
    if len(values) < resamples / 2:
        return float('nan'), float('nan')
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_mean(values: Sequence[float], confidence: float = 0.95,
                   seed: int = 0) -> Tuple[float, float]:
    """Interval of the mean of one value a subject, ``[S]``."""
    values = np.asarray(values, dtype=np.float64)
    return bootstrap(lambda drawn: values[drawn].mean(), len(values), confidence, seed)


def subject_counts(scores: np.ndarray, labels: np.ndarray, subjects: np.ndarray,
                   threshold: float = 0.5) -> np.ndarray:
    """Confusion counts of each subject, ``[4, S, C]`` (tp, fp, fn, tn), subjects ascending.

    F1 of any set of subjects follows from the sum of their counts.

    Args:
        scores, labels: ``[N, C]``, see :mod:`.scores`.
        subjects: ``[N]``.
    """
    subjects = np.asarray(subjects)
    thresholds = np.array([threshold])
    return np.stack([
        np.stack(threshold_counts(scores[subjects == k], labels[subjects == k], thresholds))[:, 0]
        for k in np.unique(subjects)], axis=1)


def mean_f1(counts: np.ndarray) -> float:
    """Mean over the defined AUs of F1 in 0..1, from summed counts ``[4, C]``; NaN if none is."""
    f1 = f1_from_counts(Counts(*counts))
    defined = f1[~np.isnan(f1)]
    return float(defined.mean()) if len(defined) else float('nan')


def f1_interval(counts: np.ndarray, confidence: float = 0.95, seed: int = 0,
                resamples: int = RESAMPLES) -> Tuple[float, float]:
    """Interval of the mean F1 from counts a subject, ``[4, S, C]``."""
    return bootstrap(lambda drawn: mean_f1(counts[:, drawn].sum(1)), counts.shape[1], confidence,
                     seed, resamples)


def f1_difference(ours: np.ndarray, base: np.ndarray, confidence: float = 0.95, seed: int = 0,
                  resamples: int = RESAMPLES) -> Tuple[float, Tuple[float, float]]:
    """Mean F1 of ``ours`` minus that of ``base``, and its paired interval: each draw takes the
    same subjects for both. Counts ``[4, S, C]`` of the same S subjects in the same order."""
    if ours.shape != base.shape:
        raise ValueError(f'counts of the same subjects and AUs are compared, got {ours.shape} '
                         f'and {base.shape}')

    def difference(drawn: np.ndarray) -> float:
        return mean_f1(ours[:, drawn].sum(1)) - mean_f1(base[:, drawn].sum(1))

    return (difference(np.arange(ours.shape[1])),
            bootstrap(difference, ours.shape[1], confidence, seed, resamples))
