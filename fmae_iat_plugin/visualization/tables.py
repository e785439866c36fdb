# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Tables of F1 as text, Markdown, LaTeX and HTML; the best is bold, the second underlined."""

from html import escape
from typing import List, Sequence

import numpy as np

from fmae_iat_plugin.evaluation.comparison import Difference, Row, ranks

FORMATS = ('text', 'markdown', 'latex', 'html')
_MARKS = {  # the best, the second
    'text': ('{}*', '{}+'), 'markdown': ('**{}**', '<u>{}</u>'),
    'latex': (r'\textbf{{{}}}', r'\underline{{{}}}'), 'html': ('<b>{}</b>', '<u>{}</u>')}


def f1_table(rows: Sequence[Row], columns: Sequence[str], caption: str, form: str = 'text') -> str:
    """A table of F1 in percent.

    Args:
        rows: Rows, at least one.
        columns: Headers of their values (``'mean'``, ``'AU1'``, ...).
        caption: Description of the numbers.
        form: One of :data:`FORMATS`. In text, ``*`` is the best and ``+`` the second.

    Raises:
        ValueError: If the form is another.
    """
    if form not in FORMATS:
        raise ValueError(f'format {form!r} is none of {", ".join(FORMATS)}.')
    place = ranks(rows)
    cells = [[_escape(row.name, form)] + [
        _cell(row, k, place[number, k] if len(rows) > 1 else 0, form)
        for k in range(len(columns))] for number, row in enumerate(rows)]
    return _layout([['', *columns], *cells], caption, form)


def difference_table(found: Difference, columns: Sequence[str], name: str, form: str = 'text',
                     score: str = 'F1@0.5', floor: float = float('nan')) -> str:
    """Differences in percentage points with their 95 % intervals; significant ones are marked.

    Args:
        score: What differs.
        floor: Noise floor of the mean, see
            :func:`~fmae_iat_plugin.evaluation.nested.noise_floor`; NaN = unknown.
    """
    cells = [[header, f'{value:+.1f}', f'{low:+.1f} to {high:+.1f}',
              ('significant' if mark else '')]
             for header, value, (low, high), mark in zip(columns, found.values, found.intervals,
                                                         found.significant)]
    return _layout([['', 'difference', '95 % interval', ''], *cells],
                   f'{name}: {score} in percentage points, paired over {found.subjects} subjects '
                   + (f'and {found.trainings} trainings' if found.trainings > 1 else
                      'of one training: it holds for this checkpoint')
                   + ', not corrected for the number of AUs'
                   + ('' if np.isnan(floor) else f'; noise floor of the mean {floor:.1f}'), form)


def _cell(row: Row, column: int, place: int, form: str) -> str:
    value = row.values[column]
    if np.isnan(value):
        return '-'
    text = f'{value:.1f}'
    if place:
        text = _MARKS[form][place - 1].format(text)
    if row.spread is not None and not np.isnan(row.spread[column]):
        text += {'latex': r' $\pm$ {:.1f}', 'html': ' &plusmn; {:.1f}'}.get(
            form, ' ± {:.1f}').format(row.spread[column])
    return text


def _escape(text: str, form: str) -> str:
    if form == 'latex':
        for sign in '\\&%$#_{}':
            text = text.replace(sign, r'\textbackslash{}' if sign == '\\' else '\\' + sign)
        return text
    if form == 'html':
        return escape(text)
    return text.replace('|', r'\|') if form == 'markdown' else text


def _layout(cells: List[List[str]], caption: str, form: str) -> str:
    caption = _escape(caption, form)
    if form == 'latex':
        body = ' \\\\\n'.join(' & '.join(row) for row in cells[1:])
        return (f'\\begin{{table}}\n\\caption{{{caption}}}\n\\begin{{tabular}}'
                f'{{l{"r" * (len(cells[0]) - 1)}}}\n\\hline\n{" & ".join(cells[0])} \\\\\n\\hline\n'
                f'{body} \\\\\n\\hline\n\\end{{tabular}}\n\\end{{table}}\n')
    if form == 'html':
        rows = [f'<tr>{"".join(f"<{tag}>{cell}</{tag}>" for cell in row)}</tr>'
                for tag, row in zip(['th'] + ['td'] * len(cells), cells)]
        return f'<table>\n<caption>{caption}</caption>\n' + '\n'.join(rows) + '\n</table>\n'
    if form == 'markdown':
        lines = [f'| {" | ".join(row)} |' for row in cells]
        lines.insert(1, '|---' + '|--:' * (len(cells[0]) - 1) + '|')
        return f'{caption}\n\n' + '\n'.join(lines) + '\n'
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = ['  '.join(cell.ljust(width) if k == 0 else cell.rjust(width)
                       for k, (cell, width) in enumerate(zip(row, widths))).rstrip()
             for row in cells]
    return f'{caption}\n' + '\n'.join(lines) + '\n'
