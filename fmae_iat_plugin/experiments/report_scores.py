# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The scores that a report shows of an experiment, from the predictions of its runs alone."""

import json
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np

from fmae_iat_plugin.engine.adversary_monitor import KEYS
from fmae_iat_plugin.evaluation.calibration import calibration
from fmae_iat_plugin.evaluation.comparison import (
    auc_scores,
    experiment_counts,
    experiment_pairs,
    scores,
)
from fmae_iat_plugin.evaluation.cooccurrence import cooccurrence, distance
from fmae_iat_plugin.evaluation.intervals import mean_f1
from fmae_iat_plugin.evaluation.predictions import Predictions, read_predictions
from fmae_iat_plugin.evaluation.scores import Counts, f1_from_counts, threshold_counts
from fmae_iat_plugin.visualization.curves import metric_by_epoch, read_scalars

from .compare import predictions_by_seed, units_of
from .run_cost import COST
from .run_plan import Run
from .run_results import paper_choice


def f1_block(runs: Sequence[Run], seed: int = 0) -> dict:
    """F1@0.5 of runs in percent: over the pooled folds, averaged over trainings; 95 % intervals
    over people and trainings; and each person's.

    Returns:
        dict: ``mean``, ``interval``, ``aus`` and ``aus_intervals`` by name, ``people`` (names),
        ``by_person`` (mean over the AUs that the person shows; NaN where none), ``worst`` (name and
        F1 of the person with the lowest), ``median``.
    """
    seeds = predictions_by_seed(runs)
    classes = seeds[0][0].classes
    counts, people = experiment_counts(seeds)
    found = scores(counts, seed=seed, units=units_of(runs))
    each = 100 * np.stack([mean_f1(one) for one in counts.swapaxes(0, 1)])  # [K, S]
    known = ~np.isnan(each)
    each = np.where(known.any(0), np.where(known, each, 0).sum(0) / np.maximum(known.sum(0), 1),
                    np.nan)
    defined = np.flatnonzero(~np.isnan(each))
    worst = defined[each[defined].argmin()] if len(defined) else None
    return dict(
        mean=found.values[0], interval=found.intervals[0].tolist(),
        aus=dict(zip(classes, found.values[1:].tolist())),
        aus_intervals=dict(zip(classes, found.intervals[1:].tolist())),
        people=list(people), by_person=each.tolist(),
        worst=None if worst is None else dict(name=people[worst], f1=float(each[worst])),
        median=float(np.median(each[defined])) if len(defined) else float('nan'))


def auc_block(runs: Sequence[Run], seed: int = 0) -> dict:
    """AUC of runs in percent, as :func:`f1_block`: ``mean``, ``interval``, ``aus``,
    ``aus_intervals``."""
    seeds = predictions_by_seed(runs)
    found = auc_scores(experiment_pairs(seeds), seed=seed, units=units_of(runs))
    classes = seeds[0][0].classes
    return dict(mean=found.values[0], interval=found.intervals[0].tolist(),
                aus=dict(zip(classes, found.values[1:].tolist())),
                aus_intervals=dict(zip(classes, found.intervals[1:].tolist())))


def tuned_counts(runs: Sequence[Run]) -> Optional[np.ndarray]:
    """Counts ``[4, K, S, C]`` of K trainings at the thresholds that each run tuned on held-out
    training subjects; None if a run has none."""
    if any(found.thresholds is None or np.isnan(found.thresholds).any()
           for found in (read_predictions(run.predictions) for run in runs)):
        return None
    return experiment_counts(
        # scores at a threshold of their own, as scores at 0.5
        [[found._replace(scores=np.where(found.scores >= found.thresholds, 1., 0.))
          for found in parts] for parts in predictions_by_seed(runs)])[0]


def tuned_f1(runs: Sequence[Run]) -> Optional[dict]:
    """F1 in percent at the thresholds that each run tuned on held-out training subjects
    (``ThresholdHook``), pooled over folds and averaged over seeds; None if a run has none."""
    seeds: Dict[tuple, np.ndarray] = {}
    for run in runs:
        found = read_predictions(run.predictions)
        if found.thresholds is None or np.isnan(found.thresholds).any():
            return None
        counts = np.stack(threshold_counts(found.scores, found.labels,
                                           found.thresholds[None]))[:, 0]
        seeds[run.training] = seeds.get(run.training, 0) + counts
    each = 100 * np.stack([f1_from_counts(Counts(*counts)) for counts in seeds.values()])
    return dict(mean=float(np.nanmean(each, axis=1).mean()),
                aus=dict(zip(found.classes, each.mean(0).tolist())))


