# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The report of :func:`~fmae_iat_plugin.datasets.verify.verify_table` as text."""

from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .verify import CHECKS

_SHOWN = 20


def print_report(report: dict, console: Console) -> None:
    """Draw the checks, the prevalence, the folds, and the first problems.

    Args:
        report: Result of ``verify_table``.
        console: Console to draw on.
    """
    console.print(f'[bold]{escape(report["table"])}[/bold]')
    checks = Table('check', 'problems')
    for check, meaning in CHECKS.items():
        number = report['checks'][check]
        state = f'[red]{number}[/red]' if number else '[green]none[/green]'
        if check == 'prevalence' and report.get('prevalence_not_compared_because'):
            state = escape(f'not compared: {report["prevalence_not_compared_because"]}')
        checks.add_row(meaning, state)
    console.print(checks)
    if 'rows' in report:
        console.print(f'{report["rows"]} rows of {report["subjects"]} subjects, '
                      f'{report["without_face"]} without a face; images in '
                      f'{escape(report["images"])}')
        units = Table('AU', 'coded', 'not coded', 'positive', '%', 'published %')
        for unit in report['action_units']:
            units.add_row(*('' if unit[key] is None else str(unit[key]) for key in (
                'au', 'coded', 'not_coded', 'positive', 'prevalence', 'published')))
        console.print(units)
    if report.get('folds'):
        folds = Table('fold', 'test subjects', 'rows')
        for fold, part in report['folds'].items():
            folds.add_row(fold, str(part['subjects']), str(part['rows']))
        console.print(folds)
    for kind, number in Counter(note['check'] for note in report['notes']).items():
        console.print(f'note: {number} x {kind}')
    for problem in report['problems'][:_SHOWN]:
        where = f', line {problem["line"]}' if problem['line'] else ''
        console.print(f'[red]{problem["check"]}[/red]: {escape(problem["item"])}{where}: '
                      f'{escape(problem["detail"])}', highlight=False, soft_wrap=True)
    if len(report['problems']) > _SHOWN:
        console.print(f'... {len(report["problems"]) - _SHOWN} more; --json FILE lists all.')
    console.print(f'[bold]{len(report["problems"])} problems, {len(report["notes"])} notes[/bold]')
