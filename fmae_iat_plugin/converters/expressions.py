# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What RAF-DB and AffectNet share: images with one expression, placed and tabled.

Training needs no conversion (the data sets RAFDB and AffectNet read the releases); this gives one
``image,expression,split`` table, a list of what is wrong, and counts.
"""

import io
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

import pandas as pd
from mmengine.logging import MMLogger

from fmae_iat_plugin.datasets.summary import summarize_expressions, write_summary
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.media import natural
from fmae_iat_plugin.parallel import Processes, run_parallel
from fmae_iat_plugin.skipped import Skip, report_skipped

from .base import ConversionError
from .pipeline import sort_skips
from .release_files import place_image

_CHUNK = 1000  # images a process takes at once


class Face(NamedTuple):
    """An image of the release, its place below ``OUT/images``, its expression and split."""

    source: Path
    image: str
    expression: str
    split: str


def _place(faces: Sequence[Face], out: Path, how: str) -> None:
    for face in faces:
        place_image(face.source, out / 'images' / face.image, how)


def write_expressions(dataset: str, release: Path, out: Path, faces: List[Face],
                      skipped: Sequence[Skip], classes: Sequence[str], expected: Dict[str, int],
                      place: str, workers: Processes) -> dict:
    """Place the images and write ``annotation.csv``, ``skipped.csv`` and the summary.

    Returns:
        dict: The summary.

    Raises:
        ConversionError: If there is no face; the list of reasons is written before.
    """
    skipped = sort_skips(skipped)
    report_skipped(dataset, skipped, str(out / 'skipped.csv'))
    if not faces:
        raise ConversionError(f'{release}: no labelled image was found ({len(skipped)} entries in '
                              f'{out / "skipped.csv"}, which says why).')
    faces = sorted(faces, key=lambda face: natural(face.image))
    chunks = [faces[i:i + _CHUNK] for i in range(0, len(faces), _CHUNK)]
    run_parallel(partial(_place, out=out, how=place), chunks, workers, f'Converting {dataset}')
    table = pd.DataFrame([face[1:] for face in faces], columns=['image', 'expression', 'split'])
    text = io.StringIO()
    table.to_csv(text, index=False)
    write_whole(out / 'annotation.csv', text.getvalue().encode('utf-8', 'surrogateescape'))
    summary = summarize_expressions(dataset, str(release), table, classes, expected, skipped)
    write_summary(out, summary)
    for warning in summary['warnings']:
        MMLogger.get_current_instance().warning(f'{dataset}: {warning}')
    return summary
