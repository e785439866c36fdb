# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Stored predictions of a run, and the numbers that follow from them and from its log."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from fmae_iat_plugin.action_units import ACTION_UNITS, parse_au


class Predictions(NamedTuple):
    """What ``ActionUnitMetric(out_file=...)`` wrote, in the order of ``paths``.

    Attributes:
        scores, labels (np.ndarray): ``[N, C]``.
        subjects (np.ndarray): ``[N]`` index in ``names``.
        paths (np.ndarray): ``[N]``.
        classes (tuple[str]): C names of AUs.
        names (tuple[str]): Names of all subjects of the data set.
    """

    scores: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray
    paths: np.ndarray
    classes: Tuple[str, ...]
    names: Tuple[str, ...]


def read_predictions(path: Union[str, Path]) -> Predictions:
    """Read an ``.npz`` of ActionUnitMetric.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If a subject is unknown, because intervals are drawn over subjects.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist. Remedy: test with '
                                '--cfg-options test_evaluator.out_file=...npz')
    with np.load(path, allow_pickle=False) as data:
        order = np.argsort(data['img_path'], kind='stable')
        names = tuple(map(str, data['subjects'])) if 'subjects' in data else ()
        out = Predictions(data['scores'][order], data['labels'][order], data['subject'][order],
                          data['img_path'][order], tuple(map(str, data['classes'])), names)
    if (out.subjects < 0).any():
        raise ValueError(f'{path}: {(out.subjects < 0).sum()} frames have no subject, so no '
                         'interval over subjects exists. Remedy: name the subjects in the table.')
    return out


def subject_name(predictions: Predictions, subject: int) -> str:
    """The name of a subject, or its number if the data set names no subjects."""
    names = predictions.names
    return names[subject] if subject < len(names) else str(subject)


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
