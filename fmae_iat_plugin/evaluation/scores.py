# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""F1, AUC and accuracy of action units, in numpy.

Conventions of every function here:

- ``scores: [N, C]`` are probabilities (frames x AUs); ``labels: [N, C]`` are 1 (active),
  0 (inactive) or NaN (not coded). Cells that are not coded are left out.
- An AU is predicted active where ``score >= threshold``. The threshold is rounded to the dtype of
  the scores, as torch and numpy 2 do with a Python float: a float32 score of 0.7 reaches 0.7.
- **Undefined is NaN.** Without one coded positive, F1 and AUC are undefined, whatever was
  predicted (otherwise a single false alarm would decide between "undefined" and 0, and no
  classifier could score above 0). Without one coded negative, AUC is undefined; F1 is not.
  Without a coded frame, accuracy is undefined as well. A mean leaves undefined AUs out, except in
  the paper's protocol, where they count 0.
- Frames are pooled: no average per fold, video or subject is taken.

The paper's protocol (Ning et al., FMAE / FMAE-IAT) follows the released evaluation code: one
threshold out of 0.01, 0.02, ..., 0.99, shared by all AUs, is chosen *on the evaluated frames* so
that mean F1 is highest, the lowest such threshold on ties.
"""
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

PAPER_THRESHOLDS = np.arange(1, 100) / 100
_HALF = 49  # PAPER_THRESHOLDS[_HALF] == 0.5


class Counts(NamedTuple):
    """True/false positives/negatives, four integer arrays of the same shape ``[T, C]``."""
    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray


def _checked(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float arrays ``[N, C]``; ValueError names the cell that is not usable."""
    scores, labels = np.asarray(scores), np.asarray(labels, dtype=np.float32)
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype(np.float64)
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise ValueError(f'scores and labels must both be [frames, AUs], got {scores.shape} and '
                         f'{labels.shape}')
    for name, array, bad, rule in (
            ('score', scores, ~np.isfinite(scores), 'a finite number'),
            ('label', labels, (labels != 0) & (labels != 1) & ~np.isnan(labels),
             '0, 1 or NaN (not coded); binarise intensities first')):
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise ValueError(f'{name} {array[row, column]} at row {row}, column {column} must be '
                             f'{rule}')
    return scores, labels


def _split(scores: np.ndarray, labels: np.ndarray, au: int) -> tuple[np.ndarray, np.ndarray]:
    """The sorted scores of the coded negatives and of the coded positives of one AU."""
    return (np.sort(scores[labels[:, au] == 0, au]), np.sort(scores[labels[:, au] == 1, au]))


