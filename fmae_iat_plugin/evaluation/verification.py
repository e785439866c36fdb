# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Face verification with the frozen feature: whether two frames show the same person.

The probe asks about people that its own linear layer was trained on. Verification asks about
people that nothing was trained on. Two frames count as the same person if their cosine similarity
is above a threshold. The equal error rate (EER) is the error at the threshold where false accepts
are as frequent as false rejects; 50 % is chance. Source of the measure: ISO/IEC 19795-1.
"""

from typing import NamedTuple, Optional, Tuple

import numpy as np

from .features import draw_frames

_EDGES = 500  # thresholds from the quantiles of either kind of pair: a resolution of 0.2 points


class Verification(NamedTuple):
    """Pairs of frames of S people, counted by similarity.

    Attributes:
        same (np.ndarray): ``[S, B]`` pairs of the same person in each of B bins of rising
            similarity.
        other (np.ndarray): ``[S, S, B]`` pairs of different people i < j; 0 elsewhere.
        subjects (np.ndarray): ``[S]``, ascending.
    """

    same: np.ndarray
    other: np.ndarray
    subjects: np.ndarray

    @property
    def pairs(self) -> Tuple[int, int]:
        """Number of pairs of the same person and of different ones."""
        return int(self.same.sum()), int(self.other.sum())

    def eer(self, draws: Optional[np.ndarray] = None) -> np.ndarray:
        """Equal error rate in 0..1.

        Args:
            draws: ``[R, S]`` how often each person counts; a pair of two people counts by the
                product. Defaults to each person once.

        Returns:
            ``[R]``; NaN if a draw holds no pair of one of the two kinds.
        """
        draws = np.ones((1, len(self.subjects))) if draws is None else np.asarray(draws, float)
        upper = np.triu_indices(len(self.subjects), 1)
        same = draws @ self.same
        other = (draws[:, upper[0]] * draws[:, upper[1]]) @ self.other[upper]
        out = np.full(len(draws), np.nan)
        rows = (same.sum(1) > 0) & (other.sum(1) > 0)
        # threshold k accepts bin k and those above
        reject = _cumulated(same[rows])
        accept = 1 - _cumulated(other[rows])
        gap = reject - accept  # rises from -1 to 1
        after = (gap >= 0).argmax(1)
        at, row = np.maximum(after, 1), np.arange(len(gap))
        low, high = gap[row, at - 1], gap[row, at]
        share = np.where(high > low, -low / np.where(high > low, high - low, 1), 0)
        out[rows] = accept[row, at - 1] + share * (accept[row, at] - accept[row, at - 1])
        return out


def _cumulated(counts: np.ndarray) -> np.ndarray:
    """``[R, B]`` counts -> ``[R, B + 1]`` share below each threshold, from 0 to 1."""
    total = np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(1)], 1)
    return total / total[:, -1:]


def verification(features: np.ndarray, subjects: np.ndarray,
                 sequences: Optional[np.ndarray] = None, frames: int = 30,
                 seed: int = 0) -> Verification:
    """Compare frames of people pairwise.

    Args:
        features: ``[N, D]``; standardised over these frames, compared by cosine similarity.
        subjects: ``[N]`` person of each frame, -1 = unknown (left out).
        sequences: ``[N]`` sequence of each frame within its person, '' = unknown. Pairs of one
            known sequence are left out: neighbouring frames are near-duplicates.
        frames: Largest number of frames per person, drawn at random.
        seed: Seed of the draw; a person's draw depends on the seed and the person alone.

    Raises:
        ValueError: If there is no pair of the same person, or none of different people.
    """
    subjects = np.asarray(subjects)
    rows = draw_frames(subjects, frames, seed)
    people = np.unique(subjects[rows])
    x = np.asarray(features, dtype=np.float64)[rows]
    spread = x.std(0)
    x = (x - x.mean(0)) / np.where(spread > 0, spread, 1)
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    x = x / np.where(norm > 0, norm, 1)
    i, j = np.triu_indices(len(rows), 1)
    who = np.searchsorted(people, subjects[rows])
    same = who[i] == who[j]
    if sequences is not None:
        names = np.asarray(sequences)[rows]
        keep = ~(same & (names[i] == names[j]) & (names[i] != ''))
        i, j, same = i[keep], j[keep], same[keep]
    if same.all() or not same.any():
        raise ValueError(f'verification: there are {int(same.sum())} pairs of one person and '
                         f'{int((~same).sum())} of different people, but both are needed. Remedy: '
                         'give more frames per person (in different sequences), or more people.')
    similarity = (x @ x.T)[i, j]
    quantiles = np.linspace(0, 1, _EDGES + 1)
    edges = np.unique([np.quantile(similarity[kind], quantiles) for kind in (same, ~same)])
    bins = np.searchsorted(edges, similarity, side='right')
    number, people_number = len(edges) + 1, len(people)
    first, second = np.minimum(who[i], who[j]), np.maximum(who[i], who[j])
    cell = (first * people_number + second) * number + bins
    shape = people_number, people_number, number
    count = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    own = np.arange(people_number)
    own_counts = count[own, own].copy()
    count[own, own] = 0
    return Verification(own_counts, count, people)
