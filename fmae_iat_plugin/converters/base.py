# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the converters hand to each other: labels as read, rows as converted, options."""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from fmae_iat_plugin.skipped import Skip

#: reasons, the fixed phrases of ``skipped.csv``
NO_IMAGE = 'labelled frame without image'
NO_LABEL = 'image without label'
DUPLICATE_FRAME = 'duplicate frame'
CONTRADICTION = 'contradictory labels of one frame'
DUPLICATE_IMAGE = 'duplicate image'
BAD_LINE = 'unreadable line'
BAD_FILE = 'unreadable label file'
NO_LABEL_FILE = 'no label file'
NOT_A_LABEL_FILE = 'not a label file'
BAD_IMAGE_NAME = 'image name without a frame number'
EMPTY_IMAGE = 'empty image file'
BAD_VIDEO = 'unreadable video'
TRUNCATED_VIDEO = 'truncated video'
DAMAGED_VIDEO = 'damaged video'
DAMAGED_FRAME = 'damaged frame of a video'
UNLABELLED_VIDEO = 'video without labels'
AMBIGUOUS_SOURCE = 'more than one image source'

#: these entries report a fact; nothing of the table was lost by them
INFORMATION = (NO_LABEL, TRUNCATED_VIDEO, UNLABELLED_VIDEO, NOT_A_LABEL_FILE, DUPLICATE_FRAME)


class ConversionError(ValueError):
    """A release cannot be converted; the message names the value, file, line and remedy."""


class Options(NamedTuple):
    """Choices of a conversion that shape its images.

    Attributes:
        place (str): How the release's images get into ``OUT/images``: ``'link'`` (hard link, a
            copy where the file system cannot), ``'copy'`` or ``'symlink'``.
        source (str): ``'auto'`` (image folders where a sequence has one, else its video),
            ``'images'`` or ``'videos'``.
        image_format (str): Of frames taken from videos: ``'jpg'`` (quality 95) or ``'png'``.
        halve (bool): Halve both sides of video frames, as the published preparation does.
        damaged (str): A video that decodes to fewer frames than it declares without being cut
            off: ``'skip'`` (its frame numbers cannot be trusted) or ``'keep'``.
    """

    place: str = 'link'
    source: str = 'auto'
    image_format: str = 'jpg'
    halve: bool = False
    damaged: str = 'skip'


DEFAULTS = Options()


class LabelledFrames(NamedTuple):
    """The labels of one sequence: N frames, A action units.

    Attributes:
        frames (list[int]): N frame numbers, ascending, each once.
        where (list[tuple[str, int]]): File and line of each.
        aus (tuple[int]): The A action units.
        labels (np.ndarray): ``[N, A]`` float32, NaN = not coded.
        skipped (list[Skip]): What was left out.
        notes (list[str]): What the reader should know.
    """

    frames: List[int]
    where: List[Tuple[str, int]]
    aus: Tuple[int, ...]
    labels: np.ndarray
    skipped: List[Skip]
    notes: List[str]


class Converted(NamedTuple):
    """Rows of the table from one sequence (or one file): N faces, A action units.

    Attributes:
        images (list[str]): N paths relative to the image folder.
        columns (dict[str, list]): ``subject``, ``sequence``, ``frame``, ... : N values each.
        aus (tuple[int]): The A action units.
        labels (np.ndarray): ``[N, A]`` float32, NaN = not coded.
        skipped (list[Skip]), notes (list[str]): As above.
        where (list[tuple[str, int]]): File and line of each row.
    """

    images: List[str]
    columns: Dict[str, list]
    aus: Tuple[int, ...]
    labels: np.ndarray
    skipped: List[Skip]
    notes: List[str]
    where: List[Tuple[str, int]]


def unreadable(name: str, path: Path, error: ConversionError) -> Skip:
    """The entry for a label file that cannot be used; the line is the one the error names."""
    line = re.search(r', line ([0-9]+): ', str(error))
    return Skip(name, BAD_FILE, str(path), int(line.group(1)) if line else 0, str(error))


def no_rows(*skipped: Skip) -> Converted:
    """A sequence of which nothing is left."""
    columns = {name: [] for name in ('subject', 'sequence', 'frame')}
    return Converted([], columns, (), np.empty((0, 0), dtype=np.float32), list(skipped), [], [])


def merge_duplicates(rows: Dict[int, list], name: str) -> Tuple[dict, List[Skip]]:
    """Settle frames that are labelled more than once; nothing is guessed.

    Args:
        rows: Frame -> list of (file, line, value), in the order of the file.
        name: Sequence, for the list.

    Returns:
        tuple: frame -> (file, line, value) of the first where all values agree; the skipped.
    """
    kept, skipped = {}, []
    for frame, found in sorted(rows.items()):
        if all(value == found[0][2] for _, _, value in found):
            kept[frame] = found[0]
            skipped += [Skip(f'{name}/{frame}', DUPLICATE_FRAME, file, line,
                             f'the same labels stand in line {found[0][1]}, which is kept')
                        for file, line, _ in found[1:]]
        else:
            lines = ', '.join(str(line) for _, line, _ in found)
            skipped += [Skip(f'{name}/{frame}', CONTRADICTION, file, line,
                             f'lines {lines} differ, all are left out') for file, line, _ in found]
    return kept, skipped
