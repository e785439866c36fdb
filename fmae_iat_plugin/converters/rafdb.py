# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RAF-DB, basic emotions (Li et al., CVPR 2017) to an ``image,expression,split`` table.

::

    RELEASE/basic/EmoLabel/list_patition_label.txt    (the misspelling is the release's)
    RELEASE/basic/Image/aligned/train_00001_aligned.jpg
    RELEASE/basic/Image/original/train_00001.jpg

Lines ``train_00001.jpg 5``; labels 1 to 7 = surprise, fear, disgust, happiness, sadness, anger,
neutral. 12,271 training and 3,068 test images.
"""

import re
from pathlib import Path
from typing import Dict, List, Tuple

from fmae_iat_plugin.datasets.expression import RAFDB
from fmae_iat_plugin.datasets.reference import EXPRESSION_IMAGES
from fmae_iat_plugin.media import IMAGE_SUFFIXES, listed
from fmae_iat_plugin.parallel import Processes
from fmae_iat_plugin.skipped import Skip

from .base import (
    BAD_LINE,
    CONTRADICTION,
    DUPLICATE_FRAME,
    EMPTY_IMAGE,
    NO_IMAGE,
    NO_LABEL,
    ConversionError,
)
from .expressions import Face, write_expressions
from .pipeline import start
from .release_files import read_lines

LABEL_FILES = ('list_patition_label.txt', 'list_partition_label.txt')
_LINE = re.compile(r'\s*((?:train|test)_[0-9]+\.[A-Za-z]+)\s+([1-7])\s*')


def read_labels(path: Path) -> Tuple[Dict[str, Tuple[int, int]], List[Skip]]:
    """Image name -> (line, label 1..7), and the lines that were left out.

    Raises:
        ConversionError: If the file is no text.
    """
    labels, wrong, skipped = {}, set(), []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line)
        if not found:
            skipped.append(Skip(f'line {number}', BAD_LINE, str(path), number,
                                f'{line!r:.60}; expected `train_00001.jpg 5`, labels 1 to 7'))
            continue
        name, label = found.group(1), int(found.group(2))
        if name not in labels:
            labels[name] = (number, label)
        elif labels[name][1] == label:
            skipped.append(Skip(name, DUPLICATE_FRAME, str(path), number,
                                f'the same as line {labels[name][0]}, which is kept'))
        else:
            wrong.add(name)
            skipped.append(Skip(name, CONTRADICTION, str(path), number,
                                f'differs from line {labels[name][0]}, all are left out'))
    for name in wrong:
        skipped.append(Skip(name, CONTRADICTION, str(path), labels.pop(name)[0],
                            'a later line differs, all are left out'))
    return labels, skipped


def convert_rafdb(release: str, out: str, aligned: bool = True, place: str = 'link',
                  workers: Processes = 1) -> dict:
    """Convert a release of RAF-DB.

    Args:
        release: Folder that holds ``basic``, or ``basic`` itself.
        out: Folder for ``annotation.csv``, ``images``, ``skipped.csv``, ``summary.md``/``.json``.
        aligned: The aligned 100x100 faces, else the original images.
        place: ``'link'``, ``'copy'`` or ``'symlink'``.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.

    Returns:
        dict: The summary.

    Raises:
        ConversionError: If the label file or the image folder is missing, or nothing is left.
    """
    release, out = Path(release), Path(out)
    basic = release / 'basic' if (release / 'basic').is_dir() else release
    files = [basic / 'EmoLabel' / name for name in LABEL_FILES]
    label_file = next((path for path in files if path.is_file()), None)
    folder = basic / 'Image' / ('aligned' if aligned else 'original')
    if label_file is None or not folder.is_dir():
        missing = files[0] if label_file is None else folder
        raise ConversionError(f'{missing} does not exist. Remedy: RELEASE is the folder that '
                              'holds basic/EmoLabel and basic/Image.')
    start(out, dict(dataset='rafdb', release=str(release.resolve()), aligned=aligned, place=place))
    labels, skipped = read_labels(label_file)
    sizes = {path.name: path.stat().st_size for path in listed(folder) if path.exists()
             and path.suffix.lower() in IMAGE_SUFFIXES}
    faces = []
    for name, (line, label) in labels.items():
        stem, dot, suffix = name.rpartition('.')
        image = f'{stem}_aligned{dot}{suffix}' if aligned else name
        size = sizes.pop(image, None)
        if not size:
            skipped.append(Skip(image, NO_IMAGE if size is None else EMPTY_IMAGE,
                                str(label_file), line, f'in {folder}'))
            continue
        split = name.partition('_')[0]
        faces.append(Face(folder / image, f'{split}/{image}', RAFDB.METAINFO['classes'][label - 1],
                          split))
    skipped += [Skip(image, NO_LABEL, str(folder / image)) for image in sorted(sizes)]
    return write_expressions('rafdb', release, out, faces, skipped, RAFDB.METAINFO['classes'],
                             EXPRESSION_IMAGES['rafdb'], place, workers)
