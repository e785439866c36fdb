# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Checks an annotation table and its images before a training does.

A *problem* makes a number wrong or a training stop; a *note* is worth knowing. The same picture
under two subjects or in two folds is a problem, because the model is tested on what it has learnt.
"""

import hashlib
import re
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Union

import numpy as np

from fmae_iat_plugin.action_units import au_name
from fmae_iat_plugin.parallel import Processes, run_parallel
from fmae_iat_plugin.videos import PICTURE_ERRORS

from .annotation import AnnotationError, AnnotationTable, read_annotation
from .decoding import decode_image
from .protocol import Protocol, load_protocol
from .reference import PUBLISHED
from .summary import TOLERANCE, summarize_action_units

_CHUNK = 200  # images per unit of work

#: what is checked, in the order of the report
CHECKS = dict(
    table='the table can be read, labels are 0-5 or empty',
    labels='labels fit the protocol (occurrences or intensities)',
    missing='image files exist',
    unreadable='images decode to their last byte',
    subject='subjects are named, and are in the protocol',
    folds='no subject on two sides',
    duplicate='no picture of two subjects, folds or label sets',
    prevalence=f'prevalence within {TOLERANCE:g} points of the published one')


class Finding(NamedTuple):
    """One problem or note.

    Attributes:
        check (str): Key of ``CHECKS``; notes have other words.
        item (str): Image, subject or AU.
        line (int): Line of the table, 0 = the whole table.
        detail (str): What was found.
    """

    check: str
    item: str
    line: int
    detail: str


class Look(NamedTuple):
    """An image file: ``state`` is '' or the fault, with hashes of its bytes and of its pixels."""

    state: str
    data: str = ''
    pixels: str = ''


def look_at(name: str, folder: Path) -> Look:
    """Read and decode one image as training does; a file that ends early is unreadable."""
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError as error:
        return Look(f'missing: {error.strerror}')
    try:
        picture = decode_image(data)
    except PICTURE_ERRORS as error:
        return Look(f'unreadable: {error}')
    pixels = hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()
    return Look('', hashlib.sha256(data).hexdigest(), pixels)


def _look_at_all(names: Sequence[str], folder: Path) -> List[Look]:
    return [look_at(name, folder) for name in names]


def image_folder(table: Path, columns) -> Path:
    """Folder of a table's images: ``faces`` for crops, else ``images``, else the table's own."""
    for name in (['faces'] if 'face' in columns else []) + ['images']:
        if (table.parent / name).is_dir():
            return table.parent / name
    return table.parent


def check_labels(table: AnnotationTable, protocol: Protocol) -> List[Finding]:
    """Compare the labels with the protocol: intensities if it has a threshold, else 0 and 1.

    A protocol of folds alone, without ``aus`` and threshold, says nothing about labels.
    """
    threshold, labels = protocol.intensity_threshold, table.labels
    if threshold is not None and threshold > 1 and not (labels > 1).any():
        return [Finding('labels', table.path, 0, f'{protocol.name} counts intensities of '
                        f'{threshold:g} or more as positive, but no cell is above 1')]
    if threshold is not None or protocol.aus is None:
        return []
    wrong = np.argwhere(~np.isnan(labels) & (labels != 0) & (labels != 1))
    return [Finding('labels', table.images[row], table.line(row), f'{au_name(table.aus[column])} '
                    f'is {labels[row, column]:g}, {protocol.name} has occurrences 0 and 1')
            for row, column in wrong]


def check_subjects(table: AnnotationTable, protocol: Optional[Protocol]) -> List[Finding]:
    """Find subjects that are unnamed, outside the protocol, or on two sides of a column."""
    found, first = [], {}
    for row, subject in enumerate(table.subjects):
        first.setdefault(subject, row)
    if protocol is not None:
        known = set(protocol.subjects)
        for subject, row in first.items():
            if subject == '':
                found.append(Finding('subject', '', table.line(row), 'no subject in '
                                     f'{int((table.subjects == "").sum())} rows, of which this is '
                                     'the first'))
            elif subject not in known:
                found.append(Finding('subject', subject, table.line(row),
                                     f'in no fold of {protocol.name}'))
    for column in ('fold', 'split'):
        if column in table.frame:
            sides = table.frame.groupby('subject')[column].unique()
            found += [Finding('folds', subject, table.line(first[subject]),
                              f'{column}: {", ".join(sorted(values))}')
                      for subject, values in sides.items() if subject and len(values) > 1]
    return found


def check_duplicates(table: AnnotationTable, looks: Dict[int, Look],
                     protocol: Optional[Protocol]) -> List[Finding]:
    """Find rows with the same picture: a problem if subject, fold or labels differ, else a note."""
    fold_of = {subject: fold for fold, subjects in (protocol.folds if protocol else {}).items()
               for subject in subjects}
    groups, found = defaultdict(list), []
    for row, look in looks.items():
        if not look.state:
            groups[look.pixels].append(row)
    for rows in groups.values():
        if len(rows) == 1:
            continue
        sides = {'subjects': {table.subjects[row] for row in rows},
                 'folds': {fold_of.get(table.subjects[row]) for row in rows},
                 'label sets': {table.labels[row].tobytes() for row in rows}}
        differ = [name for name, values in sides.items() if len(values) > 1]
        kind = 'files' if len({looks[row].data for row in rows}) == 1 else 'pixels'
        others = ', '.join(f'{table.images[row]} (line {table.line(row)})' for row in rows[1:11])
        detail = f'the same {kind} as {others}{", ..." if len(rows) > 11 else ""}'
        check = 'duplicate' if differ else 'same picture'
        found.append(Finding(check, table.images[rows[0]], table.line(rows[0]),
                             f'{detail}; different {" and ".join(differ)}' if differ else detail))
    return found


def verify_table(path: Union[str, Path], images: Optional[str] = None,
                 protocol: Union[str, Path, None] = None, reference: Optional[str] = None,
                 workers: Processes = 1) -> dict:
    """Check a table.

    Args:
        path: The annotation table, or the folder that holds ``annotation.csv``.
        images: Image folder; default ``faces`` (a table with the column ``face``) or ``images``
            beside the table, else its own folder.
        protocol: ``'bp4d'``, ``'bp4dplus'``, ``'disfa'`` or a JSON file; None = no folds.
        reference: Data set whose published prevalence is compared; default the protocol, if known.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.

    Returns:
        dict: Ready for JSON: ``problems`` and ``notes`` (dicts, fields of :class:`Finding`),
        ``checks`` (check -> number of problems), ``action_units`` with prevalence in percent,
        ``folds``, ``rows``, ``subjects``, ``without_face``.

    Raises:
        FileNotFoundError: If there is no such table or protocol.
        ValueError: If the protocol is invalid; for example, if its folds share a subject.
    """
    path = Path(path) / 'annotation.csv' if Path(path).is_dir() else Path(path)
    folds = None if protocol is None else load_protocol(protocol)
    reference = reference or (str(protocol) if str(protocol) in PUBLISHED else None)
    try:
        table = read_annotation(path)
    except AnnotationError as error:
        line = re.search(r', line ([0-9]+): ', str(error))
        return _report(str(path), [Finding('table', str(path), int(line.group(1)) if line else 0,
                                           str(error))])
    folder = Path(images) if images else image_folder(path, table.frame.columns)
    faceless = (table.frame['face'] == 'none').to_numpy() if 'face' in table.frame else \
        np.zeros(len(table.images), dtype=bool)
    rows = np.flatnonzero(~faceless)
    chunks = [[table.images[row] for row in rows[i:i + _CHUNK]]
              for i in range(0, len(rows), _CHUNK)]
    seen = run_parallel(partial(_look_at_all, folder=folder), chunks, workers, 'Checking images')
    looks = dict(zip(rows.tolist(), (look for chunk in seen for look in chunk)))

    found = [] if folds is None else check_labels(table, folds)
    for row, look in looks.items():
        if look.state:
            kind, _, detail = look.state.partition(': ')
            found.append(Finding(kind, table.images[row], table.line(row), detail))
    found += check_subjects(table, folds) + check_duplicates(table, looks, folds)
    found += [Finding('no face', table.images[row], table.line(row), 'left out of training')
              for row in np.flatnonzero(faceless)]
    found += [Finding('not coded', table.images[row], table.line(row), 'no AU is coded')
              for row in np.flatnonzero(np.isnan(table.labels).all(axis=1))]
    summary = summarize_action_units(reference or path.name, str(path), table.frame, table.aus,
                                     table.labels, [], reference, [])
    units = summary['action_units']
    if summary['compared']:
        found += [Finding('prevalence', unit['au'], 0, f'{unit["prevalence"]} % positive, but '
                          f'{unit["published"]} % are published') for unit in units
                  if abs(unit.get('difference', 0)) > TOLERANCE]
    parts = {str(fold): dict(subjects=len(set(members) & set(table.subjects)),
                             rows=int(np.isin(table.subjects, members).sum()))
             for fold, members in (folds.folds if folds else {}).items()}
    return _report(str(path), found, images=str(folder), rows=len(table.images),
                   subjects=summary['subjects'], without_face=int(faceless.sum()),
                   positive_from=summary['positive_from'], action_units=units, folds=parts,
                   prevalence_not_compared_because=summary['not_compared_because'])


def _report(path: str, found: Sequence[Finding], **more) -> dict:
    problems = [finding._asdict() for finding in found if finding.check in CHECKS]
    notes = [finding._asdict() for finding in found if finding.check not in CHECKS]
    checks = {check: sum(p['check'] == check for p in problems) for check in CHECKS}
    return dict(table=path, checks=checks, problems=problems, notes=notes, **more)
