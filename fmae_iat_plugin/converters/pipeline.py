# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""One way through a conversion: sequences over processes, then table, list and summary.

An output folder belongs to one conversion; running it again continues where it stopped, and ends
with the same bytes as a run that was never stopped.
"""

from pathlib import Path
from typing import Callable, List, Optional, Sequence

import numpy as np
import pandas as pd

from fmae_iat_plugin.datasets.annotation import write_annotation
from fmae_iat_plugin.datasets.protocol import load_protocol
from fmae_iat_plugin.datasets.summary import summarize_action_units, write_summary
from fmae_iat_plugin.files import claim_folder
from fmae_iat_plugin.logs import logger
from fmae_iat_plugin.media import natural
from fmae_iat_plugin.parallel import Processes, run_parallel
from fmae_iat_plugin.skipped import Skip, report_skipped

from .base import CONTRADICTION, DUPLICATE_FRAME, INFORMATION, ConversionError, Converted


def start(out: Path, settings: dict) -> None:
    """Claim an output folder, and clear what a killed run left half-written.

    Args:
        out: The folder, created if need be.
        settings: What shapes the images; kept in ``conversion.json``.

    Raises:
        ConversionError: If the folder holds a conversion with other settings.
    """
    claim_folder(out, 'conversion.json', settings, 'a conversion', foreign=('annotation.csv', ),
                 error=ConversionError)


def sort_skips(skipped: Sequence[Skip]) -> List[Skip]:
    """In the order of files and lines, so that every run lists the same."""
    return sorted(skipped, key=lambda s: (s.file, s.line, natural(s.item), s.reason, s.detail))


def join(results: Sequence[Converted], keep: Sequence[int] = ()):
    """Rows of all sequences under one set of AUs.

    Args:
        results: The sequences.
        keep: AUs that get a column even if nothing is coded; others do not.

    Returns:
        tuple: table (``image`` and the other columns), aus, ``[N, A]`` labels, skipped: of
        rows that share their image, the first is kept where all agree, else none.
    """
    aus = sorted({au for r in results for au in r.aus})
    rows = sum(len(r.images) for r in results)
    labels = np.full((rows, len(aus)), np.nan, dtype=np.float32)
    columns, row = {'image': []}, 0
    for result in results:
        columns['image'] += result.images
        for name, values in result.columns.items():
            columns.setdefault(name, [''] * row).extend(values)
        places = [aus.index(au) for au in result.aus]
        labels[row:row + len(result.images), places] = result.labels
        row += len(result.images)
        for values in columns.values():
            values.extend([''] * (row - len(values)))
    where = [place for result in results for place in result.where]
    table = pd.DataFrame(columns)
    kept, skipped = _settle(table, labels, where)
    table, labels = table.iloc[kept].reset_index(drop=True), labels[kept]
    coded = [i for i, au in enumerate(aus) if au in keep or not np.isnan(labels[:, i]).all()]
    return table, tuple(aus[i] for i in coded), labels[:, coded], skipped


def _settle(table: pd.DataFrame, labels: np.ndarray, where: Sequence[tuple]):
    """Rows to keep where images stand more than once, and the list of the others."""
    left_out, skipped = set(), []
    double = table['image'].duplicated(keep=False)
    for image, group in table.index[double].groupby(table['image'][double]).items():
        rows = list(group)
        same = all(np.array_equal(labels[row], labels[rows[0]], equal_nan=True)
                   and table['subject'][row] == table['subject'][rows[0]] for row in rows)
        others = rows[1:] if same else rows
        left_out.update(others)
        detail = f'the same as {where[rows[0]][0]}, line {where[rows[0]][1]}, which is kept' \
            if same else f'{len(rows)} rows of this image differ, all are left out'
        skipped += [Skip(image, DUPLICATE_FRAME if same else CONTRADICTION, file, line, detail)
                    for file, line in (where[row] for row in others)]
    return [row for row in range(len(table)) if row not in left_out], skipped


def convert_table(dataset: str, work: Callable, units: Sequence, out: Path, release: Path,
                  skipped: Sequence[Skip], workers: Processes, reference: Optional[str] = '',
                  notes: Sequence[str] = ()) -> dict:
    """Convert every unit and write ``annotation.csv``, ``skipped.csv`` and the summary.

    Args:
        dataset: Name for log and summary.
        work: Unit -> :class:`Converted`; a function that other processes can import.
        units: Sequences or files, in a fixed order.
        out: Output folder.
        release: For the summary.
        skipped: What is known to be left out already.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.
        reference: Data set whose published numbers stand beside; default ``dataset``.
        notes: For the summary.

    Returns:
        dict: The summary.

    Raises:
        ConversionError: If no row is left; the list of reasons is written before.
    """
    reference = dataset if reference == '' else reference
    results = run_parallel(work, units, workers, f'Converting {dataset}')
    keep = () if reference is None else load_protocol(reference).aus
    table, aus, labels, double = join(results, keep)
    skipped = sort_skips([*skipped, *double, *(s for result in results for s in result.skipped)])
    report_skipped(dataset, skipped, str(out / 'skipped.csv'))
    if table.empty or not aus:
        raise ConversionError(f'{release}: no labelled frame with an image was found '
                              f'({len(units)} label files, {len(skipped)} entries in '
                              f'{out / "skipped.csv"}, which says why).')
    keys = [[natural(value) for value in table[name]]
            for name in ('subject', 'sequence', 'frame') if name in table]
    order = [row for *_, row in sorted(zip(*keys, table['image'], range(len(table))))]
    table, labels = table.iloc[order].reset_index(drop=True), labels[order]
    write_annotation(out / 'annotation.csv', table, aus, labels)
    notes = list(dict.fromkeys([*notes, *(note for result in results for note in result.notes)]))
    summary = summarize_action_units(dataset, str(release), table, aus, labels, skipped, reference,
                                     notes, INFORMATION)
    write_summary(out, summary)
    for warning in summary['warnings']:
        logger().warning(f'{dataset}: {warning}')
    return summary

