# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""BP4D (Zhang et al., Image and Vision Computing 2014) to the annotation table.

::

    RELEASE/AUCoding/AU_OCC/F001_T1.csv      header 0..99: column 0 the frame, column N is AU N
    RELEASE/Sequences(2D+3D)/F001/T1/2440.jpg          frame numbers of 3 or 4 digits, or
    RELEASE/.../2F01_01.avi                            the video; also as 2F01_T1.avi

Re-released label files carry fewer columns, whose header *names* the AUs: ``0,1,2,4,6,...``;
so columns are read by name. The videos of the eight coded tasks are numbered
01, 03, 07, 08, 09, 10, 11, 13; these are T1 to T8, in this order.
"""

import re
from pathlib import Path
from typing import List, Optional

from fmae_iat_plugin.action_units import ACTION_UNITS
from fmae_iat_plugin.parallel import Processes

from .base import DEFAULTS, ConversionError, Options
from .occurrence import Columns
from .tasks import convert_tasks

VIDEO_TASKS = {'01': 'T1', '03': 'T2', '07': 'T3', '08': 'T4',
               '09': 'T5', '10': 'T6', '11': 'T7', '13': 'T8'}
_AU = re.compile(r'(?:AU)?0*([0-9]{1,2})(?:\.0|_c|_occ)?', re.IGNORECASE)


def named_columns(header: List[str], path: Path) -> Columns:
    """Columns by the header's names: one frame column (``0`` or ``frame``), AU numbers.

    Raises:
        ConversionError: If there is not exactly one frame column, an AU twice, or no AU.
    """
    frames = [i for i, cell in enumerate(header)
              if re.fullmatch(r'0|.*frame.*', cell, re.IGNORECASE)]
    if not frames and not _AU.fullmatch(header[0]):
        frames = [0]  # whatever it is called, it comes first
    if len(frames) != 1:
        raise ConversionError(f'{path}, line 1: {len(frames)} frame columns in the header '
                              f'{",".join(header)[:80]!r}. Remedy: a header 0,1,2,... or '
                              'frame,AU1,AU2,... whose first column is the frame.')
    aus, places, others = [], {}, []
    for column, cell in enumerate(header):
        found = _AU.fullmatch(cell)
        if column == frames[0] or re.fullmatch(r'|unnamed.*', cell, re.IGNORECASE):
            continue  # an unnamed column is the index that some tool left behind
        if not found:
            raise ConversionError(f'{path}, line 1: column {column + 1} is {cell!r:.40}, which '
                                  'names no AU. Remedy: restore the header 0,1,2,...,99.')
        au = int(found.group(1))
        if au in places:
            raise ConversionError(f'{path}, line 1: AU{au} names the columns {places[au] + 1} '
                                  f'and {column + 1}. Remedy: restore the header of the release.')
        places[au] = column
        if au in ACTION_UNITS:
            aus.append((column, au))
        else:
            others.append(au)
    if not aus:
        raise ConversionError(f'{path}, line 1: the header names no AU: '
                              f'{",".join(header)[:80]!r}. Remedy: restore the release\'s file.')
    notes = [f'columns {", ".join(map(str, sorted(others)))} are not action units of the face and '
             'were not read'] if others else []
    return Columns(frames[0], tuple(sorted(aus, key=lambda pair: pair[1])), len(header), 1, notes)


def video_task(suffix: str) -> Optional[str]:
    """``'T3'`` or the release's ``'07'`` -> ``'T3'``; a task that is not coded -> None."""
    if re.fullmatch(r'[Tt][1-8]', suffix):
        return suffix.upper()
    return VIDEO_TASKS.get(suffix)


def convert_bp4d(release: str, out: str, options: Options = DEFAULTS, workers: Processes = 1,
                 labels: Optional[str] = None, pictures: Optional[str] = None) -> dict:
    """Convert a release of BP4D.

    Args:
        release: Folder of the release.
        out: Folder for ``annotation.csv``, ``images``, ``skipped.csv``, ``summary.md``/``.json``.
        options: How images are placed and frames extracted.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.
        labels: Folder of the ``F001_T1.csv``, if it is not found.
        pictures: Folder below which image folders or videos are looked for; default the release.

    Returns:
        dict: The summary.

    Raises:
        ConversionError: If nothing can be converted, or the output holds another conversion.
    """
    return convert_tasks('bp4d', release, out, options, workers, labels, pictures,
                         named_columns, video_task)
