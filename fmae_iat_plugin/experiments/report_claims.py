# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The paper's claims, each judged by the runs there are and said in a plain sentence."""

from typing import Dict, List, Sequence

import numpy as np

from fmae_iat_plugin.evaluation.claims import CLAIMS, claim, seed_interval, signed

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
    return out + ([_ramp(report, rows['ramp'], groups)] if rows['ramp'] else [])


def _percent(found: dict) -> str:
    low, high = found['interval']
    return f'{found["mean"]:.1f} % ({low:.1f} to {high:.1f})'


def _range(low: float, high: float, digits: int = 1) -> str:
    return f'{signed(low, digits)} to {signed(high, digits)}'


def _points(found: dict, unit: str = 'points', digits: int = 1) -> str:
    """An effect that was counted as a fall, said with its own sign."""
    low, high = found['interval']
    return f'{signed(-found["mean"], digits)} {unit} ({_range(-high, -low, digits)})'


def _learns(report: dict) -> dict:
    name = report['base']
    text = CLAIMS['learns'].format(base=name)
    probe = report['experiments'][name]['probe']
    found = probe['random']
    if found is None:
        return claim(text, None, None, 'No probe: ' + _why(report, name))
    interval = [end - found['chance'] for end in found['logistic']['interval']]
    sentence = (f'A logistic regression on its frozen feature names the person in '
                f'{_percent(found["logistic"])} of held-out frames; chance is '
                f'{found["chance"]:.1f} %.')
    if probe['sequences'] is not None:
        sentence += (' Of frames from other sequences than it was trained on: '
                     f'{_percent(probe["sequences"]["logistic"])}.')
    return claim(text, found['logistic']['mean'] - found['chance'], interval, sentence)


def _why(report: dict, name: str) -> str:
    notes = report['experiments'][name]['notes']
    return notes[0] if notes else 'the runs kept no features.'


def _forgets(report: dict) -> dict:
    base, ours = report['base'], report['ours']
    fall = report['falls']['random']
    if fall['paper'] is None:
        return claim(CLAIMS['forgets'], None, None, 'No probe: ' + _why(report, ours))
    paper = {name: _percent(report['experiments'][name]['probe']['random']['paper'])
             for name in (base, ours)}
    sentence = (f"The paper's probe names {paper[base]} from {base} and {paper[ours]} from {ours}: "
                f'{_points(fall["paper"])}. Logistic regression run to convergence: '
                f'{_points(fall["logistic"])}; bits of information on identity: '
                f'{_points(fall["bits"], "bits", 2)}.')
    rise = report['eer_rise']
    if rise is not None:
        low, high = rise['interval']
        sentence += (' Equal error rate of face verification on unseen people: '
                     f'{signed(rise["mean"])} points ({_range(low, high)}); it rises where '
                     'identity is forgotten.')
    return claim(CLAIMS['forgets'], fall['paper']['mean'], fall['paper']['interval'], sentence)


def _rises(report: dict) -> dict:
    found = report['difference']
    effect, (low, high) = found['values'][0], found['intervals'][0]
    blocks = {name: report['experiments'][name] for name in (report['base'], report['ours'])}
    said = ', '.join(f'{name} {block["f1"]["mean"]:.1f} %' for name, block in blocks.items())
    plain, ours = (block['over_seeds']['auc']['mean'] for block in blocks.values())
    sentence = (
        f'Mean F1 at threshold 0.5 after the last epoch: {said}; difference '
        f'{signed(effect)} points ({_range(low, high)} over {found["people"]} people). Calling '
        f'every action unit present scores {report["data"]["all_present"]:.1f} %. AUC, which needs '
        f'no threshold: {plain:.1f} and {ours:.1f} %.')
    if (ours - plain) * effect < 0:
        sentence += (' The two disagree: this F1 then tells more about the threshold than about '
                     'recognition.')
    return claim(CLAIMS['rises'], effect, (low, high), sentence)


def _against(better: dict, worse: dict, members: Dict[str, List[Run]], text: str,
             name: str) -> dict:
    """F1 of one row minus that of another, paired over people."""
    found, _ = difference(members[better['name']], members[worse['name']])
    effect, (low, high) = float(found.values[0]), found.intervals[0].tolist()
    return claim(text, effect, (low, high), name.format(
        a=f'{better["f1"]["mean"]:.1f} %', b=f'{worse["f1"]["mean"]:.1f} %') +
        f'; difference {signed(effect)} points ({_range(low, high)} over {found.subjects} people,'
        f' {better["runs"]} run{"s" * (better["runs"] > 1)} each).')


def _strong(rows: Sequence[dict], groups: Groups) -> dict:
    positive = [row for row in rows if row['scale'] > 0]
    if len(positive) < 2:
        return claim(CLAIMS['strong'].format(strong=STRONG, weak=0.02), None, None,
                     'Needs two lambdas above 0, else alike.')
    weak = positive[0]
    strong = next((row for row in positive if row['scale'] == STRONG), positive[-1])
    return _against(strong, weak, groups['lambda'],
                    CLAIMS['strong'].format(strong=strong['scale'], weak=weak['scale']),
                    f'Mean F1 of lambda {strong["scale"]:g} is {{a}}, of {weak["scale"]:g} {{b}}')


def _later(rows: Sequence[dict]) -> dict:
    plain, most = _ends(rows, 'scale')
    if plain is None or plain['scale'] != 0 or None in (plain['best_epochs'], most['best_epochs']):
        return claim(CLAIMS['later'], None, None, 'Needs a run without adversary and one with, '
                     'else alike and tested after their epochs.')
    by_seed: Dict[int, list] = {}
    for (_, seed), late, early in zip(plain['places'], most['best_epochs'], plain['best_epochs']):
        by_seed.setdefault(seed, []).append(late - early)
    values = [float(np.mean(found)) for found in by_seed.values()]
    effect, (low, high) = float(np.mean(values)), seed_interval(values)
    said = (f'({_range(low, high)}, over {len(values)} seeds)' if len(values) > 1
            else '(one seed has no interval)')
    return claim(CLAIMS['later'], effect, (low, high),
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
        return claim(CLAIMS['linear'], None, None,
                     'Needs identity heads of one and of more layers, else alike.')
    return _against(one, more, groups['head'], CLAIMS['linear'],
                    f'Mean F1 with one layer is {{a}}, with {more["layers"]} {{b}}')


def _size(base: str, rows: Sequence[dict], groups: Groups) -> dict:
    """FMAE against the encoder whose size is farthest from its own, pretrained on the same."""
    starts = {row['name']: start_point(run_dump(groups['size'][row['name']][0])) for row in rows}
    rows = [row for row in rows if starts[row['name']] == starts.get(base)]
    if len({row['parameters'] for row in rows}) < 2:
        return claim(CLAIMS['size'], None, None, 'Needs encoders of two sizes, else alike: also '
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
