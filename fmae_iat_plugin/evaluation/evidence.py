# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Numbers that follow from the stored predictions of a run and from its log."""

from typing import Dict, List, Optional, Sequence

import numpy as np

from fmae_iat_plugin.action_units import ACTION_UNITS, parse_au

from .predictions import Predictions, subject_name


def paper_table(history: Sequence[dict], classes: Sequence[str]) -> Optional[dict]:
    """F1 in percent as the paper selects it: best epoch and threshold on the test frames.

    Args:
        history: Validation results, each with ``step`` and the metric's keys.
    """
    rows = [row for row in history if 'paper/f1' in row]
    if not rows:
        return None
    best = max(rows, key=lambda row: row['paper/f1'])
    return dict(mean=best['paper/f1'], epoch=best['step'], threshold=best['paper/threshold'],
                aus={name: best[f'paper/{name}'] for name in classes})


def sample_frames(predictions: Predictions, number: int, seed: int = 0) -> np.ndarray:
    """Rows of random frames, in turn over the subjects; no frame is chosen by its result."""
    rng = np.random.default_rng(seed)
    subjects = np.unique(predictions.subjects)
    rows = [rng.permutation(np.flatnonzero(predictions.subjects == k)) for k in subjects]
    turns = max(map(len, rows))
    return np.array([row[turn] for turn in range(turns) for row in rows
                     if turn < len(row)][:number])


def sample_table(predictions: Dict[str, Predictions], number: int = 8, seed: int = 0) -> List[dict]:
    """Some test frames: ``path``, ``subject``, ``truth`` and each model's ``scores`` per AU."""
    first = next(iter(predictions.values()))
    table = []
    for row in sample_frames(first, number, seed):
        truth = [None if np.isnan(v) else int(v) for v in first.labels[row]]
        who = int(first.subjects[row])
        table.append(dict(
            path=str(first.paths[row]), truth=truth,
            subject=subject_name(first, who),
            scores={name: [round(float(v), 4) for v in p.scores[row]]
                    for name, p in predictions.items()}))
    return table


def au_titles(classes: Sequence[str]) -> Dict[str, str]:
    """``'AU12'`` -> ``'Lip corner puller'``."""
    return {name: ACTION_UNITS[parse_au(name)].name for name in classes}
