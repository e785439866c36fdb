# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Check a release of RAF-DB or AffectNet before a training: labels, images, counts."""

from collections import Counter
from pathlib import Path
from typing import Optional, Union

from rich.console import Console
from rich.table import Table

from fmae_iat_plugin.skipped import Skip, report_skipped

from .affectnet import CODES, find_split, read_affectnet
from .expression import EMPTY_IMAGE, NO_IMAGE, ExpressionRelease
from .rafdb import RAFDB, read_rafdb
from .reference import EXPRESSION_IMAGES

NO_EXPRESSION = 'label is no expression'


def verify_expressions(data_set: str, root: Union[str, Path], aligned: bool = True,
                       layout: str = 'auto', num_classes: int = 8,
                       skip_file: Optional[str] = None) -> dict:
    """Read all labels and look at every image file.

    Args:
        data_set: ``'rafdb'`` or ``'affectnet'``.
        root: Folder of the release.
        aligned: RAF-DB: the aligned faces, else the original images.
        layout, num_classes: AffectNet: see :class:`AffectNet`.
        skip_file: A ``.csv`` that gets what is wrong, with file and line.

    Returns:
        dict: ``splits``: name -> ``images``, ``published`` (None if unknown), ``classes`` (name ->
        number); ``problems``: reason -> number; ``warnings``: sentences.

    Raises:
        FileNotFoundError: If the release is not there.
        ValueError: If the data set has another name, or the label file is no text.
    """
    if data_set == 'rafdb':
        classes, release = RAFDB.METAINFO['classes'], read_rafdb(root, aligned)
    elif data_set == 'affectnet':
        classes, release = CODES[:num_classes], _affectnet(Path(root), layout)
    else:
        raise ValueError(f'data set {data_set!r} is neither rafdb nor affectnet.')
    problems, kept = list(release.problems), []
    for image in release.images:
        if image.code >= len(classes):
            problems.append(Skip(str(image.path), NO_EXPRESSION, image.where, 0,
                                 f'{image.code} ({CODES[image.code]})'))
        elif image.missing or not image.path.stat().st_size:
            problems.append(Skip(str(image.path), NO_IMAGE if image.missing else EMPTY_IMAGE,
                                 image.where))
        else:
            kept.append(image)
    report_skipped(data_set, problems, skip_file)
    published = EXPRESSION_IMAGES.get(data_set, {})
    splits, warnings = {}, []
    for split in sorted({image.split for image in kept} | set(published)):
        codes = Counter(image.code for image in kept if image.split == split)
        number = sum(codes.values())
        splits[split] = dict(images=number, published=published.get(split), classes={
            name: codes[code] for code, name in enumerate(classes)})
        if published.get(split, number) != number:
            warnings.append(f'{split}: {number} images, published {published[split]}.')
    return dict(data_set=data_set, release=str(root), splits=splits, warnings=warnings,
                problems=dict(sorted(Counter(p.reason for p in problems).items())))


def _affectnet(root: Path, layout: str) -> ExpressionRelease:
    """Both splits, of which one may be absent."""
    images, problems, absent = [], [], []
    for split in ('train', 'val'):
        try:
            find_split(root, split, layout)
        except FileNotFoundError as error:
            absent.append(error)
            continue
        release = read_affectnet(root, split, layout)
        images += release.images
        problems += release.problems
    if len(absent) == 2:
        raise absent[0]
    return ExpressionRelease(images, problems)


def print_expressions(report: dict, console: Console) -> None:
    """Draw the counts, the warnings and the problems of :func:`verify_expressions`."""
    classes = list(next(iter(report['splits'].values()))['classes']) if report['splits'] else []
    table = Table('split', 'images', 'published', *classes)
    for name, split in report['splits'].items():
        table.add_row(name, str(split['images']), str(split['published'] or ''),
                      *map(str, split['classes'].values()))
    console.print(table)
    for warning in report['warnings']:
        console.print(f'warning: {warning}')
    for reason, number in report['problems'].items():
        console.print(f'[red]{number}[/red] x {reason}', highlight=False)
    console.print(f'[bold]{sum(report["problems"].values())} problems[/bold]')
