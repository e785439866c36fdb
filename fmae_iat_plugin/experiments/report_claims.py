# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The paper's claims, each judged by the runs there are and said in a plain sentence."""

from typing import Dict, List, Sequence

import numpy as np

from fmae_iat_plugin.evaluation.claims import (
    CLAIMS,
    Judged,
    all_of,
    claim,
    judge,
    of_seeds,
    signed,
)

from .ablations import run_dump, start_point
from .compare import difference
from .run_plan import Run

Groups = Dict[str, Dict[str, List[Run]]]
STRONG = 2.0  # the paper's lambda for BP4D


def claims(report: dict, groups: Groups) -> List[dict]:
    """See :data:`~fmae_iat_plugin.evaluation.claims.CLAIMS`.

    Args:
        report: With all blocks but the claims.
        groups: See :func:`~.ablations.ablations`.
    """
    rows = {kind: report['ablations'].get(kind, []) for kind in ('lambda', 'head', 'ramp', 'size')}
    out = [_learns(report), _forgets(report), _rises(report), _strong(rows['lambda'], groups),
           _later(rows['lambda']), _linear(rows['head'], groups),
           _size(report['base'], rows['size'], groups)]
    return judge(out + ([_ramp(report, rows['ramp'], groups)] if rows['ramp'] else []))


def _percent(found: dict) -> str:
    low, high = found['interval']
    return f'{found["mean"]:.1f} % ({low:.1f} to {high:.1f})'


def _range(low: float, high: float, digits: int = 1) -> str:
    return f'{signed(low, digits)} to {signed(high, digits)}'


def _points(found: dict, unit: str = 'points', digits: int = 1) -> str:
    """An effect that was counted as a fall, said with its own sign."""
    low, high = found['interval']
    return f'{signed(-found["mean"], digits)} {unit} ({_range(-high, -low, digits)})'


def _judged(found: dict) -> Judged:
    return Judged(found['mean'], tuple(found['interval']), found['p'], found['trainings'])


def _learns(report: dict) -> dict:
    name = report['base']
    text = CLAIMS['learns'].format(base=name)
    probe = report['experiments'][name]['probe']
    found = probe['random']
    if found is None:
        return claim(text, None, 'No probe: ' + _why(report, name))
    sentence = (f'A logistic regression on its frozen feature names the person in '
                f'{_percent(found["logistic"])} of held-out frames; chance is '
                f'{found["chance"]:.1f} %.')
    strict = probe['sequences']
    if strict is not None:
        sentence += (' Of frames from other sequences than it was trained on: '
                     f'{_percent(strict["logistic"])}.')
    controls = report['controls']
    if set(controls) != {'pixels', 'untrained'}:
        return claim(text, None, sentence + ' No control: the runs kept neither pixels nor the '
                     'untrained feature, and 100 % of rendered people can be told by pixels.')
    sentence += (f' The same regression{" by sequence" * (strict is not None)} on 16 x 16 pixels: '
                 f'{controls["pixels"]["mean"]:.1f} %, on the untrained encoder: '
                 f'{controls["untrained"]["mean"]:.1f} %.')
    return claim(text, all_of([_judged(one['fall']) for one in controls.values()]), sentence)


def _why(report: dict, name: str) -> str:
    notes = report['experiments'][name]['notes']
    return notes[0] if notes else 'the runs kept no features.'


def _forgets(report: dict) -> dict:
    base, ours = report['base'], report['ours']
    fall, strict, rise = (report['falls']['random'], report['falls']['sequences'],
                          report['eer_rise'])
    if fall['paper'] is None:
        return claim(CLAIMS['forgets'], None, 'No probe: ' + _why(report, ours))
    paper = {name: _percent(report['experiments'][name]['probe']['random']['paper'])
             for name in (base, ours)}
    sentence = ''
    if strict['logistic'] is not None:
        sentence = ('Logistic regression run to convergence, across sequences: '
                    f'{_points(strict["logistic"])}. ')
    if rise is not None:
        low, high = rise['interval']
        sentence += ('Equal error rate of face verification on unseen people: '
                     f'{signed(rise["mean"])} points ({_range(low, high)}); it rises where '
                     'identity is forgotten. ')
    sentence += (f'Logistic regression on random frames: {_points(fall["logistic"])}; bits of '
                 f'information on identity: {_points(fall["bits"], "bits", 2)}. The paper\'s '
                 f'probe, here without its augmentation, names {paper[base]} from {base} and '
                 f'{paper[ours]} from {ours}: {_points(fall["paper"])}; it takes few small steps, '
                 'so it reads how easily identity is found, not whether it is there.')
    if strict['logistic'] is None or rise is None:
        return claim(CLAIMS['forgets'], None, sentence + ' A verdict needs several sequences a '
                     'person and verification: a column sequence in the table.')
    return claim(CLAIMS['forgets'], all_of([_judged(strict['logistic']), _judged(rise)]), sentence)


