# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The figures of a report, drawn from its numbers (t-SNE: from the features of one run each)."""

from pathlib import Path
from typing import Dict, List, Optional, Sequence, Union

import numpy as np
from mmengine.logging import MMLogger

from fmae_iat_plugin.visualization.cooccurrence import plot_cooccurrence
from fmae_iat_plugin.visualization.curves import plot_by_epoch
from fmae_iat_plugin.visualization.reliability import plot_reliability
from fmae_iat_plugin.visualization.style import to_svg
from fmae_iat_plugin.visualization.subjects import plot_subject_f1
from fmae_iat_plugin.visualization.sweep import plot_sweep
from fmae_iat_plugin.visualization.tsne import embed, plot_tsne

from .ablations import run_dump
from .run_features import read_features
from .run_identity import RunIdentity
from .run_plan import Run

XLABELS = dict(head='layers of the identity head', ramp='lambda over the training',
               size='encoder (width x depth)')
PROBE = "identity, paper's probe, not augmented (%)"
#: figure of the adversary -> label of its axis, and what AdversaryMonitorHook's scalars are called
ADVERSARY = dict(
    adversary_loss=('identity loss', dict(loss='identity loss', floor='guessing the rates',
                                          ceiling='saying nothing')),
    adversary_head=('frames named (%)', dict(fresh='probe fitted now', head='head in the game')),
    adversary_share=('share of the gradient', dict(common_share='along the common direction')),
    adversary_norm=('length', dict(feature_norm='feature')))


def _array(values) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def figures(report: dict, first: Dict[str, Run],
            identity: Dict[str, RunIdentity]) -> Dict[str, Union[str, List[str]]]:
    """All figures that the runs allow, as SVG.

    Args:
        report: See :func:`~.report.build`, with all its blocks.
        first: One run of FMAE and of FMAE-IAT, for t-SNE.
        identity: Of runs, by their folders.
    """
    base, ours = report['base'], report['ours']
    names = (base, ours)
    out: Dict[str, Union[str, List[str], None]] = {
        'tsne': _tsne(report, first, identity), 'f1': _curves(report, 'f1/mean', 'mean F1 (%)'),
        'training': _curves(report, 'identity/paper', 'identity accuracy (%)')}
    probes = {name: report['experiments'][name]['probe']['random'] for name in names}
    if None not in probes.values():
        out['probe'] = to_svg(plot_by_epoch(
            {name: (np.arange(1, 1 + len(found['epochs'])), np.array(found['epochs']))
             for name, found in probes.items()}, 'identity accuracy (%)',
            chance=probes[base]['chance']), 'Accuracy of the identity probe by its epoch')
    blocks = {name: report['experiments'][name] for name in names}
    people = blocks[base]['f1']['people']
    out['people'] = to_svg(plot_subject_f1({name: _array(block['f1']['by_person'])
                                            for name, block in blocks.items()}, people),
                           'F1 of every person')
    out['reliability'] = to_svg(plot_reliability({
        name: (_array(found['predicted']) / 100, _array(found['observed']) / 100,
               np.array(found['number']))
        for name, found in ((name, block['calibration']) for name, block in blocks.items())}),
        'Reliability diagram')
    together = report['cooccurrence']
    out['cooccurrence'] = to_svg(plot_cooccurrence(
        {name: np.array([_array(row) for row in table]) / 100
         for name, table in together['tables'].items()}, together['classes']),
        'Action units that occur together')
    out.update(_adversary(report['adversary'] or {}))
    out.update(rtatl_figures([first[name] for name in (ours, base)]))
    for kind, rows in report['ablations'].items():
        out[kind] = _sweep(kind, rows)
    return {name: svg for name, svg in out.items() if svg}


def _tsne(report: dict, first: Dict[str, Run],
          identity: Dict[str, RunIdentity]) -> Optional[List[str]]:
    """One picture a model, of the frames that test its probe."""
    svgs = []
    for name, run in first.items():
        found = identity.get(run.work_dir)
        if found is None or found.random is None:
            return None
        stored, rows = read_features(run.features), found.random.split.test
        points = {name: embed(stored.features[rows], found.random.seed)}
        svgs.append(to_svg(plot_tsne(points, stored.subjects[rows]),
                           f't-SNE of {name}, coloured by person'))
    return svgs


def rtatl_figures(runs: Sequence[Run]) -> Dict[str, str]:
    """Recovered regions, flow and relation (``rtatl_...``) of the first of some runs whose model is
    RTATL and whose checkpoint is there; nothing if there is none."""
    for run in runs:
        cfg, last = run_dump(run), Path(run.work_dir, 'last_checkpoint')
        if cfg.model.type != 'RTATL' or not last.is_file():
            continue
        from .rtatl_pictures import draw, load_rtatl, test_data
        try:
            drawn = draw(load_rtatl(cfg, last.read_text().strip()), test_data(cfg))
        except FileNotFoundError as error:
            MMLogger.get_current_instance().warning('RTATL is not drawn: %s', error)
            continue
        return {f'rtatl_{name}': to_svg(figure, f'{name} of {run.experiment}')
                for name, figure in drawn.items()}
    return {}


def _adversary(curves: Dict[str, List[list]]) -> Dict[str, str]:
    """One figure for each question that the monitor answers."""
    out = {}
    for name, (label, lines) in ADVERSARY.items():
        known = {title: (np.array(curves[key][0]), np.array(curves[key][1]))
                 for key, title in lines.items() if key in curves}
        if known:
            chance = curves['chance'][1][0] if name == 'adversary_head' else None
            out[name] = to_svg(plot_by_epoch(known, label, chance=chance), f'{label} by epoch')
    return out


def _curves(report: dict, key: str, ylabel: str) -> Optional[str]:
    curves = {name: curve for name, curve in report['curves'][key].items() if curve is not None}
    if not curves:
        return None
    return to_svg(plot_by_epoch({name: (np.array(epochs), np.array(values))
                                 for name, (epochs, values) in curves.items()}, ylabel),
                  f'{ylabel} by epoch')


def _sweep(kind: str, rows: List[dict]) -> str:
    labels = [row['label'] for row in rows]
    values = {title: [(row[key]['mean'], *row[key]['interval']) for row in rows]
              for key, title in (('f1', 'F1 (%)'), ('auc', 'AUC (%)'))}
    chance = {}
    if all(row['probe'] is not None for row in rows):
        values[PROBE] = [(row['probe']['paper']['mean'], *row['probe']['paper']['interval'])
                         for row in rows]
        chance = {PROBE: rows[0]['chance']}
    published = [row['published'] for row in rows]
    if all(value is None for value in published):
        published = ()
    return to_svg(plot_sweep(labels, values, XLABELS.get(kind, kind), chance,
                             published), f'Ablation: {kind}')
