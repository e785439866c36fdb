# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Join annotation tables of several data sets into one, whose folds leave one data set out.

::

    python tools/dataset_converters/join_tables.py BP4D=data/bp4d/annotation.csv \\
        DISFA=data/disfa/annotation.csv:2 --out data/bp4d_disfa

writes ``annotation.csv`` and ``folds.json``, a protocol whose fold k tests the k-th data set and
trains on all others. So ``tools/cross_validate.py`` and ``tools/report.py`` judge a model across
data sets as they judge it across people.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import pandas as pd
from mmengine.logging import MMLogger

from fmae_iat_plugin.datasets.annotation import AnnotationTable, read_annotation, write_annotation
from fmae_iat_plugin.datasets.protocol import load_protocol, make_protocol
from fmae_iat_plugin.errors import path_argument, say_error
from fmae_iat_plugin.files import write_whole

TABLE, FOLDS = 'annotation.csv', 'folds.json'
KEPT = ('sequence', 'frame')  # columns that mean the same in every table


class Source(NamedTuple):
    """One data set of a join.

    Attributes:
        name (str): Its name; it begins the names of its subjects.
        table (Path): Its annotation table.
        images (Path): The folder that its image paths are relative to.
        threshold (float | None): A cell is positive from this intensity on. None: the table holds
            occurrences.
    """

    name: str
    table: Path
    images: Path
    threshold: Optional[float] = None

    @classmethod
    def parse(cls, text: str) -> 'Source':
        """``NAME=TABLE``, ``NAME=TABLE:2`` (threshold), ``NAME=TABLE@FOLDER`` (images), or both.

        Raises:
            ValueError: If the text has another form.
        """
        match = re.fullmatch(r'([\w.+-]+)=(.+?)(?:@(.+?))?(?::(\d+(?:\.\d+)?))?', text)
        if match is None:
            raise ValueError(f'{text!r} is no data set. Remedy: NAME=TABLE, where NAME has letters,'
                             ' digits and . + - _; add :2 where positive means intensity 2 or more,'
                             ' and @FOLDER where the images are not beside the table.')
        name, table, images, threshold = match.groups()
        path = Path(table).expanduser()
        return cls(name, path, path.parent if images is None else Path(images).expanduser(),
                   None if threshold is None else float(threshold))


def _occurrences(source: Source, table: AnnotationTable) -> np.ndarray:
    """``[N, A]`` 0, 1 or NaN."""
    if source.threshold is None:
        wrong = np.argwhere(~np.isnan(table.labels) & (table.labels != 0) & (table.labels != 1))
        if len(wrong):
            row, column = wrong[0]
            raise ValueError(
                f'{table.path}, line {table.line(row)}: AU{table.aus[column]} is '
                f'{table.labels[row, column]:g}, an intensity, but no threshold is given. Remedy: '
                f'{source.name}={source.table}:2 for positive from intensity 2 on.')
        return table.labels
    positive = np.where(table.labels >= source.threshold, 1, 0).astype(np.float32)
    return np.where(np.isnan(table.labels), np.float32(np.nan), positive)


def join_tables(sources: Sequence[Source], out: Path, every_au: bool = False) -> Path:
    """Write the joined table and the protocol that leaves one data set out.

    Args:
        sources: Two or more data sets; fold k tests the k-th.
        out: Folder. Image paths are written relative to it, so the images stay where they are.
        every_au: Keep AUs that only some data sets code, not coded in the others. By default only
            those that all of them code are kept.

    Returns:
        Path: The joined table.

    Raises:
        ValueError: If there are fewer than two data sets, two have a name in common, a table names
            no subjects or holds intensities without a threshold, or no AU is shared.
        FileNotFoundError, AnnotationError: See
            :func:`~fmae_iat_plugin.datasets.annotation.read_annotation`.
    """
    names = [source.name for source in sources]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f'the data sets are {", ".join(names) or "none"}. Remedy: name two or '
                         'more, each by a name of its own.')
    tables = [read_annotation(source.table) for source in sources]
    coded = [{au for au, column in zip(table.aus, table.labels.T) if not np.isnan(column).all()}
             for table in tables]
    aus = sorted(set.union(*coded) if every_au else set.intersection(*coded))
    if not aus:
        raise ValueError('no action unit is coded in every table. Remedy: --aus all keeps those '
                         'that some of them code.')
    parts, labels, folds = [], [], {}
    for number, (source, table) in enumerate(zip(sources, tables), 1):
        part, subjects = _rows(source, table, out)
        parts.append(part)
        folds[str(number)] = subjects
        occurrences = dict(zip(table.aus, _occurrences(source, table).T))
        missing = np.full(len(part), np.nan, np.float32)
        labels.append(np.stack([occurrences.get(au, missing) for au in aus], 1))
    protocol = make_protocol('leave one data set out: ' + ', '.join(names), folds, aus)
    out.mkdir(parents=True, exist_ok=True)
    write_annotation(out / TABLE, pd.concat(parts, ignore_index=True), aus, np.concatenate(labels))
    write_whole(out / FOLDS, json.dumps(
        dict(name=protocol.name, folds=protocol.folds, aus=aus), indent=1).encode())
    return out / TABLE


def _rows(source: Source, table: AnnotationTable, out: Path) -> Tuple[pd.DataFrame, List[str]]:
    """The rows of a data set as the joined table has them, and its subjects."""
    unknown = np.flatnonzero(table.subjects == '')
    if unknown.size:
        raise ValueError(f'{table.path}, line {table.line(unknown[0])}: no subject '
                         f'({unknown.size} such lines), so no fold could leave the row out. '
                         'Remedy: fill in `subject`, or remove the rows.')
    start = os.path.relpath(source.images, out)
    columns: Dict[str, list] = dict(
        image=[os.path.normpath(os.path.join(start, image)).replace(os.sep, '/')
               for image in table.images],
        subject=[f'{source.name}-{subject}' for subject in table.subjects])
    for name in KEPT:
        columns[name] = list(table.frame[name]) if name in table.frame else [''] * len(table.frame)
    return pd.DataFrame(columns), sorted(set(columns['subject']))


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; the exit code: 0, or 2 (an error)."""
    parser = argparse.ArgumentParser(
        description='Join annotation tables into one, with folds that leave one data set out.')
    parser.add_argument('table', nargs='+', metavar='NAME=TABLE[@IMAGES][:THRESHOLD]',
                        help='a data set: its annotation table; the folder of its images, if that '
                        'is not the folder of the table; the intensity from which a cell is '
                        'positive, if it holds intensities')
    parser.add_argument('--out', type=path_argument, required=True)
    parser.add_argument('--aus', choices=('shared', 'all'), default='shared', help='keep the AUs '
                        'that every data set codes (the default), or all of them')
    args = parser.parse_args(arguments)
    try:
        sources = [Source.parse(text) for text in args.table]
        path = join_tables(sources, Path(args.out), args.aus == 'all')
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    table = read_annotation(path)
    protocol = load_protocol(path.parent / FOLDS)
    for number, source in enumerate(sources, 1):
        people = protocol.test_subjects(number)
        MMLogger.get_current_instance().info(
            'fold %d tests %s: %d images of %d people', number, source.name,
            np.isin(table.subjects, people).sum(), len(people))
    sys.stdout.write(f'{path}: {len(table.frame)} images, AUs '
                     f'{", ".join(map(str, table.aus))}; folds in {path.parent / FOLDS}\n')
    return 0