def threshold_counts(scores: np.ndarray, labels: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Confusion counts of every AU at every threshold, from one sort per AU.

    In sorted scores, the position of a threshold tells how many scores reach it: O((N + T) log N)
    per AU instead of O(N T).

    Args:
        scores: ``[N, C]`` finite.
        labels: ``[N, C]`` of 0, 1, NaN.
        thresholds: ``[T]`` shared by the AUs or ``[T, C]``, in any order.

    Returns:
        Counts: int64 arrays ``[T, C]`` over the coded cells.

    Raises:
        ValueError: For shapes that differ, a score that is not finite, a label other than 0, 1,
            NaN, or a threshold that is NaN.
    """
    scores, labels = _checked(scores, labels)
    num_aus = scores.shape[1]
    thresholds = np.asarray(thresholds, dtype=scores.dtype)
    if thresholds.ndim == 1:
        thresholds = np.repeat(thresholds[:, None], num_aus, axis=1)
    if thresholds.ndim != 2 or thresholds.shape[1] != num_aus or np.isnan(thresholds).any():
        raise ValueError(f'thresholds must be [T] or [T, {num_aus}] without NaN, got '
                         f'{thresholds.shape}')
    reached, total = [], []  # negatives, positives: [T] per AU, a number per AU
    for au in range(num_aus):
        groups = _split(scores, labels, au)
        total.append([len(group) for group in groups])
        reached.append([len(group) - np.searchsorted(group, thresholds[:, au], 'left')
                        for group in groups])
    fp, tp = np.array(reached, dtype=np.int64).transpose(1, 2, 0)
    negatives, positives = np.array(total, dtype=np.int64).T
    return Counts(tp=tp, fp=fp, fn=positives - tp, tn=negatives - fp)


def _ratio(numerator: np.ndarray, denominator: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """Quotient where ``defined``, else NaN."""
    out = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=out, where=defined)


def f1_from_counts(counts: Counts) -> np.ndarray:
    """F1 = 2 TP / (2 TP + FP + FN) in 0..1, the shape of the counts; NaN without a positive."""
    tp, fp, fn, _ = counts
    return _ratio(2 * tp, 2 * tp + fp + fn, tp + fn > 0)


def accuracy_from_counts(counts: Counts) -> np.ndarray:
    """(TP + TN) / all in 0..1, the shape of the counts; NaN where nothing is coded."""
    tp, fp, fn, tn = counts
    total = tp + fp + fn + tn
    return _ratio(tp + tn, total, total > 0)


def roc_auc(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, exact, as the Mann-Whitney statistic.

    The share of (positive, negative) pairs in which the positive scores higher; a tie counts 1/2.

    Args:
        scores: ``[N, C]`` finite; any monotone scale.
        labels: ``[N, C]`` of 0, 1, NaN.

    Returns:
        ``[C]`` in 0..1, NaN for an AU without a coded positive or without a coded negative.

    Raises:
        ValueError: As :func:`threshold_counts`.
    """
    scores, labels = _checked(scores, labels)
    auc = np.full(scores.shape[1], np.nan)
    for au in range(scores.shape[1]):
        negative, positive = _split(scores, labels, au)
        if len(positive) and len(negative):
            below = np.searchsorted(negative, positive, 'left').sum(dtype=np.int64)
            not_above = np.searchsorted(negative, positive, 'right').sum(dtype=np.int64)
            auc[au] = (below + not_above) / (2 * len(positive) * len(negative))
    return auc


def best_shared_threshold(f1: np.ndarray, thresholds: np.ndarray) -> tuple[float, np.ndarray]:
    """The one threshold with the highest mean F1 over AUs; an undefined F1 counts as 0.

    Args:
        f1: ``[T, C]`` in 0..1, NaN = undefined.
        thresholds: ``[T]`` ascending; the lowest wins a tie.

    Returns:
        The threshold and the F1 of each AU there, ``[C]``, undefined as 0.
    """
    f1 = np.nan_to_num(f1, nan=0.0)
    mean = f1.mean(axis=1)
    best = int((mean >= mean.max() - 1e-12).argmax())  # the first of equals, up to rounding
    return float(thresholds[best]), f1[best]


def best_thresholds(f1: np.ndarray, thresholds: np.ndarray, default: float = 0.5) -> np.ndarray:
    """The best threshold of each AU, which must be chosen on *held-out training subjects*.

    Args:
        f1: ``[T, C]`` in 0..1, NaN = undefined.
        thresholds: ``[T]`` ascending; the lowest wins a tie.
        default: Threshold of an AU that cannot be tuned: F1 is undefined or 0 everywhere.

    Returns:
        ``[C]``, for ``ActionUnitMetric(thresholds=...)``.
    """
    f1 = np.nan_to_num(f1, nan=0.0)
    return np.where(f1.max(axis=0) > 0, np.asarray(thresholds)[f1.argmax(axis=0)], default)


def paper_f1(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Threshold and per-AU F1 ``[C]`` (0..1) of the paper's protocol (see the module)."""
    f1 = f1_from_counts(threshold_counts(scores, labels, PAPER_THRESHOLDS))
    return best_shared_threshold(f1, PAPER_THRESHOLDS)


def resolve_thresholds(thresholds: float | Sequence[float] | Mapping[str, float],
                       classes: Sequence[str]) -> np.ndarray:
    """One threshold per AU, ``[C]``, from a number, a list in the order of the AUs, or a dict.

    Raises:
        ValueError: For a wrong length, unknown or absent AU names, or a value outside 0..1.
    """
    if isinstance(thresholds, Mapping):
        unknown = sorted(set(thresholds) - set(classes), key=str)
        absent = [name for name in classes if name not in thresholds]
        if unknown or absent:
            raise ValueError(f'thresholds must name exactly the AUs {tuple(classes)}: '
                             f'unknown {unknown}, absent {absent}')
        thresholds = [thresholds[name] for name in classes]
    values = np.asarray(thresholds, dtype=np.float64)
    if values.ndim == 0:
        values = np.full(len(classes), values)
    if values.shape != (len(classes), ):
        raise ValueError(f'{values.size} thresholds given for {len(classes)} AUs '
                         f'{tuple(classes)}')
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f'thresholds must lie in 0..1, got {values.tolist()}')
    return values


def action_unit_scores(scores: np.ndarray,
                       labels: np.ndarray,
                       classes: Sequence[str],
                       thresholds: float | Sequence[float] | Mapping[str, float] | None = None,
                       paper_missing: str = 'masked') -> dict[str, float]:
    """Every number that :class:`~.action_unit_metric.ActionUnitMetric` reports, under its key.

    Args:
        scores: ``[N, C]`` probabilities.
        labels: ``[N, C]`` of 0, 1, NaN.
        classes: The C names, such as ``('AU1', 'AU2')``.
        thresholds: Thresholds for ``f1_tuned/*``, see :func:`resolve_thresholds`.
        paper_missing: ``'masked'``, or ``'negative'`` to count "not coded" as inactive in
            ``paper/*`` only, as the released code did.

    Returns:
        F1, AUC and accuracy in percent (0..100), counts as integers; NaN = undefined.

    Raises:
        ValueError: For unusable scores, labels, names or options.
    """
    scores, labels = _checked(scores, labels)
    if scores.shape[1] != len(classes):
        raise ValueError(f'{scores.shape[1]} scores per frame for {len(classes)} AUs '
                         f'{tuple(classes)}')
    if paper_missing not in ('masked', 'negative'):
        raise ValueError(f"paper_missing must be 'masked' or 'negative', got {paper_missing!r}")
    counts = threshold_counts(scores, labels, PAPER_THRESHOLDS)
    half = Counts(*(count[_HALF] for count in counts))
    f1 = f1_from_counts(half)

    metrics: dict[str, float] = {}
    _put(metrics, 'f1', f1, classes)
    if thresholds is not None:
        tuned = resolve_thresholds(thresholds, classes)
        tuned_counts = threshold_counts(scores, labels, tuned[None])
        _put(metrics, 'f1_tuned', f1_from_counts(tuned_counts)[0], classes)

    if paper_missing == 'negative':
        threshold, paper = paper_f1(scores, np.nan_to_num(labels, nan=0.0))
    else:
        threshold, paper = best_shared_threshold(f1_from_counts(counts), PAPER_THRESHOLDS)
    metrics['paper/f1'] = 100 * float(paper.mean())
    metrics['paper/threshold'] = threshold
    metrics.update({f'paper/{name}': 100 * float(v) for name, v in zip(classes, paper)})

    _put(metrics, 'auc', roc_auc(scores, labels), classes)
    _put(metrics, 'accuracy', accuracy_from_counts(half), classes)
    positive, negative = half.tp + half.fn, half.fp + half.tn
    for key, count in (('positive', positive), ('negative', negative),
                       ('missing', len(labels) - positive - negative)):
        metrics.update({f'{key}/{name}': int(v) for name, v in zip(classes, count)})
    metrics['undefined'] = int(np.isnan(f1).sum())
    return metrics


def _put(metrics: dict[str, float], key: str, values: np.ndarray, classes: Sequence[str]) -> None:
    """Add ``key/mean`` over the defined AUs and ``key/<AU>`` of each, in percent."""
    defined = values[~np.isnan(values)]
    metrics[f'{key}/mean'] = 100 * float(defined.mean()) if len(defined) else float('nan')
    metrics.update({f'{key}/{name}': 100 * float(v) for name, v in zip(classes, values)})