def best_epochs(runs: Sequence[Run]) -> Optional[List[int]]:
    """The epoch of each run that is best on its test fold, as the paper selects it; None where a
    run was not tested during its training."""
    classes = read_predictions(runs[0].predictions).classes
    best = []
    for run in runs:
        choice = paper_choice(run, classes)
        if choice is None:
            return None
        best.append(int(choice['epoch']))
    return best


def last_identity_loss(runs: Sequence[Run]) -> Optional[float]:
    """``loss_id`` in the last line that each run logged of its training, averaged over runs."""
    last = [[row['loss_id'] for row in read_scalars(run.work_dir) if 'loss_id' in row][-1:]
            for run in runs]
    return float(np.mean(last)) if all(last) else None


def mean_curve(runs: Sequence[Run], key: str) -> Optional[List[list]]:
    """A metric by epoch, averaged over runs: ``[epochs, values]``; None if it was not logged, or
    at other epochs in other runs."""
    curves = []
    for run in runs:
        try:
            curves.append(metric_by_epoch(run.work_dir, key))
        except KeyError:
            return None
    if any(not np.array_equal(epochs, curves[0][0]) for epochs, _ in curves):
        return None
    return [curves[0][0].tolist(), np.mean([values for _, values in curves], axis=0).tolist()]


def adversary_curves(runs: Sequence[Run]) -> Optional[Dict[str, List[list]]]:
    """What :class:`~fmae_iat_plugin.engine.AdversaryMonitorHook` logged, averaged over runs: name
    -> ``[epochs, values]``; None if a run was not monitored."""
    curves = {key: mean_curve(runs, f'adversary/{key}') for key in KEYS}
    known = {key: curve for key, curve in curves.items() if curve is not None}
    return known if 'loss' in known else None


def calibration_block(runs: Sequence[Run]) -> dict:
    """Reliability of all scores of all runs; ``error``, ``predicted``, ``observed`` in percent."""
    parts = [read_predictions(run.predictions) for run in runs]
    found = calibration(*(np.concatenate([getattr(part, key) for part in parts])
                          for key in ('scores', 'labels')))
    return dict(error=100 * found.error, predicted=(100 * found.predicted).tolist(),
                observed=(100 * found.observed).tolist(), number=found.number.tolist())


def cooccurrence_block(experiments: Dict[str, Sequence[Run]]) -> dict:
    """``tables``: P(column present | row present) in percent, of the labels and of what each
    experiment predicts at 0.5 in all runs; ``distance`` of each from the labels in points."""
    tables = {}
    for name, runs in experiments.items():
        parts = [read_predictions(run.predictions) for run in runs]
        found, labels = (np.concatenate([getattr(part, key) for part in parts])
                         for key in ('scores', 'labels'))
        coded = ~np.isnan(labels)
        tables.setdefault('labels', cooccurrence(labels == 1, coded))
        tables[name] = cooccurrence(found >= 0.5, coded)
    return dict(classes=list(parts[0].classes),
                tables={name: (100 * table).tolist() for name, table in tables.items()},
                distance={name: 100 * distance(table, tables['labels'])
                          for name, table in tables.items() if name != 'labels'})


def data_block(runs: Sequence[Run]) -> dict:
    """What was tested, of one seed's runs: people and frames by fold, prevalence in percent, and
    ``all_present``: the mean F1 in percent of calling every action unit present, 2 p / (1 + p)."""
    folds, parts = [], []
    for run in runs:
        part: Predictions = read_predictions(run.predictions)
        folds.append(dict(fold=run.fold, people=len(np.unique(part.subjects)),
                          frames=len(part.scores)))
        parts.append(part)
    labels = np.concatenate([part.labels for part in parts])
    coded = ~np.isnan(labels)
    share = np.array([column[known].mean() if known.any() else np.nan
                      for column, known in zip(labels.T, coded.T)])
    return dict(folds=folds, people=sum(fold['people'] for fold in folds), frames=len(labels),
                coded=dict(zip(parts[0].classes, coded.sum(0).tolist())),
                prevalence=dict(zip(parts[0].classes, (100 * share).tolist())),
                all_present=100 * float(np.mean([2 * p / (1 + p) for p in share if p > 0])))


def cost_block(runs: Sequence[Run]) -> Optional[dict]:
    """Minutes of the clock and of CPU time of a run: mean and largest; None if not all noted it."""
    paths = [Path(run.work_dir, COST) for run in runs]
    if not all(path.is_file() for path in paths):
        return None
    costs = [json.loads(path.read_text(encoding='utf-8')) for path in paths]
    return {key: dict(mean=float(np.mean(values)), most=max(values)) for key, values in (
        ('minutes', [cost['seconds'] / 60 for cost in costs]),
        ('cpu_minutes', [cost['cpu_seconds'] / 60 for cost in costs]))}
