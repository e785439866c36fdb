# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The claim of the paper over lambda, on rendered faces: identity, F1 on unseen subjects, when.

Each seed is another population of people, rendered, pretrained on and fine-tuned once for each
lambda (Tables 5 and 6 of the paper)::

    python -m fmae_iat_plugin.apis.lambda_sweep --seeds 100 101 102

All test subjects of all seeds are pooled: the people are the sample.
"""

import argparse
import json
import os
from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np
from mmengine.logging import MMLogger

from fmae_iat_plugin.evaluation import evidence, identity_probe
from fmae_iat_plugin.evaluation.intervals import (
    bootstrap_mean,
    f1_difference,
    f1_interval,
    mean_f1,
    subject_counts,
)

from .quickstart import Quickstart

LAMBDAS = (0, 0.02, 0.5, 1, 2, 3)
KINDS = ('paper', 'logistic')


class SweepSeed(Quickstart):
    """The quickstart of one seed with a model for each lambda; leaves ``numbers.npz``."""

    result = 'numbers.npz'

    def __init__(self, work_dir: os.PathLike, seed: int, lambdas: Sequence[float] = LAMBDAS,
                 **kwargs):
        super().__init__(work_dir, seed, lambdas={f'lambda_{v:g}': v for v in lambdas}, **kwargs)

    def report(self) -> None:
        """Of each lambda: confusion counts a test subject, probe accuracies a subject, F1 after
        each epoch."""
        from fmae_iat_plugin.visualization import metric_by_epoch
        out = {'lambdas': np.array(list(self.lambdas.values()))}
        for name in self.lambdas:
            tested = evidence.read_predictions(self.run_dir(name) / 'predictions.npz')
            found = np.load(self.run_dir(name) / 'features.npz', allow_pickle=False)
            probe = identity_probe(found['features'], found['subjects'], *self.probe_frames,
                                   seed=self.seed)
            out[f'{name}/counts'] = subject_counts(tested.scores, tested.labels, tested.subjects)
            out[f'{name}/epochs'] = np.stack(metric_by_epoch(self.run_dir(name), 'f1/mean'))
            out[f'{name}/chance'] = np.array(probe.chance)
            for kind in KINDS:
                out[f'{name}/{kind}'] = getattr(probe, kind)
        np.savez(self.work / self.result, **out)


def summarize(files: Sequence[os.PathLike]) -> List[dict]:
    """Pool the seeds.

    Args:
        files: ``numbers.npz`` of each seed.

    Returns:
        list[dict]: For each lambda, in percent with intervals over all subjects of all seeds:
        ``f1``, ``f1_interval``; ``rise``, ``rise_interval`` against lambda 0, paired;
        ``paper``, ``logistic`` (accuracy of the identity probes) with ``..._interval`` and
        ``..._fall``, ``..._fall_interval`` against lambda 0; ``best_epochs`` of each seed and
        ``f1_seeds``.

    Raises:
        ValueError: If the seeds have other lambdas, or none of them is 0.
    """
    seeds = [np.load(file, allow_pickle=False) for file in files]
    lambdas = seeds[0]['lambdas'].tolist()
    if any(seed['lambdas'].tolist() != lambdas for seed in seeds) or 0 not in lambdas:
        raise ValueError(f'{", ".join(map(str, files))} must hold the same lambdas, 0 among them; '
                         f'the first holds {lambdas}')

    def pooled(value: float, key: str, axis: int = 0) -> np.ndarray:
        return np.concatenate([seed[f'lambda_{value:g}/{key}'] for seed in seeds], axis)

    rows = []
    for value in lambdas:
        counts, base = pooled(value, 'counts', 1), pooled(0, 'counts', 1)
        rise, interval = f1_difference(counts, base)
        epochs = [seed[f'lambda_{value:g}/epochs'] for seed in seeds]
        row = dict(
            scale=value, f1=100 * float(mean_f1(counts.sum(1))),
            f1_interval=[100 * v for v in f1_interval(counts)], rise=100 * rise,
            rise_interval=[100 * v for v in interval],
            f1_seeds=[100 * float(mean_f1(seed[f'lambda_{value:g}/counts'].sum(1)))
                      for seed in seeds],
            best_epochs=[int(epoch[f1.argmax()]) for epoch, f1 in epochs],
            chance=100 * float(seeds[0][f'lambda_{value:g}/chance']))
        for kind in KINDS:
            accuracy, plain = pooled(value, kind), pooled(0, kind)
            row[kind] = 100 * float(accuracy.mean())
            row[f'{kind}_interval'] = [100 * v for v in bootstrap_mean(accuracy)]
            row[f'{kind}_fall'] = 100 * float((plain - accuracy).mean())
            row[f'{kind}_fall_interval'] = [100 * v for v in bootstrap_mean(plain - accuracy)]
        rows.append(row)
    return rows


def markdown(rows: Sequence[dict]) -> str:
    """The table of the rows, and beneath it the differences from lambda 0."""
    def cell(row: dict, key: str, sign: str = '') -> str:
        low, high = row[f'{key}_interval']
        return f'{row[key]:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f})'

    lines = ['| lambda | F1 | F1 by seed | identity, paper\'s probe | identity, logistic | '
             'best epoch by seed |', '|---|---|---|---|---|---|']
    lines += [f'| {row["scale"]:g} | {cell(row, "f1")} | '
              f'{", ".join(f"{v:.1f}" for v in row["f1_seeds"])} | {cell(row, "paper")} | '
              f'{cell(row, "logistic")} | {", ".join(map(str, row["best_epochs"]))} |'
              for row in rows]
    lines += ['', '| lambda against 0 | F1 | identity, paper\'s probe falls by | '
              'identity, logistic falls by |', '|---|---|---|---|']
    lines += [f'| {row["scale"]:g} | {cell(row, "rise", "+")} | {cell(row, "paper_fall", "+")} | '
              f'{cell(row, "logistic_fall", "+")} |' for row in rows if row['scale']]
    return '\n'.join(lines) + '\n'


def main(arguments: Optional[list] = None) -> List[dict]:
    """Parse arguments, run what is not finished, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work-dir', default='work_dirs/lambda_sweep')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--lambdas', type=float, nargs='+', default=LAMBDAS)
    parser.add_argument('--only-train', action='store_true',
                        help='leave the table to a later call, e.g. with a seed a machine')
    args = parser.parse_args(arguments)
    work = Path(args.work_dir)
    files = []
    for seed in args.seeds:
        files.append(SweepSeed(work / f'seed{seed}', seed, args.lambdas).run())
    if args.only_train:
        return []
    rows = summarize(files)
    table = markdown(rows)
    (work / 'lambdas.md').write_text(table, encoding='utf-8')
    (work / 'lambdas.json').write_text(json.dumps(rows, indent=1), encoding='utf-8')
    MMLogger.get_current_instance().info('Pooled over seeds %s:\n%s', args.seeds, table)
    return rows


if __name__ == '__main__':
    main()
