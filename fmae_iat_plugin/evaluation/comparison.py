# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Runs beside each other and beside the published numbers.

There are two tables that are never mixed. One holds the paper's mode (best epoch and threshold
chosen on the test fold, folds averaged) together with the published numbers. The other holds honest
numbers (threshold 0.5, last epoch, frames of all folds pooled), which nobody published. Differences
between two experiments are tested on the honest numbers, paired over subjects: an AU is marked if
the 95 % interval of the difference excludes 0. The marks are not corrected for the number of AUs.
"""

import json
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .intervals import bootstrap, mean_f1, subject_counts
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
    """

    values: np.ndarray
    intervals: np.ndarray
    subjects: int

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


def compare(ours: np.ndarray, base: np.ndarray, confidence: float = 0.95,
            seed: int = 0) -> Difference:
    """F1 of ``ours`` minus that of ``base``, paired: each draw takes the same subjects for both.

    Args:
        ours, base: ``[4, S, C]`` counts of each subject, see
            :func:`~fmae_iat_plugin.evaluation.subject_counts`, or ``[4, K, S, C]`` of K seeds, over
            which F1 is averaged.

    Raises:
        ValueError: If the subjects or AUs differ, or there are fewer than two subjects.
    """
    if (ours.shape[-2:], ours.shape[0]) != (base.shape[-2:], base.shape[0]):
        raise ValueError(f'both counts must be of the same subjects and AUs, got {ours.shape} and '
                         f'{base.shape}')
    return _columns(lambda draws: _drawn(ours, draws) - _drawn(base, draws), ours.shape[-2:],
                    confidence, seed)


def scores(counts: np.ndarray, confidence: float = 0.95, seed: int = 0) -> Difference:
    """F1 with its intervals; the arguments are those of :func:`compare`."""
    return _columns(lambda draws: _drawn(counts, draws), counts.shape[-2:], confidence, seed)


def _drawn(counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """F1 of each draw, averaged over seeds: ``[4, (K,) S, C]``, ``[R, S]`` -> ``[R, 1 + C]``."""
    counts = counts.reshape(4, -1, *counts.shape[-2:])
    total = np.zeros((len(draws), counts.shape[-1] + 1))
    number = np.zeros_like(total)
    for one in counts.swapaxes(0, 1):
        f1 = _f1(np.einsum('rs,ksc->krc', draws, one))
        total += np.nan_to_num(f1)
        number += ~np.isnan(f1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _columns(statistic, shape: Tuple[int, int], confidence: float, seed: int) -> Difference:
    """Values and intervals of all columns, from the same draws."""
    drawn: List[np.ndarray] = []  # the seed is the same for every column, and so are the draws

    def column(draws: np.ndarray, k: int) -> np.ndarray:
        if not drawn:
            drawn.append(statistic(draws))
        return drawn[0][:, k]

    subjects, aus = shape
    intervals = [bootstrap(partial(column, k=k), subjects, confidence, seed)
                 for k in range(aus + 1)]
    whole = statistic(np.ones((1, subjects), dtype=int))[0]
    return Difference(whole, np.array(intervals), subjects)


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
