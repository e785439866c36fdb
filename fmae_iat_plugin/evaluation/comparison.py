# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Runs beside each other and beside the published numbers.

There are two tables that are never mixed. One holds the paper's mode (best epoch and threshold
chosen on the test fold, folds averaged) together with the published numbers. The other holds honest
numbers (threshold 0.5, last epoch, frames of all folds pooled), which nobody published. Differences
between two experiments are tested on the honest numbers, paired over subjects and trainings
(:mod:`.nested`): an AU is marked if the 95 % interval of the difference excludes 0. The marks are
not corrected for the number of AUs.
"""

import json
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .auc import PairCounts, auc_from_pairs, subject_pairs
from .intervals import mean_f1, subject_counts
from .nested import effects, unit_means
from .predictions import Predictions, subject_name
from .scores import Counts, f1_from_counts

PUBLISHED = Path(__file__).parent / 'published'


class Row(NamedTuple):
    """A row of a table, in percent.

    Attributes:
        name (str): Experiment.
        values (tuple[float]): The mean, then each AU; NaN = unknown.
        spread (tuple[float] | None): Standard deviations over seeds, in the same order.
    """

    name: str
    values: Tuple[float, ...]
    spread: Optional[Tuple[float, ...]] = None


class Difference(NamedTuple):
    """F1 in percent, or F1 of A minus B in percentage points: the mean, then each AU.

    Attributes:
        values (np.ndarray): ``[1 + C]``.
        intervals (np.ndarray): ``[1 + C, 2]``; NaN if undefined.
        subjects (int): Number of subjects that were tested in both.
        p (np.ndarray): ``[1 + C]`` two-sided p values; NaN if undefined.
        trainings (int): Number of trainings that the intervals are over; with 1 they are over
            people alone.
    """

    values: np.ndarray
    intervals: np.ndarray
    subjects: int
    p: np.ndarray
    trainings: int = 1

    @property
    def significant(self) -> np.ndarray:
        """``[1 + C]``: whether the interval excludes 0."""
        low, high = self.intervals.T
        return (low > 0) | (high < 0)


def published_rows(data_set: str) -> Tuple[List[Row], Tuple[int, ...], str]:
    """Published rows of a data set, its AUs in their order, and the source.

    Args:
        data_set: ``'BP4D'``, ``'BP4D+'`` or ``'DISFA'``.

    Raises:
        ValueError: If the name is another.
    """
    tables: Dict[str, tuple] = {}
    for path in sorted(PUBLISHED.glob('*.json')):
        content = json.loads(path.read_text(encoding='utf-8'))
        for name, table in content['f1'].items():
            rows, aus, source = tables.get(name, ([], tuple(table['aus']), []))
            rows += [Row(key, (row['mean'], *row['aus'])) for key, row in table['rows'].items()]
            tables[name] = rows, aus, [*source, content['source']]
    if data_set not in tables:
        raise ValueError(f'no published numbers of {data_set!r}. Remedy: {", ".join(tables)}, or '
                         'none.')
    rows, aus, source = tables[data_set]
    return rows, aus, '; '.join(source)


def ranks(rows: Sequence[Row], digits: int = 1) -> np.ndarray:
    """``[R, 1 + C]``: 1 for the best of a column, 2 for the second best, else 0.

    Numbers that look equal in the table are equal.
    """
    values = np.round(np.array([row.values for row in rows], dtype=float), digits)
    out = np.zeros(values.shape, dtype=int)
    for column, known in zip(out.T, values.T):
        best = np.unique(known[~np.isnan(known)])[::-1]
        for place, value in enumerate(best[:2], 1):
            column[known == value] = place
    return out


def _f1(counts: np.ndarray) -> np.ndarray:
    """Mean and each AU from counts ``[4, ..., C]``: ``[..., 1 + C]``, in percent."""
    each = f1_from_counts(Counts(*counts))
    return 100 * np.concatenate([mean_f1(counts)[..., None], each], axis=-1)


def compare(ours: np.ndarray, base: np.ndarray, confidence: float = 0.95, seed: int = 0,
            units: Optional[Sequence] = None) -> Difference:
    """F1 of ``ours`` minus that of ``base``, paired over people and over trainings.

    Args:
        ours, base: ``[4, S, C]`` counts of each subject, see
            :func:`~fmae_iat_plugin.evaluation.subject_counts`, or ``[4, K, S, C]`` of K trainings,
            over which F1 is averaged; training k of one is that of the other.
        units: Of each training the unit that counts as independent, see
            :func:`~fmae_iat_plugin.evaluation.nested.training_units`; default: each its own.

    Raises:
        ValueError: If the subjects or AUs differ, or there are fewer than two subjects.
    """
    if (ours.shape[-2:], ours.shape[0]) != (base.shape[-2:], base.shape[0]):
        raise ValueError(f'both counts must be of the same subjects and AUs, got {ours.shape} and '
                         f'{base.shape}')
    first, second = _trainings(ours), _trainings(base)
    if len(first) != len(second):  # other trainings are not paired: each against the others' mean
        first, second = [_mean(first)], [_mean(second)]
        units = None
    return _columns([_less(a, b) for a, b in zip(first, second)], ours.shape[-2], confidence, seed,
                    units)


def scores(counts: np.ndarray, confidence: float = 0.95, seed: int = 0,
           units: Optional[Sequence] = None) -> Difference:
    """F1 with its intervals; the arguments are those of :func:`compare`."""
    return _columns(_trainings(counts), counts.shape[-2], confidence, seed, units)


def compare_auc(ours: Sequence[PairCounts], base: Sequence[PairCounts], confidence: float = 0.95,
                seed: int = 0, units: Optional[Sequence] = None) -> Difference:
    """The same of the area under the ROC curve, in percentage points.

    Args:
        ours, base: Of each training, see :func:`~fmae_iat_plugin.evaluation.auc.subject_pairs`.

    Raises:
        ValueError: If the numbers of trainings or subjects differ.
    """
    if len(ours) != len(base) or ours[0].wins.shape != base[0].wins.shape:
        raise ValueError('both experiments must have the same subjects, AUs and number of '
                         'trainings. Remedy: finish all folds and seeds of both.')
    return _columns([_less(partial(auc_from_pairs, a), partial(auc_from_pairs, b))
                     for a, b in zip(ours, base)], len(ours[0].wins), confidence, seed, units)


def auc_scores(found: Sequence[PairCounts], confidence: float = 0.95, seed: int = 0,
               units: Optional[Sequence] = None) -> Difference:
    """Areas with their intervals; the arguments are those of :func:`compare_auc`."""
    return _columns([partial(auc_from_pairs, one) for one in found], len(found[0].wins),
                    confidence, seed, units)


def _trainings(counts: np.ndarray) -> list:
    """A statistic for each training of ``[4, (K,) S, C]``: ``[R, S] -> [R, 1 + C]``."""
    counts = counts.reshape(4, -1, *counts.shape[-2:])
    return [partial(_drawn, one) for one in counts.swapaxes(0, 1)]


def _drawn(counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """F1 of each draw from counts ``[4, S, C]``: ``[R, S]`` -> ``[R, 1 + C]``."""
    return _f1(np.einsum('rs,ksc->krc', draws, counts))


def _less(ours, base):
    return lambda draws: ours(draws) - base(draws)


def _mean(statistics: list):
    return lambda draws: unit_means(np.stack([one(draws) for one in statistics]),
                                    [0] * len(statistics))[0]


def _columns(statistics: list, subjects: int, confidence: float, seed: int,
             units: Optional[Sequence]) -> Difference:
    """Values and intervals of all columns."""
    units = list(range(len(statistics))) if units is None else units
    found = effects(statistics, subjects, units, confidence, seed)
    return Difference(np.array([one.mean for one in found]),
                      np.array([one.interval for one in found]), subjects,
                      np.array([one.p for one in found]), found[0].trainings)


def experiment_pairs(seeds: Sequence[Sequence[Predictions]]) -> List[PairCounts]:
    """Of each training, over the pooled frames of its folds, with the people in the order of
    :func:`experiment_counts`."""
    out = []
    for predictions in seeds:
        who = np.concatenate([[subject_name(found, k) for k in found.subjects]
                              for found in predictions])
        pooled, labels = (np.concatenate([getattr(found, key) for found in predictions])
                          for key in ('scores', 'labels'))
        out.append(subject_pairs(pooled, labels, who))
    return out


def experiment_counts(seeds: Sequence[Sequence[Predictions]]
                      ) -> Tuple[np.ndarray, Tuple[str, ...]]:
    """Counts of each subject over the folds, ``[4, K, S, C]``, and the S subjects' names.

    Args:
        seeds: For each of K seeds, the predictions of its folds.

    Raises:
        ValueError: If the seeds were not tested on the same subjects.
    """
    tables = []
    for predictions in seeds:
        total: Dict[str, np.ndarray] = {}
        for found in predictions:
            counts = subject_counts(found.scores, found.labels, found.subjects)
            for place, who in enumerate(np.unique(found.subjects)):
                name = subject_name(found, who)
                total[name] = total.get(name, 0) + counts[:, place]
        tables.append(total)
    names = tuple(sorted(tables[0]))
    for table in tables:
        if tuple(sorted(table)) != names:
            raise ValueError(f'the seeds were tested on different subjects, {len(names)} and '
                             f'{len(table)}. Remedy: finish all folds of all seeds.')
    return np.stack([np.stack([table[name] for name in names], axis=1) for table in tables],
                    axis=1), names
