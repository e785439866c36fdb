# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A picture of a curation: some kept and some rejected images of every source and rule."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import cv2
import numpy as np

from fmae_iat_plugin.files import write_whole

from .containers import READ_ERRORS
from .listing import open_container, read_members
from .outcome import Outcome
from .parts import TEST_SET, read_details
from .pictures import decode_small, encode
from .structures import UNREADABLE, Options

_TILE, _COLUMNS, _TITLE, _GAP = 112, 10, 20, 2  # pixels, images in a row
_PARTS = 200  # that are looked into, evenly over all


class _Place(NamedTuple):
    """Where an image is: part, and place in its list."""

    part: int
    member: int


def write_sheet(outcome: Outcome, path: Path, work: Path, options: Options) -> None:
    """Write one row per source, of kept images, and per rule, of rejected ones, evenly chosen.

    Args:
        outcome: What became of the images.
        path: JPEG file.
        work: Folder of the files of the curation.
        options: The rules.
    """
    rows: Dict[str, List[_Place]] = {}
    for place in _evenly(list(range(len(outcome.parts))), _PARTS):
        part, details = outcome.parts[place], read_details(work, outcome.parts[place])
        if part.container.source == TEST_SET:
            continue
        own: Dict[str, List[_Place]] = {}
        why = dict(zip(outcome.without[place], outcome.why[place]))
        for image, (member, _, _) in enumerate(details.kept):
            title = why[image][0] if image in why else f'kept of {part.container.source}'
            own.setdefault(title, []).append(_Place(place, member))
        for member, _, rule, _ in details.rejects:
            if rule != UNREADABLE:
                own.setdefault(rule, []).append(_Place(place, member))
        for title, found in own.items():
            rows.setdefault(title, []).extend(_evenly(found, _COLUMNS))
    lines = [_line(title, [_tile(place, outcome, work) for place in _evenly(found, _COLUMNS)])
             for title, found in sorted(rows.items())]
    write_whole(path, encode(np.concatenate(lines), 92))


def _evenly(items: list, number: int) -> list:
    """At most so many items, evenly over all."""
    if len(items) <= number:
        return items
    return [items[place] for place in np.linspace(0, len(items) - 1, number).astype(int)]


def _tile(place: _Place, outcome: Outcome, work: Path) -> Optional[np.ndarray]:
    part = outcome.parts[place.part]
    try:
        _, data = open_container(part.container, work)(read_members(part, work)[place.member])
        image = decode_small(data, _TILE)
    except READ_ERRORS:
        return None
    longer = max(image.shape[:2])
    tile = np.full((_TILE, _TILE, 3), 255, np.uint8)  # its shape is why it may have been left out
    height, width = (max(1, round(side * _TILE / longer)) for side in image.shape[:2])
    tile[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return tile


def _line(title: str, tiles: List[Optional[np.ndarray]]) -> np.ndarray:
    line = np.full((_TITLE + _TILE + _GAP, _COLUMNS * (_TILE + _GAP), 3), 255, np.uint8)
    cv2.putText(line, title, (4, _TITLE - 6), cv2.FONT_HERSHEY_SIMPLEX, .45, (0, 0, 0), 1,
                cv2.LINE_AA)
    for number, tile in enumerate(tiles):
        if tile is not None:
            left = number * (_TILE + _GAP)
            line[_TITLE:_TITLE + _TILE, left:left + _TILE] = tile
    return line
