# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The area under the ROC curve of any set of people, from counts of pairs of people.

AUC is the share of (positive, negative) pairs of frames in which the positive scores higher. The
two frames may be of two people, so the area of a set of people does not follow from each person's
own, but it follows from the counts of each *pair* of people.
"""

from typing import NamedTuple

import numpy as np


class PairCounts(NamedTuple):
    """Pairs of a positive frame of person i and a negative one of person j, for C action units.

    Attributes:
        wins (np.ndarray): ``[S, S, C]`` those in which the positive scores higher; a tie counts
            1/2.
        pairs (np.ndarray): ``[S, S, C]`` all of them.
    """

    wins: np.ndarray
    pairs: np.ndarray


def subject_pairs(scores: np.ndarray, labels: np.ndarray, subjects: np.ndarray) -> PairCounts:
    """Count the pairs.

    Args:
        scores, labels: ``[N, C]``, labels 0, 1 or NaN.
        subjects: ``[N]`` names or numbers; the S people are in ascending order.
    """
    people = np.unique(subjects)
    rows = [np.flatnonzero(subjects == person) for person in people]
    shape = len(people), len(people), scores.shape[1]
    wins, pairs = np.zeros(shape), np.zeros(shape)
    for au in range(shape[2]):
        column, label = scores[:, au].astype(np.float64), labels[:, au]
        sides = [[column[mine[label[mine] == value]] for mine in rows] for value in (1, 0)]
        positive = np.concatenate(sides[0])
        ends = np.cumsum([0, *map(len, sides[0])])
        for j, negative in enumerate(map(np.sort, sides[1])):
            above = (np.searchsorted(negative, positive, 'left')
                     + np.searchsorted(negative, positive, 'right')) / 2
            total = np.concatenate([[0], np.cumsum(above)])
            wins[:, j, au] = total[ends[1:]] - total[ends[:-1]]
            pairs[:, j, au] = np.diff(ends) * len(negative)
    return PairCounts(wins, pairs)


def auc_from_pairs(counts: PairCounts, draws: np.ndarray) -> np.ndarray:
    """AUC in percent of sets of people.

    Args:
        counts: Of S people.
        draws: ``[R, S]`` how often each person counts.

    Returns:
        ``[R, 1 + C]``: the mean over the AUs that are defined, then each AU; NaN where undefined.
    """
    draws = np.asarray(draws, dtype=np.float64)
    wins, pairs = (np.stack([np.einsum('rs,rs->r', draws @ part[..., au], draws)
                             for au in range(part.shape[2])], 1) for part in counts)
    each = np.where(pairs > 0, 100 * wins / np.where(pairs > 0, pairs, 1), np.nan)
    known = ~np.isnan(each)
    number = known.sum(1)
    mean = np.where(number > 0, np.where(known, each, 0).sum(1) / np.maximum(number, 1), np.nan)
    return np.concatenate([mean[:, None], each], 1)
