# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Tables of runs beside the published numbers; differences tested over subjects."""

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.action_units import au_name, parse_au
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.evaluation.auc import auc_from_pairs
from fmae_iat_plugin.evaluation.comparison import (
    Difference,
    Row,
    compare,
    compare_auc,
    experiment_counts,
    experiment_pairs,
    published_rows,
)
from fmae_iat_plugin.evaluation.nested import noise_floor, training_units
from fmae_iat_plugin.evaluation.predictions import Predictions, read_predictions
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.visualization.tables import FORMATS, difference_table, f1_table

from .run_plan import Run
from .run_results import read_runs, summarize

HONEST = 'F1@0.5 of the last epoch, frames of all folds pooled, in percent; mean over seeds'
AUC = ('AUC of the last epoch, frames of all folds pooled, in percent; it has no threshold; mean '
       'over seeds')
PAPER = ("F1 in the paper's mode, in percent: best epoch and threshold chosen on each test fold, "
         'folds averaged; mean over seeds')


def collect(folders: Sequence[str]) -> Dict[str, List[Run]]:
    """The finished runs of each experiment.

    Raises:
        FileNotFoundError: If a folder holds none.
        ValueError: If two folders hold experiments of one name, or the AUs differ.
    """
    found: Dict[str, List[Run]] = {}
    for folder in folders:
        here = defaultdict(list)
        for run in read_runs(folder):
            here[run.experiment].append(run)
        for name in here:
            if name in found:
                raise ValueError(f'the experiment {name} is in {folder} and in another folder. '
                                 'Remedy: rename one (in its run.json), or name one folder.')
        found.update(here)
    return found


def floor_of(first: Sequence[Run], second: Sequence[Run]) -> Dict[str, float]:
    """The noise floor of the mean F1@0.5 and AUC of two experiments, in points: the difference that
    two sets of trainings of one recipe have by chance, from the spread over splits or seeds."""
    by_unit: List[Dict[str, Dict]] = []
    for runs in (first, second):
        names, units = sorted({run.training for run in runs}), units_of(runs)
        of = dict(zip(names, units))
        table = next(iter(summarize(runs)['experiments'].values()))['seeds']
        values: Dict[str, Dict] = {'f1': {}, 'auc': {}}
        for row in table:
            unit = of[row['split'], row['seed']]
            values['f1'].setdefault(unit, []).append(row['pooled'])
            values['auc'].setdefault(unit, []).append(row['auc'])
        by_unit.append(values)
    return {key: noise_floor(*([float(np.mean(part)) for part in values[key].values()]
                               for values in by_unit)) for key in ('f1', 'auc')}


def auc_rows(experiments: Dict[str, List[Run]],
             names: Optional[Sequence[str]] = None) -> List[Row]:
    """Rows of AUC in percent of the last epoch, over the pooled frames of all folds."""
    out = []
    for name, runs in experiments.items():
        each = [auc_from_pairs(one, np.ones((1, len(one.wins))))[0]
                for one in experiment_pairs(predictions_by_seed(runs))]
        classes = read_predictions(runs[0].predictions).classes
        order = [0] + [1 + classes.index(au) for au in (names or classes)]
        out.append(_row(name, [row[order] for row in each]))
    return out


def rows(experiments: Dict[str, List[Run]],
         aus: Optional[Sequence[int]] = None) -> Tuple[List[Row], List[Row], Tuple[str, ...]]:
    """Honest rows, rows in the paper's mode, and the AUs' names, in the order of ``aus``.

    Raises:
        ValueError: If an experiment has other AUs.
    """
    honest, paper, names = [], [], None if aus is None else tuple(map(au_name, aus))
    for name, runs in experiments.items():
        summary = summarize(runs)
        seeds = summary['experiments'][name]['seeds']
        if not seeds:
            continue
        names = names or tuple(seeds[0]['aus'])
        if set(seeds[0]['aus']) != set(names):
            raise ValueError(f'{name} has the AUs {", ".join(seeds[0]["aus"])}, the table '
                             f'{", ".join(names)}. Remedy: compare experiments of one AU set.')
        honest.append(_row(name, [[seed['pooled'], *(seed['aus'][au] for au in names)]
                                  for seed in seeds]))
        whole = {(seed['split'], seed['seed']) for seed in seeds if seed['paper'] is not None}
        by_seed = defaultdict(list)
        for row in summary['runs']:
            if (row['split'], row['seed']) in whole:
                by_seed[row['split'], row['seed']].append(
                    [row['paper']['mean'], *(row['paper']['aus'][au] for au in names)])
        if by_seed:
            paper.append(_row(name, [np.mean(folds, axis=0) for folds in by_seed.values()]))
    return honest, paper, names or ()


