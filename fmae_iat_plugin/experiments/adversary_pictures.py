# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Pictures of several adversaries, from reports of :mod:`.report` and the runs beside them.

::

    python tools/visualization/adversary.py settled/shortcut_{0,0.5,1}.json --settings 0 0.5 1 \\
        --xlabel shortcut --out pictures

writes ``games.png``, how each adversary of the last report played, and ``sweep.png``, AUC and
identity probe of each experiment over the reports.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Dict, List, Optional

from fmae_iat_plugin.errors import path_argument, say_error
from fmae_iat_plugin.files import write_whole

from .compare import collect
from .report_scores import adversary_curves


def panels(reports: List[dict], names: List[str]) -> Dict[str, Dict[str, list]]:
    """What :func:`~fmae_iat_plugin.visualization.games.plot_over` draws: AUC, the paper's probe,
    and logistic regression by sequence, of each experiment in each report."""
    def point(block: Optional[dict]):
        return None if block is None else (block['mean'], *block['interval'])

    def probe(block: Optional[dict], split: str, kind: str):
        table = None if block is None else block['probe'][split]
        return None if table is None else point(table[kind])

    drawn: Dict[str, Dict[str, list]] = {'AUC on unseen people (%)': {},
                                         "identity, paper's probe (%)": {},
                                         'identity, logistic, by sequence (%)': {}}
    for name in names:
        blocks = [report['experiments'].get(name) for report in reports]
        rows = ([point(block and block['auc']) for block in blocks],
                [probe(block, 'random', 'paper') for block in blocks],
                [probe(block, 'sequences', 'logistic') for block in blocks])
        for title, row in zip(drawn, rows):
            if any(value is not None for value in row):
                drawn[title][name] = row
    return {title: lines for title, lines in drawn.items() if lines}


def short_names(names: List[str]) -> Dict[str, str]:
    """Each name without what all of them begin with, up to a dash or underscore."""
    start = ''
    for end in range(len(names[0])):
        if names[0][end] in '-_' and all(name.startswith(names[0][:end + 1]) for name in names):
            start = names[0][:end + 1]
    return {name: name.removeprefix(start) for name in names}


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; the exit code: 0, or 2 (an error)."""
    from fmae_iat_plugin.visualization.games import plot_games, plot_over
    from fmae_iat_plugin.visualization.style import to_png
    parser = argparse.ArgumentParser(description='Draw how adversaries played, and what they did '
                                     'over a sweep.')
    parser.add_argument('report', nargs='+', type=path_argument, help='.json of tools/report.py; '
                        'its runs are in the folder of the same name without .json')
    parser.add_argument('--settings', nargs='+', help='what differs between the reports, such as '
                        '0 0.5 1; default: their names')
    parser.add_argument('--xlabel', default='', help='the name of the settings')
    parser.add_argument('--experiments', nargs='+', help='default: all that are in two reports or '
                        'more, or in the only one')
    parser.add_argument('--out', type=path_argument, default='work_dirs/pictures')
    args = parser.parse_args(arguments)
    try:
        settings = args.settings or [Path(path).stem for path in args.report]
        if len(settings) != len(args.report):
            raise ValueError(f'{len(settings)} settings were named for {len(args.report)} reports. '
                             'Remedy: one for each.')
        reports = [json.loads(Path(path).read_text(encoding='utf-8')) for path in args.report]
        counted = [name for report in reports for name in report['experiments']]
        names = args.experiments or [
            name for name in dict.fromkeys(counted) if counted.count(name) >= min(2, len(reports))]
        unknown = sorted(set(names) - set(counted))
        if unknown or not names:
            raise ValueError(f'no report has the experiment {unknown[0] if unknown else ""!r}. '
                             f'Remedy: among {", ".join(dict.fromkeys(counted))}.')
        short = short_names(names)
        renamed = {title: {short[name]: row for name, row in lines.items()}
                   for title, lines in panels(reports, names).items()}
        figures = {'sweep': plot_over(settings, renamed, args.xlabel)}
        runs = collect([str(Path(args.report[-1]).with_suffix(''))])
        curves = {short[name]: adversary_curves(runs[name]) for name in names if name in runs}
        played = {name: curve for name, curve in curves.items() if curve}
        if played:
            figures['games'] = plot_games(played)
        for name, figure in figures.items():
            path = Path(args.out, f'{name}.png')
            write_whole(path, to_png(figure, dpi=120))
            sys.stdout.write(f'{path}\n')
    except (ValueError, KeyError, OSError, ImportError) as error:
        return say_error(error)
    return 0
