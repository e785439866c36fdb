# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The tables of the RTATL ablation, with 95 % intervals over people."""

import json
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.evaluation.intervals import (
    bootstrap_mean,
    f1_difference,
    f1_interval,
    mean_f1,
    subject_counts,
)
from fmae_iat_plugin.evaluation.scores import roc_auc


def person_auc(scores: np.ndarray, labels: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """AUC (%) within each person, mean over the action units where it is defined, ``[S]``."""
    values = []
    for subject in np.unique(subjects):
        rows = subjects == subject
        values.append(100 * np.nanmean(roc_auc(scores[rows], labels[rows])))
    return np.array(values)


class Pooled:
    """The predictions of one arm over its seeds; the people of each seed are others.

    Args:
        stored: One dict a seed, of what ``predictions.npz`` holds.
        scores: Name of the probabilities.
    """

    def __init__(self, stored: Sequence[Dict[str, np.ndarray]], scores: str = 'scores'):
        parts = [(one[scores], one['labels'], one['subjects']) for one in stored]
        self.auc = np.concatenate([person_auc(*part) for part in parts])
        self.counts = np.concatenate([subject_counts(*part) for part in parts], axis=1)

    def row(self) -> str:
        """AUC and F1 with their intervals."""
        f1 = 100 * float(mean_f1(self.counts.sum(axis=1)))
        low, high = (100 * end for end in f1_interval(self.counts))
        return (f'{self.auc.mean():.1f} {_ends(*bootstrap_mean(self.auc))} | '
                f'{f1:.1f} {_ends(low, high)}')

    def minus(self, base: 'Pooled') -> Tuple[str, str]:
        """Paired differences of AUC and F1 on the same people, with their intervals."""
        auc = self.auc - base.auc
        f1, (low, high) = f1_difference(self.counts, base.counts)
        return (f'{auc.mean():+.1f} {_ends(*bootstrap_mean(auc))}',
                f'{100 * f1:+.1f} {_ends(100 * low, 100 * high)}')


def _ends(low: float, high: float) -> str:
    return f'({low:.1f} to {high:.1f})'


def _by_person(stored: Sequence[dict], key: str) -> np.ndarray:
    """Mean of a value of each face over the faces of each person, of all seeds."""
    means = []
    for one in stored:
        values = one[key].reshape(len(one[key]), -1).mean(axis=1)
        # in-filling is measured on every so manieth face
        subjects = one['subjects'][::-(-len(one['subjects']) // len(values))]
        means += [values[subjects == person].mean() for person in np.unique(subjects)]
    return np.array(means)


def _ratio(ours: np.ndarray, base: np.ndarray) -> str:
    """How much smaller an error is, in percent of the other's, with its interval over people."""
    less = 100 * (1 - ours / base)
    return f'{100 * (1 - ours.mean() / base.mean()):.0f} % {_ends(*bootstrap_mean(less))}'


def tables(work: Path, runs: List) -> str:
    """Markdown tables of the runs that are there.

    Args:
        work: The work dir of the ablation.
        runs: :class:`~.rtatl_ablation.Run` of each.
    """
    if not runs:
        raise ValueError(f'{work} holds no finished run. Remedy: python tools/benchmark/rtatl.py')
    stored: Dict[Tuple[int, str], List[dict]] = {}
    seconds: Dict[Tuple[int, str], List[float]] = {}
    for run in runs:
        with np.load(work / run.folder / 'predictions.npz') as file:
            stored.setdefault((run.percent, run.arm), []).append(dict(file))
        result = json.loads((work / run.folder / 'result.json').read_text(encoding='utf-8'))
        seconds.setdefault((run.percent, run.arm), []).append(result['cpu_seconds'])
    pooled = {key: Pooled(parts) for key, parts in stored.items()}
    return '\n'.join([*_scores(pooled, seconds), *_regions(stored), *_tasks(stored)]) + '\n'


def _scores(pooled: Dict[tuple, Pooled], seconds: dict) -> List[str]:
    lines = ['| labels | arm | runs | AUC (95 %) | F1 at 0.5 (95 %) | AUC minus none | '
             'F1 minus none | CPU s a run |', '|---|---|---|---|---|---|---|---|']
    for (percent, arm), rows in pooled.items():
        base = pooled.get((percent, 'none'))
        number = len(seconds[percent, arm])
        compared = base is not None and arm != 'none' and len(base.auc) == len(rows.auc)
        minus = rows.minus(base) if compared else ('', '')
        lines.append(f'| {percent} % | {arm} | {number} | {rows.row()} | {minus[0]} | {minus[1]} | '
                     f'{np.mean(seconds[percent, arm]):.0f} |')
    return lines


def _regions(stored: Dict[tuple, List[dict]]) -> List[str]:
    """What it costs to do without landmarks."""
    ours, fixed = stored.get((100, 'both, landmarks')), stored.get((100, 'both'))
    if ours is None:
        return []
    lines = ['', '| regions in training | in the test | AUC (95 %) | F1 at 0.5 (95 %) |',
             '|---|---|---|---|']
    for trained, tested, rows in (
            ('landmarks', 'landmarks', Pooled(ours, 'scores_landmarks')),
            ('landmarks', 'mean shape', Pooled(ours)),
            *([('mean shape', 'mean shape', Pooled(fixed))] if fixed else [])):
        lines.append(f'| {trained} | {tested} | {rows.row()} |')
    return lines


def _tasks(stored: Dict[tuple, List[dict]]) -> List[str]:
    lines = ['', '| labels | arm | in-filling error: model, border, mean | less than border | '
             'less than mean | end point error (% of side): model, zero, average | '
             'less than zero |', '|---|---|---|---|---|---|---|']
    for (percent, arm), parts in stored.items():
        cells = ['', '', '', '', '']
        if 'infilling_model' in parts[0]:
            ours, border, mean = (_by_person(parts, f'infilling_{name}')
                                  for name in ('model', 'border', 'mean'))
            cells[:3] = [f'{ours.mean():.3f}, {border.mean():.3f}, {mean.mean():.3f}',
                         _ratio(ours, border), _ratio(ours, mean)]
        if 'flow_model' in parts[0]:
            ours, zero, average = (_by_person(parts, f'flow_{name}')
                                   for name in ('model', 'zero', 'average'))
            cells[3:] = [f'{ours.mean():.2f}, {zero.mean():.2f}, {average.mean():.2f}',
                         _ratio(ours, zero)]
        if any(cells):
            lines.append(f'| {percent} % | {arm} | ' + ' | '.join(cells) + ' |')
    return lines
