# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AU occurrence tables of BP4D and BP4D+: a frame a line, 0 absent, 1 present, 9 not coded."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Callable, List, NamedTuple, Tuple

import numpy as np

from fmae_iat_plugin.skipped import Skip

from .base import BAD_LINE, ConversionError, LabelledFrames, merge_duplicates
from .release_files import read_lines

_FRAME = re.compile(r'([0-9]{1,9})(?:\.0*)?')
CODES = {'0': 0., '1': 1., '9': np.nan}


class Columns(NamedTuple):
    """Where things stand in a line.

    Attributes:
        frame (int): Column of the frame number, from 0.
        aus (tuple[tuple[int, int]]): Pairs (column, action unit).
        width (int): Number of columns.
        first (int): Index of the first data line, 1 after a header.
        notes (list[str]): What the reader of the summary should know.
    """

    frame: int
    aus: Tuple[Tuple[int, int], ...]
    width: int
    first: int
    notes: List[str]


@lru_cache(maxsize=10000)
def parse_code(cell: str):
    """``'0'``, ``'1'``, ``'9'`` (also ``'1.0'``) -> 0.0, 1.0, NaN; anything else -> None."""
    found = re.fullmatch(r'([019])(?:\.0*)?', cell.strip())
    return CODES[found.group(1)] if found else None


def parse_frame(cell: str):
    """``'12'`` or ``'12.0'`` -> 12; anything else -> None."""
    found = _FRAME.fullmatch(cell.strip())
    return int(found.group(1)) if found else None


def read_occurrence(path: Path, name: str,
                    columns: Callable[[List[str], Path], Columns]) -> LabelledFrames:
    """Read one occurrence table.

    A line that cannot be read is left out whole and listed. Blank lines hold nothing.

    Args:
        path: The file.
        name: Sequence, such as ``F001/T1``, for the list.
        columns: Cells of the first line, path -> :class:`Columns`; raises ConversionError.

    Returns:
        LabelledFrames: ``[N, A]`` labels, frames ascending.

    Raises:
        ConversionError: If the file is unreadable, empty, or its columns make no sense.
    """
    lines = read_lines(path)
    if not lines:
        raise ConversionError(f'{path}, line 1: the file is empty. Remedy: restore it from the '
                              'release.')
    layout = columns([cell.strip().strip('"') for cell in lines[0].split(',')], path)
    aus = tuple(au for _, au in layout.aus)
    rows, skipped = {}, []
    for number, line in enumerate(lines[layout.first:], layout.first + 1):
        if not line.strip():
            continue
        cells = line.split(',')
        if len(cells) != layout.width:
            skipped.append(Skip(name, BAD_LINE, str(path), number,
                                f'{len(cells)} cells, the first line has {layout.width}'))
            continue
        frame = parse_frame(cells[layout.frame])
        if frame is None:
            skipped.append(Skip(name, BAD_LINE, str(path), number,
                                f'{cells[layout.frame]!r:.40} is not a frame number'))
            continue
        codes = [parse_code(cells[column]) for column, _ in layout.aus]
        if None in codes:
            column, au = layout.aus[codes.index(None)]
            skipped.append(Skip(f'{name}/{frame}', BAD_LINE, str(path), number,
                                f'AU{au} is {cells[column]!r:.40}, expected 0, 1 or 9'))
            continue
        value = tuple(None if code != code else code for code in codes)  # NaN equals nothing
        rows.setdefault(frame, []).append((str(path), number, value))
    kept, doubles = merge_duplicates(rows, name)
    labels = np.array([value for _, _, value in kept.values()], dtype=np.float32)
    return LabelledFrames(list(kept), [(file, line) for file, line, _ in kept.values()], aus,
                          labels.reshape(len(kept), len(aus)), skipped + doubles, layout.notes)
