# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the runs of a cross-validation found, from their stored predictions alone.

Two means of F1 are in use and both are given: the average of the folds' F1, and F1 over the frames
of all test folds pooled, in which each frame counts once. The paper's numbers (best epoch and
threshold on the test fold) stand apart, under ``paper``.
"""

import csv
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from fmae_iat_plugin.evaluation.evidence import paper_table
from fmae_iat_plugin.evaluation.predictions import pool_predictions
from fmae_iat_plugin.evaluation.scores import action_unit_scores
from fmae_iat_plugin.files import without_nan, write_whole

from .run_plan import NOTE, Run


def read_runs(folder: str) -> List[Run]:
    """The finished runs below a folder, by experiment, seed and fold.

    Raises:
        FileNotFoundError: If there is none.
    """
    runs = []
    for path in Path(folder).rglob(NOTE):
        fields = {key: value for key, value in json.loads(path.read_text()).items()
                  if key in Run._fields}
        run = Run(**{**fields, 'work_dir': str(path.parent)})  # the folder may have moved
        if run.predictions.is_file():
            runs.append(run)
    if not runs:
        raise FileNotFoundError(f'{folder} holds no finished run. Remedy: python '
                                f'tools/cross_validate.py CONFIG... --out {folder}')
    return sorted(runs, key=lambda run: (run.experiment, run.training, run.fold))


def paper_choice(run: Run, classes: Sequence[str]) -> Optional[dict]:
    """:func:`~fmae_iat_plugin.evaluation.evidence.paper_table` of the run's log, if it was tested
    after its epochs; of an epoch that a resumed run repeated the later line counts. A run that was
    validated on other people than those of its test has none: the paper's are of the test fold."""
    if Path(run.work_dir, NOTE).is_file():
        settings = run.note().get('settings', {})
        if settings.get('val_dataloader.dataset.split', 'test') != 'test':
            return None
    from fmae_iat_plugin.visualization.curves import read_scalars
    epochs = {row['step']: row for row in read_scalars(run.work_dir) if 'paper/f1' in row}
    return paper_table(list(epochs.values()), classes)


def run_scores(run: Run) -> dict:
    """F1 and AUC of a run in percent: ``f1``, ``auc``, ``aus``, and ``paper``, if it was tested
    after its epochs."""
    found = pool_predictions([run.predictions])
    scores = action_unit_scores(found.scores, found.labels, found.classes)
    return dict(experiment=run.experiment, split=run.split, fold=run.fold, seed=run.seed,
                frames=len(found.scores), f1=scores['f1/mean'], auc=scores['auc/mean'],
                aus={name: scores[f'f1/{name}'] for name in found.classes},
                paper=paper_choice(run, found.classes))


def _mean_std(values: Sequence[Optional[float]]) -> Dict[str, float]:
    """Over seeds; the standard deviation of one seed is not known."""
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    return dict(mean=float(numbers.mean()),
                std=float(numbers.std(ddof=1)) if len(numbers) > 1 else float('nan'))


def summarize(runs: Sequence[Run]) -> dict:
    """Everything, in percent.

    Args:
        runs: Finished ones.

    Returns:
        dict: ``runs``: :func:`run_scores` of each. ``experiments``: name -> ``folds``, ``seeds``
        (a list of ``split``, ``seed``, ``fold_mean``, ``pooled``, ``auc``, ``aus`` pooled,
        ``paper``: the folds' average), and over the seeds with all folds ``fold_mean``,
        ``pooled``, ``auc``, ``paper``, each ``mean`` and ``std``; ``incomplete``: seeds that lack
        a fold.
    """
    scores = [run_scores(run) for run in runs]
    by_name: Dict[str, Dict[tuple, list]] = defaultdict(lambda: defaultdict(list))
    for run, row in zip(runs, scores):
        by_name[run.experiment][run.training].append((run, row))
    experiments = {}
    for name, seeds in by_name.items():
        folds = sorted({run.fold for group in seeds.values() for run, _ in group})
        table: List[dict] = []
        incomplete: list = []
        for (split, seed), group in sorted(seeds.items()):
            if sorted(run.fold for run, _ in group) != folds:
                incomplete.append(f'{seed} of split {split}' if split else seed)
                continue
            group.sort(key=lambda pair: pair[0].fold)
            pooled = pool_predictions([run.predictions for run, _ in group])
            values = action_unit_scores(pooled.scores, pooled.labels, pooled.classes)
            paper = [row['paper'] for _, row in group]
            table.append(dict(
                split=split, seed=seed, fold_mean=float(np.mean([row['f1'] for _, row in group])),
                pooled=values['f1/mean'], auc=values['auc/mean'],
                aus={au: values[f'f1/{au}'] for au in pooled.classes},
                paper=None if None in paper else float(np.mean([row['mean'] for row in paper]))))
        experiments[name] = dict(folds=folds, seeds=table, incomplete=incomplete, **{
            key: _mean_std([row[key] for row in table])
            for key in ('fold_mean', 'pooled', 'auc', 'paper')} if table else {})
    return dict(runs=scores, experiments=experiments)


def results_text(summary: dict) -> str:
    """The table of experiments as text."""
    table = Table(box=box.ASCII, title='F1 in percent, mean and standard deviation over seeds')
    for header in ('experiment', 'folds', 'seeds', 'F1@0.5, folds averaged', 'F1@0.5, pooled',
                   'AUC, pooled', "paper's F1 (chosen on test)"):
        table.add_column(header, justify='left' if header == 'experiment' else 'right')

    def cell(values: dict) -> str:
        if np.isnan(values['mean']):
            return '-'
        spread = '' if np.isnan(values['std']) else f' ± {values["std"]:.1f}'
        return f'{values["mean"]:.1f}{spread}'

    notes = []
    for name, row in summary['experiments'].items():
        if row['incomplete']:
            notes.append(f'{name}: seeds {", ".join(map(str, row["incomplete"]))} lack a fold, '
                         'they are left out')
        if row['seeds']:
            table.add_row(name, str(len(row['folds'])), str(len(row['seeds'])),
                          *(cell(row[key]) for key in ('fold_mean', 'pooled', 'auc', 'paper')))
    stream = io.StringIO()
    Console(file=stream, width=150).print(table)
    return stream.getvalue() + ''.join(f'{note}\n' for note in notes)


def write_results(out: str) -> str:
    """Write ``results.json`` and ``results.csv`` (a row a run) of all finished runs below ``out``;
    returns the table as text."""
    try:
        runs = read_runs(out)
    except FileNotFoundError:
        return 'no run is finished\n'
    summary = summarize(runs)
    write_whole(Path(out, 'results.json'), json.dumps(without_nan(summary), indent=1).encode())
    stream = io.StringIO()
    classes = list(dict.fromkeys(name for row in summary['runs'] for name in row['aus']))
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(['experiment', 'split', 'fold', 'seed', 'frames', 'f1', 'auc', 'paper_f1',
                     *classes])
    for row in summary['runs']:
        writer.writerow([row['experiment'], row['split'], row['fold'], row['seed'],
                         row['frames'], row['f1'], row['auc'],
                         row['paper'] and row['paper']['mean'],
                         *(row['aus'].get(name) for name in classes)])
    write_whole(Path(out, 'results.csv'), stream.getvalue().encode())
    return results_text(summary)