def _rises(report: dict) -> dict:
    found, auc, tuned = (report[key] for key in ('difference', 'auc_difference',
                                                 'tuned_difference'))
    blocks = {name: report['experiments'][name] for name in (report['base'], report['ours'])}

    def said(kind: str) -> str:
        return ', '.join(f'{name} {block[kind]["mean"]:.1f} %' for name, block in blocks.items())

    def change(one: dict) -> str:
        return f'{signed(one["values"][0])} points ({_range(*one["intervals"][0])})'

    floor = report['noise_floor']
    sentence = (
        f'Mean F1 at threshold 0.5 after the last epoch: {said("f1")}; difference {change(found)} '
        f'over {found["people"]} people. AUC, which needs no threshold: {said("auc")}; difference '
        f'{change(auc)}.')
    if tuned is not None:
        sentence += (f' F1 at thresholds tuned on training people: {said("tuned")}; difference '
                     f'{change(tuned)}.')
    if floor['f1'] is not None:
        sentence += (f' Two sets of trainings of one recipe differ by up to {floor["f1"]:.1f} '
                     f'points of F1 and {floor["auc"]:.1f} of AUC by chance.')
    sentence += f' Calling every action unit present scores {report["data"]["all_present"]:.1f} %.'
    if auc['values'][0] * found['values'][0] < 0:
        sentence += (' The two disagree: this F1 then tells more about the threshold than about '
                     'recognition.')
    confirmed = any(one['intervals'][0][0] > 0 for one in (auc, tuned) if one is not None)
    return claim(CLAIMS['rises'], Judged(found['values'][0], tuple(found['intervals'][0]),
                                         found['p'][0], found['trainings']), sentence, confirmed)


def _against(better: dict, worse: dict, members: Dict[str, List[Run]], text: str,
             name: str) -> dict:
    """F1 of one row minus that of another, paired over people."""
    found, _ = difference(members[better['name']], members[worse['name']])
    effect, (low, high) = float(found.values[0]), found.intervals[0].tolist()
    auc = [row['auc']['mean'] for row in (better, worse)]
    return claim(text, Judged(effect, (low, high), float(found.p[0]), found.trainings), name.format(
        a=f'{better["f1"]["mean"]:.1f} %', b=f'{worse["f1"]["mean"]:.1f} %') +
        f'; difference {signed(effect)} points ({_range(low, high)} over {found.subjects} people,'
        f' {better["runs"]} run{"s" * (better["runs"] > 1)} each). AUC: {auc[0]:.1f} and '
        f'{auc[1]:.1f} %.')


def _strong(rows: Sequence[dict], groups: Groups) -> dict:
    positive = [row for row in rows if row['scale'] > 0]
    if len(positive) < 2:
        return claim(CLAIMS['strong'].format(strong=STRONG, weak=0.02), None,
                     'Needs two lambdas above 0, else alike.')
    weak = positive[0]
    strong = next((row for row in positive if row['scale'] == STRONG), positive[-1])
    return _against(strong, weak, groups['lambda'],
                    CLAIMS['strong'].format(strong=strong['scale'], weak=weak['scale']),
                    f'Mean F1 of lambda {strong["scale"]:g} is {{a}}, of {weak["scale"]:g} {{b}}')


def _later(rows: Sequence[dict]) -> dict:
    plain, most = _ends(rows, 'scale')
    if plain is None or plain['scale'] != 0 or None in (plain['best_epochs'], most['best_epochs']):
        return claim(CLAIMS['later'], None, 'Needs a run without adversary and one with, '
                     'else alike and tested after their epochs.')
    by_seed: Dict[tuple, list] = {}
    for (_, *training), late, early in zip(plain['places'], most['best_epochs'],
                                           plain['best_epochs']):
        by_seed.setdefault(tuple(training), []).append(late - early)
    values = [float(np.mean(found)) for found in by_seed.values()]
    found = of_seeds(values)
    effect, (low, high) = found.effect, found.interval
    said = (f'({_range(low, high)}, over {len(values)} seeds)' if len(values) > 1
            else '(one seed has no interval)')
    return claim(CLAIMS['later'], found,
                 f'The best epoch on the test fold is {plain["best_epoch"]:.1f} without adversary '
                 f'and {most["best_epoch"]:.1f} with lambda {most["scale"]:g}: {signed(effect)} '
                 f'epochs {said}.')


def _ends(rows: Sequence[dict], key: str) -> tuple:
    """First and last row, if they differ in ``key``."""
    if not rows or rows[0][key] == rows[-1][key]:
        return None, None
    return rows[0], rows[-1]


def _linear(rows: Sequence[dict], groups: Groups) -> dict:
    one, more = _ends(rows, 'layers')
    if one is None or one['layers'] != 1:
        return claim(CLAIMS['linear'], None,
                     'Needs identity heads of one and of more layers, else alike.')
    return _against(one, more, groups['head'], CLAIMS['linear'],
                    f'Mean F1 with one layer is {{a}}, with {more["layers"]} {{b}}')


def _size(base: str, rows: Sequence[dict], groups: Groups) -> dict:
    """FMAE against the encoder whose size is farthest from its own, pretrained on the same."""
    starts = {row['name']: start_point(run_dump(groups['size'][row['name']][0])) for row in rows}
    rows = [row for row in rows if starts[row['name']] == starts.get(base)]
    if len({row['parameters'] for row in rows}) < 2:
        return claim(CLAIMS['size'], None, 'Needs encoders of two sizes, else alike: also '
                     'pretrained alike, on the same pictures.')
    own = next(row for row in rows if row['name'] == base)
    far = max(rows, key=lambda row: abs(np.log(row['parameters'] / own['parameters'])))
    small, large = sorted((own, far), key=lambda row: row['parameters'])
    return _against(large, small, groups['size'], CLAIMS['size'],
                    f'Mean F1 of {large["encoder"]} is {{a}}, of {small["encoder"]} {{b}}')


def _ramp(report: dict, rows: Sequence[dict], groups: Groups) -> dict:
    ramp, = [row for row in rows if row['ramp']][:1]
    constant = next(row for row in rows if not row['ramp'])
    return _against(ramp, constant, groups['ramp'],
                    'Beyond the paper: lambda that rises over the training is better',
                    'Mean F1 with the ramp is {a}, with the constant {b}')
