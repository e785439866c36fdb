# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""BP4D+ (Zhang et al., CVPR 2016) to the annotation table.

::

    RELEASE/AUCoding/AU_OCC/F001_T1.csv      the frame, then 34 AUs in a fixed order
    RELEASE/.../F001/T1/0012.jpg             image folders, or
    RELEASE/.../F001_T1.mp4                  videos

In some releases the header cannot be used by name ("1" stands there twice), so the columns are
read by position. Only a header that spells AU names, ``frame,AU1,AU2,...``, is believed.
Only the tasks T1, T6, T7 and T8 are coded.
"""

import re
from pathlib import Path
from typing import List, Optional

from fmae_iat_plugin.parallel import Processes

from .base import DEFAULTS, ConversionError, Options
from .bp4d import named_columns
from .occurrence import Columns, parse_code
from .tasks import convert_tasks

#: the AU of each column after the frame
POSITIONS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24,
             *range(27, 40))


def positional_columns(cells: List[str], path: Path) -> Columns:
    """Columns by position, or by a header that spells ``AU<number>``.

    A file may have no header: its first line is data when most of it is 0, 1 or 9.

    Raises:
        ConversionError: If there are not 35 columns and the header spells no AU names.
    """
    if any(re.match(r'AU\s*[0-9]', cell, re.IGNORECASE) for cell in cells):
        return named_columns(cells, path)
    if len(cells) != 1 + len(POSITIONS):
        raise ConversionError(
            f'{path}, line 1: {len(cells)} columns, expected {1 + len(POSITIONS)} (the frame and '
            f'{len(POSITIONS)} AUs by position). Remedy: restore the file, or name the columns '
            'frame,AU1,AU2,... .')
    readable = sum(parse_code(cell) is not None for cell in cells[1:])
    first = 0 if readable > len(POSITIONS) / 2 else 1
    return Columns(0, tuple(enumerate(POSITIONS, 1)), len(cells), first, [])


def video_task(suffix: str) -> Optional[str]:
    """``'T6'`` -> ``'T6'``; release numbers of BP4D mean nothing here -> None."""
    return suffix.upper() if re.fullmatch(r'[Tt](?:[1-9]|10)', suffix) else None


def convert_bp4dplus(release: str, out: str, options: Options = DEFAULTS, workers: Processes = 1,
                     labels: Optional[str] = None, pictures: Optional[str] = None) -> dict:
    """Convert a release of BP4D+; arguments, result and errors as those of ``convert_bp4d``."""
    return convert_tasks('bp4dplus', release, out, options, workers, labels, pictures,
                         positional_columns, video_task)
