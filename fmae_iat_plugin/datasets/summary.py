# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Counts of a conversion beside the published ones: ``summary.json`` and ``summary.md``."""

import json
from collections import Counter
from pathlib import Path
from typing import Optional, Sequence

import numpy as np
import pandas as pd

from fmae_iat_plugin.action_units import au_name
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.skipped import Skip

from .protocol import load_protocol
from .reference import PUBLISHED

TOLERANCE = 3.0  #: percentage points
ENOUGH = 0.9  #: share of the published frames from which prevalence is compared


def _prevalence(labels: np.ndarray, threshold: float) -> tuple:
    coded = (~np.isnan(labels)).sum(axis=0)
    positive = (labels >= threshold).sum(axis=0)
    return coded, positive


def _comparison(published, subjects: int, frames: int) -> str:
    """'' if the set is large enough to compare with the published one, else the reason."""
    if published is None:
        return 'no published numbers for this data set'
    if published.prevalence is None:
        return 'no published prevalence for this data set'
    if subjects < published.subjects or frames < ENOUGH * published.frames:
        return (f'too small to compare: {subjects} of {published.subjects} subjects and {frames} '
                f'of {published.frames} frames')
    return ''


def _skips(skipped: Sequence[Skip]) -> dict:
    counts = Counter()
    for skip in skipped:
        counts[skip.reason] += skip.number
    return dict(sorted(counts.items()))


def summarize_action_units(dataset: str, release: str, table: pd.DataFrame, aus, labels,
                           skipped: Sequence[Skip], reference: Optional[str],
                           notes: Sequence[str], information: Sequence[str] = ()) -> dict:
    """Count a table of N faces and A action units.

    Args:
        dataset, release: Names.
        table: N rows with ``subject`` ('' = unknown) and maybe ``sequence``.
        aus: A numbers.
        labels: ``[N, A]``, NaN = not coded. If any is above 1, they are intensities, and positive
            means at least 2.
        skipped: Items that were left out.
        reference: ``'bp4d'``, ``'bp4dplus'``, ``'disfa'`` or None.
        notes: Free lines.
        information: Reasons in ``skipped`` that lose nothing of the table.

    Returns:
        dict: Ready for JSON; prevalence in percent of the coded frames.
    """
    published = PUBLISHED.get(reference)
    protocol = load_protocol(reference) if reference else None
    threshold = 2.0 if (labels > 1).any() else 1.0
    coded, positive = _prevalence(labels, threshold)
    names = sorted({name for name in table['subject'] if name})
    reason = _comparison(published, len(names), len(table))
    rates = dict(zip(protocol.aus, published.prevalence)) \
        if published is not None and published.prevalence else {}
    units, warnings = [], []
    for column, au in enumerate(aus):
        rate = 100 * positive[column] / coded[column] if coded[column] else None
        unit = dict(au=au_name(au), coded=int(coded[column]), positive=int(positive[column]),
                    not_coded=int(len(labels) - coded[column]),
                    prevalence=None if rate is None else round(float(rate), 2),
                    published=rates.get(au))
        if rate is not None and au in rates:
            unit['difference'] = round(float(rate) - rates[au], 2)
            if not reason and abs(float(rate) - rates[au]) > TOLERANCE:
                warnings.append(f'{au_name(au)} is positive in {rate:.1f} % of the frames, '
                                f'but {rates[au]} % are published: check the columns and codes.')
        units.append(unit)
    folds = {}
    if protocol is not None:
        known = set(protocol.subjects)
        foreign, absent = sorted(set(names) - known), sorted(known - set(names))
        if foreign:
            warnings.append(f'subjects outside the protocol: {", ".join(foreign)}.')
        if absent:
            warnings.append(f'{len(absent)} subjects of the protocol are absent: '
                            f'{", ".join(absent[:10])}{", ..." if len(absent) > 10 else ""}.')
        for fold, members in protocol.folds.items():
            chosen = table['subject'].isin(members)
            folds[str(fold)] = dict(subjects=int(table['subject'][chosen].nunique()),
                                    frames=int(chosen.sum()))
    unknown = int((table['subject'] == '').sum())
    if unknown:
        warnings.append(f'{unknown} rows have no subject.')
    lost = sum(skip.number for skip in skipped if skip.reason not in information)
    if lost:
        warnings.append(f'{lost} entries of skipped.csv are lost labels or images.')
    return dict(
        dataset=dataset, release=release, subjects=len(names), frames=len(table),
        sequences=int(table[['subject', 'sequence']].drop_duplicates().shape[0])
        if 'sequence' in table else None,
        expected=None if published is None else dict(subjects=published.subjects,
                                                     frames=published.frames),
        positive_from=threshold, compared=not reason, not_compared_because=reason or None,
        action_units=units, missing_codes=int(np.isnan(labels).sum()),
        frames_without_any_code=int(np.isnan(labels).all(axis=1).sum()), folds=folds,
        skipped=_skips(skipped), warnings=warnings, notes=list(notes))


def _rows(header: Sequence[str], rows) -> list:
    lines = ['| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header)]
    return lines + ['| ' + ' | '.join('' if c is None else str(c) for c in r) + ' |' for r in rows]


def _markdown(summary: dict) -> str:
    lines = [f'# {summary["dataset"]}', '', f'From `{summary["release"]}`.', '']
    lines += [f'**Warning:** {warning}\n' for warning in summary['warnings']]
    expected = summary['expected'] or {}
    lines += _rows(['', 'here', 'published'],
                   [[key, summary[key], expected.get(key)] for key in ('subjects', 'frames')]
                   + [['sequences', summary['sequences'], None],
                      ['cells not coded', summary['missing_codes'], None],
                      ['frames without any code', summary['frames_without_any_code'], None]])
    lines += ['', '## Prevalence', '', f'Positive: {summary["positive_from"]:g} or more; '
              'percent of the coded frames. '
              + (f'Not compared: {summary["not_compared_because"]}.'
                 if summary['not_compared_because'] else
                 f'A difference of more than {TOLERANCE:g} points is a warning.'), '']
    lines += _rows(['AU', 'coded', 'not coded', 'positive', '%', 'published %', 'difference'],
                   [[u['au'], u['coded'], u['not_coded'], u['positive'], u['prevalence'],
                     u['published'], u.get('difference')] for u in summary['action_units']])
    if summary['folds']:
        lines += ['', '## Test parts of the folds', '']
        lines += _rows(['fold', 'subjects', 'frames'],
                       [[k, f['subjects'], f['frames']] for k, f in summary['folds'].items()])
    lines += ['', '## Skipped or reported', '',
              '`skipped.csv` names each with its file and line.' if summary['skipped'] else
              'Nothing.', '']
    if summary['skipped']:
        lines += _rows(['reason', 'number'], summary['skipped'].items())
    if summary.get('notes'):
        lines += ['', '## Notes', '', *(f'- {note}' for note in summary['notes'])]
    return '\n'.join(lines) + '\n'


def write_summary(out: Path, summary: dict) -> None:
    """Write ``summary.json`` and ``summary.md`` into ``out``."""
    write_whole(out / 'summary.json', (json.dumps(summary, indent=2) + '\n').encode())
    write_whole(out / 'summary.md', _markdown(summary).encode())
