# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The numbers of the report, and what they say about the paper's claims.

A claim is ``reproduced`` where the interval lies on the claimed side of nothing, ``not
reproduced`` where it lies on the other side, and ``not enough data`` where it holds both.
Everything is a plain dict, written as ``report.json``; the page shows nothing else.
"""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from fmae_iat_plugin.action_units import ACTION_UNITS, parse_au

from .identity_probe import ProbeResult
from .intervals import bootstrap_mean, f1_difference, f1_interval, mean_f1, subject_counts
from .scores import action_unit_scores

REPRODUCED, REFUTED, OPEN = 'reproduced', 'not reproduced', 'not enough data'


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
        ValueError: If a subject is unknown: there is nothing to draw intervals over.
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
                         'interval over subjects exists. Remedy: name subjects in the table.')
    return out


def verdict(low: float, high: float) -> str:
    """What the interval of an effect that the paper says is positive tells."""
    if low > 0:
        return REPRODUCED
    return REFUTED if high < 0 else OPEN


def f1_table(predictions: Predictions, seed: int = 0) -> dict:
    """F1 in percent at threshold 0.5: ``mean``, its ``interval`` over subjects, ``aus``."""
    scores = action_unit_scores(predictions.scores, predictions.labels, predictions.classes)
    counts = subject_counts(predictions.scores, predictions.labels, predictions.subjects)
    low, high = f1_interval(counts, seed=seed)
    return dict(mean=scores['f1/mean'], interval=[100 * low, 100 * high],
                aus={name: scores[f'f1/{name}'] for name in predictions.classes},
                auc=scores['auc/mean'])


def paper_table(history: Sequence[dict], classes: Sequence[str]) -> Optional[dict]:
    """F1 in percent as the paper selects it: best epoch and threshold on the test frames.

    Args:
        history: Lines of validation, each with ``step`` and the metric's keys.
    """
    rows = [row for row in history if 'paper/f1' in row]
    if not rows:
        return None
    best = max(rows, key=lambda row: row['paper/f1'])
    return dict(mean=best['paper/f1'], epoch=best['step'], threshold=best['paper/threshold'],
                aus={name: best[f'paper/{name}'] for name in classes})


def identity_table(probe: ProbeResult, purity: Tuple[float, float]) -> dict:
    """Accuracies in percent of both probes with intervals, and the kNN purity."""
    table = {kind: dict(accuracy=100 * probe.accuracy(kind),
                        interval=[100 * v for v in probe.interval(kind)],
                        subjects=[100 * v for v in getattr(probe, kind).tolist()])
             for kind in ('logistic', 'paper')}
    table['paper']['epochs'] = [100 * v for v in probe.paper_epochs]
    return dict(table, chance=100 * probe.chance, num_subjects=len(probe.subjects),
                train=probe.train, test=probe.test, left_out=probe.split.left_out,
                purity=100 * purity[0], purity_chance=100 * purity[1])


def _percent(value: float, interval: Sequence[float]) -> str:
    return f'{value:.1f} % (95 % interval {interval[0]:.1f} to {interval[1]:.1f})'


def identity_claims(base: str, ours: str, probes: Dict[str, ProbeResult]) -> List[dict]:
    """Does the plain model know people, and does IAT make it forget them?

    The first is judged by the converged logistic probe, which finds what is there; the second by
    the paper's probe, of which the paper claims it, with the logistic one named beside it.
    """
    def said(name: str, kind: str) -> str:
        return _percent(100 * probes[name].accuracy(kind),
                        [100 * v for v in probes[name].interval(kind)])

    def fall(kind: str) -> Tuple[float, Tuple[float, float]]:
        values = getattr(probes[base], kind) - getattr(probes[ours], kind)
        return values.mean(), bootstrap_mean(values, probes[base].confidence, probes[base].seed)

    def points(kind: str) -> str:
        mean, (low, high) = fall(kind)
        return f'{-100 * mean:+.1f} points ({-100 * high:+.1f} to {-100 * low:+.1f})'

    chance = probes[base].chance
    low, high = probes[base].interval('logistic')
    return [
        dict(claim=f'{base} learns who people are, although nobody asked it to',
             verdict=verdict(low - chance, high - chance),
             sentence='A logistic regression on its frozen feature names the person in '
             f'{said(base, "logistic")} of held-out frames; chance is {100 * chance:.1f} %.'),
        dict(claim='Identity adversarial training removes identity from the feature',
             verdict=verdict(*fall('paper')[1]),
             sentence=f"The paper's probe names {said(base, 'paper')} from {base} and "
             f'{said(ours, "paper")} from {ours}: {points("paper")}. Logistic regression run to '
             f'convergence: {points("logistic")}. Chance is {100 * chance:.1f} %.'),
    ]


def f1_claim(base: str, ours: str, predictions: Dict[str, Predictions], seed: int = 0) -> dict:
    """Does F1 on unseen subjects rise? Paired over the test subjects.

    Raises:
        ValueError: If the two were not tested on the same frames.
    """
    if not np.array_equal(predictions[base].paths, predictions[ours].paths):
        raise ValueError(f'{base} and {ours} were tested on different frames. Remedy: test both '
                         'on the same split.')
    counts = {name: subject_counts(p.scores, p.labels, p.subjects)
              for name, p in predictions.items()}
    rise, (low, high) = f1_difference(counts[ours], counts[base], seed=seed)
    number = counts[base].shape[1]
    return dict(claim='F1 on people never seen in training rises', verdict=verdict(low, high),
                difference=100 * rise, interval=[100 * low, 100 * high],
                sentence=f'Mean F1 at threshold 0.5 after the last epoch: '
                f'{base} {100 * mean_f1(counts[base].sum(1)):.1f} %, '
                f'{ours} {100 * mean_f1(counts[ours].sum(1)):.1f} %; difference '
                f'{100 * rise:+.1f} points (95 % interval {100 * low:+.1f} to {100 * high:+.1f} '
                f'over {number} test subjects).')


def sample_frames(predictions: Predictions, number: int, seed: int = 0) -> np.ndarray:
    """Rows of random frames, one subject after the other: nothing is picked by its result."""
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
            subject=first.names[who] if who < len(first.names) else str(who),
            scores={name: [round(float(v), 4) for v in p.scores[row]]
                    for name, p in predictions.items()}))
    return table


def au_titles(classes: Sequence[str]) -> Dict[str, str]:
    """``'AU12'`` -> ``'Lip corner puller'``."""
    return {name: ACTION_UNITS[parse_au(name)].name for name in classes}