def _row(name: str, seeds: list) -> Row:
    values = np.array(seeds, dtype=float)
    spread = tuple(values.std(axis=0, ddof=1)) if len(values) > 1 else None
    return Row(name, tuple(values.mean(axis=0)), spread)


def predictions_by_seed(runs: Sequence[Run]) -> List[List[Predictions]]:
    """Of each training (split and seed, ascending) the predictions of its folds."""
    seeds = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.training, run.fold)):
        seeds[run.training].append(read_predictions(run.predictions))
    return list(seeds.values())


def units_of(runs: Sequence[Run]) -> list:
    """What counts as an independent training, for each of :func:`predictions_by_seed`."""
    trainings = sorted({run.training for run in runs})
    return training_units(*zip(*trainings))


def difference(ours: Sequence[Run], base: Sequence[Run],
               score: str = 'f1') -> Tuple[Difference, Tuple[str, ...]]:
    """F1@0.5 of one experiment minus that of another, and the AUs' names.

    Args:
        score: ``'f1'``, or ``'auc'``.

    Raises:
        ValueError: If they have other AUs, or were not tested on the same subjects.
    """
    found = [predictions_by_seed(runs) for runs in (ours, base)]
    classes = found[0][0][0].classes
    if any(part.classes != classes for seeds in found for parts in seeds for part in parts):
        raise ValueError('the experiments have different AUs. Remedy: compare those of one set.')
    (a, people), (b, others) = map(experiment_counts, found)
    if people != others:
        raise ValueError(f'tested on different subjects: {len(people)} and {len(others)}. Remedy: '
                         'finish all folds of both.')
    units = units_of(ours) if units_of(ours) == units_of(base) else None
    if score == 'auc':
        ours_pairs, base_pairs = map(experiment_pairs, found)
        return compare_auc(ours_pairs, base_pairs, units=units), classes
    return compare(a, b, units=units), classes


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; its exit code: 0, or 2 (an error)."""
    parser = argparse.ArgumentParser(
        description='Tables of cross-validated experiments; see docs/en/evidence.md.')
    parser.add_argument('folder', nargs='+', help='folder of tools/cross_validate.py')
    parser.add_argument('--published', help='BP4D, BP4D+ or DISFA: add the published rows to the '
                        "table of the paper's mode")
    parser.add_argument('--test', nargs=2, action='append', default=[], metavar=('A', 'B'),
                        help='two experiments: is A better than B?')
    parser.add_argument('--format', choices=FORMATS, default='text')
    parser.add_argument('--out', type=Path, help='file; default: the terminal')
    args = parser.parse_args(arguments)
    try:
        experiments = collect(args.folder)
        known, aus, source = published_rows(args.published) if args.published else ([], None, '')
        honest, paper, names = rows(experiments, aus)
        columns = ['mean', *names]
        parts = [f1_table(honest, columns, HONEST, args.format)]
        beside = {row.name: experiments[row.name] for row in honest}
        parts.append(f1_table(auc_rows(beside, names), columns, AUC, args.format))
        if known or paper:
            caption = f'{PAPER}. Published: {source}' if known else PAPER
            parts.append(f1_table([*known, *paper], columns, caption, args.format))
        for pair in args.test:
            missing = [name for name in pair if name not in experiments]
            if missing:
                raise ValueError(f'no experiment {missing[0]!r}. Remedy: one of '
                                 f'{", ".join(experiments)}.')
            first, second = (experiments[name] for name in pair)
            floor = floor_of(first, second)
            for score, title in (('f1', 'F1@0.5'), ('auc', 'AUC')):
                found, classes = difference(first, second, score)
                parts.append(difference_table(
                    found, ['mean', *(au_name(parse_au(name)) for name in classes)],
                    f'{pair[0]} minus {pair[1]}', args.format, title, floor[score]))
    except (ValueError, OSError) as error:
        return say_error(error)
    text = '\n'.join(parts)
    if args.out is None:
        sys.stdout.write(text)
    else:
        write_whole(args.out, text.encode())
    return 0
