# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""All evidence of some experiments on one page: scores, identity, ablations, claims.

Every number comes from what the runs of :mod:`.cross_validation` stored, and stands in the JSON
beside the page.
"""

import argparse
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.evaluation import evidence
from fmae_iat_plugin.evaluation.comparison import (
    Difference,
    Row,
    compare,
    published_rows,
    ranks,
)
from fmae_iat_plugin.evaluation.nested import Effect
from fmae_iat_plugin.evaluation.predictions import Predictions, read_predictions
from fmae_iat_plugin.evaluation.published_ablations import published_ablation

from . import compare as tables
from .ablations import Setting, ablations, run_dump, setting
from .report_claims import claims
from .report_scores import (
    adversary_curves,
    auc_block,
    best_epochs,
    calibration_block,
    cooccurrence_block,
    cost_block,
    data_block,
    f1_block,
    last_identity_loss,
    mean_curve,
    tuned_counts,
    tuned_f1,
)
from .run_identity import (
    KINDS,
    RunIdentity,
    control_falls,
    eer_table,
    measure,
    probe_fall,
    probe_table,
    purity_table,
)
from .run_plan import Run
from .run_results import summarize

Experiments = Dict[str, List[Run]]
_SAMPLES = 8


def choose(experiments: Experiments, base: Optional[str] = None,
           ours: Optional[str] = None) -> Tuple[str, str]:
    """The names of FMAE and FMAE-IAT: those named, or the one experiment without an adversary and
    the one with it that have most runs.

    Raises:
        ValueError: If a name is unknown, or the choice is not clear.
    """
    for name in (base, ours):
        if name is not None and name not in experiments:
            raise ValueError(f'no experiment {name!r}. Remedy: one of {", ".join(experiments)}.')

    def most(option: str, adversary: bool) -> str:
        found = {name: len(runs) for name, runs in experiments.items()
                 if bool(run_dump(runs[0]).model.get('adversary')) == adversary}
        best = [name for name, number in found.items() if number == max(found.values())]
        if len(best) != 1:
            raise ValueError(f'{len(best)} experiments {"with" if adversary else "without"} an '
                             f'adversary could be meant{": " if best else ""}{", ".join(best)}. '
                             f'Remedy: name one by --{option}.')
        return best[0]

    return base or most('base', False), ours or most('ours', True)


def _complete(runs: Sequence[Run]) -> List[Run]:
    """The runs of the seeds that have all folds."""
    folds = {run.fold for run in runs}
    return [run for run in runs
            if {other.fold for other in runs if other.training == run.training} == folds]


def _f1_rows(honest: Sequence[Row]) -> List[dict]:
    """Rows with their places, for the page and the JSON."""
    return [dict(name=row.name, values=list(map(float, row.values)), place=place.tolist(),
                 spread=None if row.spread is None else list(map(float, row.spread)))
            for row, place in zip(honest, ranks(honest))]


def experiment_block(runs: Sequence[Run], found: Sequence[RunIdentity], seed: int) -> dict:
    """All about one experiment, of its seeds with all folds; numbers in percent."""
    summary = next(iter(summarize(runs)['experiments'].values()))
    whole: Setting = setting(run_dump(runs[0]))
    return dict(
        folds=summary['folds'], seeds=[row['seed'] for row in summary['seeds']], runs=len(runs),
        setting=whole._asdict(), f1=f1_block(runs, seed), auc=auc_block(runs, seed),
        tuned=tuned_f1(runs), trainings=len(set(tables.units_of(runs))),
        over_seeds={key: summary[key] for key in ('fold_mean', 'pooled', 'auc', 'paper')},
        best_epochs=best_epochs(runs), calibration=calibration_block(runs),
        probe={split: probe_table(found, split) for split in ('random', 'sequences')},
        purity=purity_table(found), eer=eer_table(found), cost=cost_block(runs),
        notes=list(dict.fromkeys(note for one in found for note in one.notes)))


def _label(kind: str, row: dict) -> str:
    """What a row is called in its ablation."""
    return {'lambda': f'{row["scale"]:g}', 'head': str(row['layers']), 'size': row['encoder'],
            'ramp': 'rising' if row['ramp'] else 'constant'}[kind]


def published_f1(kind: str, row: dict, data_set: Optional[str]) -> Optional[float]:
    """What the paper reports of the same setting (Tables 5 to 7), in its own mode and of one fold;
    None if it reports nothing. Data sets: ``'BP4D'``, ``'BP4D+'``, ``'DISFA'``."""
    if kind == 'lambda' and data_set is not None:
        values = published_ablation('lambda').values if data_set == 'BP4D' else (
            published_ablation('lambda_data_sets').values[data_set])
        return values.get(row['scale'])
    if kind == 'head' and data_set == 'BP4D':
        return published_ablation('head').values.get(row['layers'])
    return None


def ablation_rows(kind: str, members: Experiments, identity: Dict[str, RunIdentity], seed: int,
                  published: Optional[str] = None) -> List[dict]:
    """One row per experiment, all of the same folds and seeds."""
    rows = []
    for name, runs in members.items():
        found = [identity[run.work_dir] for run in runs if run.work_dir in identity]
        block, epochs = f1_block(runs, seed), best_epochs(runs)
        probe = probe_table(found, 'random')
        rows.append(dict(
            name=name, **setting(run_dump(runs[0]))._asdict(), runs=len(runs),
            f1=dict(mean=block['mean'], interval=block['interval']),
            auc={key: auc_block(runs, seed)[key] for key in ('mean', 'interval')},
            probe=None if probe is None else {kind: probe[kind] for kind in KINDS},
            chance=None if probe is None else probe['chance'], best_epochs=epochs,
            best_epoch=None if epochs is None else float(np.mean(epochs)),
            places=[[run.fold, *((run.split, ) * (run.split > 0)), run.seed] for run in runs],
            id_loss=last_identity_loss(runs)))
    labels = [_label(kind, row) for row in rows]
    alike = len(set(labels)) < len(labels)  # such as one encoder, pretrained in two ways
    return [dict(row, label=row['name'] if alike else label,
                 published=published_f1(kind, row, published)) for row, label in zip(rows, labels)]


def build(experiments: Experiments, base: str, ours: str, frames: Tuple[int, int] = (70, 30),
          sequence_frames: Optional[Tuple[int, int]] = None, published: Optional[str] = None,
          seed: int = 0, workers: int = 1, title: str = 'FMAE and FMAE-IAT',
          summary: Optional[str] = None, caveat: Optional[str] = None,
          setup: Optional[Dict[str, str]] = None) -> Tuple[dict, dict]:
    """The numbers of a report, and its figures as SVG.

    Args:
        experiments: See :func:`~.compare.collect`.
        base, ours: FMAE's and FMAE-IAT's names.
        frames: (train, test) frames a person for the identity probe.
        sequence_frames: The same for the probe by sequence; default: half of ``frames``.
        published: Data set whose published rows stand in the table of the paper's mode.
        seed: Of probes, pictures and bootstrap.
        workers: Processes that probe.
        title, summary, caveat, setup: Of the page; defaults are made from the runs.

    Raises:
        ValueError: If a seed of ``base`` and ``ours`` has all folds in neither, they have different
            AUs or were tested on other people.
    """
    from .report_figures import figures
    sequence_frames = sequence_frames or tuple(max(1, number // 2) for number in frames)
    whole = {name: _complete(runs) for name, runs in experiments.items()}
    for name in (base, ours):
        if not whole[name]:
            raise ValueError(f'no seed of {name} has all its folds. Remedy: finish it with '
                             'tools/cross_validate.py.')
    whole = {name: runs for name, runs in whole.items() if runs}
    places = {(run.fold, run.training) for run in whole[base]}
    if {(run.fold, run.training) for run in whole[ours]} != places:
        raise ValueError(f'{base} and {ours} have different folds or seeds. Remedy: finish both.')
    folds = {fold for fold, _ in places}
    beside = {name: whole[name] for name in dict.fromkeys((base, ours, *whole))
              if {run.fold for run in whole[name]} == folds}  # tested on the same people
    known, aus, source = published_rows(published) if published else ([], None, '')
    honest, paper, classes = tables.rows(beside, aus)
    identity = measure([run for runs in whole.values() for run in runs], frames, sequence_frames,
                       seed, workers, [run.work_dir for run in whole[base]])
    probes = {name: [identity[run.work_dir] for run in runs if run.work_dir in identity]
              for name, runs in whole.items()}
    difference, columns = tables.difference(whole[ours], whole[base])
    auc_difference, _ = tables.difference(whole[ours], whole[base], score='auc')
    blocks = {name: experiment_block(runs, probes[name], seed) for name, runs in whole.items()}
    groups = ablations(whole, base, ours)
    first = {name: min(whole[name], key=lambda run: (run.training, run.fold))
             for name in (base, ours)}
    samples, missing = _samples({name: read_predictions(run.predictions)
                                 for name, run in first.items()}, seed)
    report = dict(
        title=title, base=base, ours=ours, published=published,
        aus=evidence.au_titles(columns), table_aus=list(classes),
        data=data_block([run for run in whole[base] if run.training == first[base].training]),
        experiments=blocks, beside=list(beside),
        tables=dict(honest=_f1_rows(honest), paper=_f1_rows([*known, *paper]), source=source,
                    auc=_f1_rows(tables.auc_rows(beside, classes))),
        difference=_difference(difference, columns),
        auc_difference=_difference(auc_difference, columns),
        tuned_difference=_tuned_difference(whole[ours], whole[base], columns, seed),
        noise_floor={key: None if np.isnan(value) else value for key, value in
                     tables.floor_of(whole[ours], whole[base]).items()},
        controls={name: dict(mean=found['mean'], fall=_effect(found['fall']))
                  for name, found in control_falls(probes[base]).items()},
        falls={split: {kind: _effect(probe_fall(probes[base], probes[ours], split, kind))
                       for kind in KINDS} for split in ('random', 'sequences')},
        eer_rise=eer_table(probes[ours], probes[base]),
        cooccurrence=cooccurrence_block({name: whole[name] for name in (base, ours)}),
        ablations={kind: ablation_rows(kind, members, identity, seed, published)
                   for kind, members in groups.items()},
        curves={key: {name: mean_curve(whole[name], key) for name in (base, ours)}
                for key in ('f1/mean', 'auc/mean', 'identity/paper')},
        adversary=adversary_curves(whole[ours]),
        first={name: dict(fold=run.fold, seed=run.seed) for name, run in first.items()},
        samples=samples, missing=missing)
    purities = [blocks[name]['purity'] for name in (ours, base)]
    report['purity_change'] = None if None in purities else (
        purities[0]['mean'] - purities[1]['mean'])
    report['claims'] = claims(report, groups)
    report['summary'] = summary or _summary(report)
    report['caveat'] = caveat or (
        'Intervals are of 95 %, over people and trainings (seeds, or splits where there are '
        'several). A verdict needs the effect to differ from 0 after Holm’s correction for the '
        'number of claims: “reproduced” on the claimed side, “not reproduced” on the other, “not '
        'enough data” if that cannot be told or nothing was run, “threshold effect” where F1 rises '
        'and no measure without a threshold does. With one training the verdict is about this '
        'checkpoint, not about the method. The marks in the tables are not corrected.')
    report['setup'] = {**(setup or {}), **_setup(report, frames, sequence_frames, seed)}
    report['configs'] = {name: run_dump(runs[0]).pretty_text for name, runs in whole.items()}
    report['versions'] = {name: _versions(runs) for name, runs in whole.items()}
    return report, figures(report, first, identity)


def _effect(found: Optional[Effect]) -> Optional[dict]:
    return None if found is None else dict(mean=found.mean, interval=list(found.interval),
                                           p=found.p, trainings=found.trainings)


def _difference(found: Difference, columns: Sequence[str]) -> dict:
    return dict(columns=['mean', *columns], values=found.values.tolist(),
                intervals=found.intervals.tolist(), people=found.subjects,
                significant=found.significant.tolist(), p=found.p.tolist(),
                trainings=found.trainings)


def _tuned_difference(ours: Sequence[Run], base: Sequence[Run], columns: Sequence[str],
                      seed: int) -> Optional[dict]:
    """Of F1 at tuned thresholds; None if a run has none."""
    first, second = (tuned_counts(runs) for runs in (ours, base))
    if first is None or second is None:
        return None
    return _difference(compare(first, second, seed=seed, units=tables.units_of(ours)), columns)


def _samples(predictions: Dict[str, Predictions], seed: int) -> Tuple[list, List[str]]:
    """Samples whose pictures are there, and the paths of those that are not."""
    found = evidence.sample_table(predictions, _SAMPLES, seed)
    missing = [sample['path'] for sample in found if not Path(sample['path']).is_file()]
    return [sample for sample in found if sample['path'] not in missing], missing


def _summary(report: dict) -> str:
    base, data = report['experiments'][report['base']], report['data']
    seeds = len(base['seeds'])
    return (f'{report["base"]} and {report["ours"]} learned {len(report["aus"])} action units and '
            f'were tested on {data["people"]} people ({data["frames"]} frames) that they never saw '
            f'in training: {len(base["folds"])} subject-exclusive '
            f'fold{"s" * (len(base["folds"]) > 1)}, {seeds} seed{"s" * (seeds > 1)}.')


def _setup(report: dict, frames: tuple, sequence_frames: tuple, seed: int) -> Dict[str, str]:
    base, ours = (report['experiments'][report[key]] for key in ('base', 'ours'))
    return {
        'Folds': ', '.join(f'{fold["fold"]}: {fold["people"]} people, {fold["frames"]} frames'
                           for fold in report['data']['folds']),
        'Seeds of the training': ', '.join(map(str, base['seeds'])),
        'Lambda': f'{ours["setting"]["scale"]:g}',
        'Encoder': f'{base["setting"]["encoder"]}, {base["setting"]["parameters"]:,} parameters',
        'Identity probe': f'{frames[0]} frames a person train it and {frames[1]} test it, at '
        f'random; by sequence {sequence_frames[0]} and {sequence_frames[1]}',
        'Seed of probes and intervals': str(seed)}


def _versions(runs: Sequence[Run]) -> Dict[str, str]:
    """What the runs noted when they began; several versions of a package are all named."""
    found: Dict[str, dict] = {}
    for run in runs:
        for package, version in run.note().get('versions', {}).items():
            found.setdefault(package, {})[version] = None
    return {package: ', '.join(names) for package, names in found.items()}


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; its exit code: 0, or 2 (an error)."""
    parser = argparse.ArgumentParser(
        description='One page of evidence from the runs of tools/cross_validate.py; see '
        'docs/en/evidence.md.')
    parser.add_argument('folder', nargs='+', metavar='RUN', help='folders of cross_validate.py')
    parser.add_argument('-o', '--out', type=Path, default=Path('report.html'),
                        help='the page; the numbers go to the .json beside it; default: '
                        'report.html')
    parser.add_argument('--base', help='the experiment without an adversary; default: the one with '
                        'most runs')
    parser.add_argument('--ours', help='the experiment with an adversary; default: the one with '
                        'most runs')
    parser.add_argument('--title', default='FMAE and FMAE-IAT')
    parser.add_argument('--published', help='BP4D, BP4D+ or DISFA: add the published rows to the '
                        "table of the paper's mode")
    parser.add_argument('--probe-frames', type=int, nargs=2, default=(70, 30),
                        metavar=('TRAIN', 'TEST'), help='frames per person that train and test the '
                        'identity probe; default: 70 30')
    parser.add_argument('--sequence-frames', type=int, nargs=2, metavar=('TRAIN', 'TEST'),
                        help='the same by sequence; default: half')
    parser.add_argument('--seed', type=int, default=0, help='seed of probes and intervals')
    parser.add_argument('--workers', type=int, default=0, help='processes; default: all cores')
    args = parser.parse_args(arguments)
    try:
        from fmae_iat_plugin.visualization.report import check_page, write_report
        check_page(args.out)
        experiments = tables.collect(args.folder)
        base, ours = choose(experiments, args.base, args.ours)
        report, figures = build(experiments, base, ours, tuple(args.probe_frames),
                                args.sequence_frames and tuple(args.sequence_frames),
                                args.published, args.seed, args.workers, args.title)
        write_report(args.out, report, figures)
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    for claim in report['claims']:
        sys.stdout.write(f'{claim["verdict"]:<16}  {claim["claim"]}\n')
    sys.stdout.write(f'{args.out}\n')
    return 0
