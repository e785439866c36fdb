# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Occurrences of action units over time: sampled with the published prevalence, or real sequences.

Sampled labels are one two-state Markov chain per AU. Real ones come from a table with an image
path and AU columns, such as the public per-frame label lists of BP4D and DISFA.
"""

import re
import zlib
from pathlib import Path
from typing import Dict, Mapping, NamedTuple, Sequence, Tuple, Union

import numpy as np
import pandas as pd

from fmae_iat_plugin.action_units import au_name, parse_au

from ..renderer import AUS

# Share of positive frames. BP4D: 12 AUs over 146,423 frames; DISFA: 8 AUs (intensity >= 2) over
# 130,311 frames. The values of the other AUs, which the usual protocols leave out, are rough.
PREVALENCE = dict(
    bp4d={1: .211, 2: .170, 4: .203, 6: .461, 7: .549, 10: .594, 12: .562, 14: .466, 15: .169,
          17: .344, 23: .165, 24: .151, 5: .04, 9: .06, 20: .03, 25: .20, 26: .10},
    disfa={1: .050, 2: .040, 4: .150, 6: .079, 9: .042, 12: .129, 25: .278, 26: .089, 5: .02,
           15: .03, 17: .06, 20: .02})
RUN = 50  # frames that an action lasts on average in the real lists: 30 to 150


class LabelledSequence(NamedTuple):
    """Occurrences in one recording.

    Attributes:
        frames (np.ndarray): ``[T]`` frame numbers, ascending.
        occurrence (dict[int, np.ndarray]): AU -> ``[T]`` bool.
    """

    frames: np.ndarray
    occurrence: Dict[int, np.ndarray]


def stream(seed: int, *keys: Union[str, int]) -> np.random.Generator:
    """A random stream for ``seed`` and names or numbers, the same on every machine."""
    return np.random.default_rng(
        [seed, *(zlib.crc32(k.encode()) if isinstance(k, str) else int(k) for k in keys)])


def markov(rng: np.random.Generator, prevalence: float, frames: int, run: float) -> np.ndarray:
    """A stationary two-state chain.

    Args:
        rng: Source of the draw.
        prevalence: Expected share of True, in [0, 1).
        frames: Length T.
        run: Expected length of a run of True, at least 1. It is longer if the prevalence requires
            it: an expected run is at least prevalence / (1 - prevalence).

    Returns:
        np.ndarray: ``[T]`` bool.
    """
    run = max(run, prevalence / (1 - prevalence), 1.0)
    ends, begins = 1 / run, prevalence / ((1 - prevalence) * run)
    draws = rng.random(frames)
    state, out = bool(rng.random() < prevalence), np.empty(frames, bool)
    for t in range(frames):
        out[t] = state
        state = bool(draws[t] >= ends) if state else bool(draws[t] < begins)
    return out


def sample_occurrence(seed: int, key: str, prevalence: Mapping[int, float],
                      frames: int) -> Dict[int, np.ndarray]:
    """AU -> ``[T]`` bool for the recording ``key``; short recordings have shorter runs."""
    run = max(2.0, min(RUN, frames / 4))
    return {au: markov(stream(seed, key, 'occurrence', au), share, frames, run)
            for au, share in prevalence.items()}


def _locate(image: str, subject: str, with_task: bool) -> Tuple[str, str, int]:
    """Subject, task ('' if none) and frame of ``.../F001/T1/02440.jpg`` or ``.../SN001/1.jpg``."""
    tail = rf'/({subject})/(T\d)/(\d+)\.\w+$' if with_task else rf'/({subject})/()(\d+)\.\w+$'
    found = re.search(tail, f'/{image}')
    if not found:
        raise ValueError(f'image path {image!r} does not end in '
                         f'{"SUBJECT/TASK/FRAME.jpg" if with_task else "SUBJECT/FRAME.jpg"}')
    return found[1], found[2], int(found[3])


def read_label_table(paths: Union[str, Path, Sequence[Union[str, Path]]], subject: str,
                     with_task: bool) -> Dict[Tuple[str, str], LabelledSequence]:
    """Read real label sequences.

    Args:
        paths: CSV files (also ``.csv.gz``) with the image path in the first column, its end
            ``F001/T1/02440.jpg`` or ``SN001/00001.jpg``, and columns ``au1`` or ``AU1`` with 0/1.
        subject: Regular expression of a subject's name.
        with_task: Whether a task (T1, T2, ...) is between subject and frame.

    Returns:
        dict: (subject, task or '') -> :class:`LabelledSequence`.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a path, label or header cannot be read, an AU is not rendered, or a frame is
            given twice. The message names file and line.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    rows: Dict[Tuple[str, str], Dict[int, Tuple]] = {}
    aus: Tuple[int, ...] = ()
    for path in map(Path, paths):
        if not path.is_file():
            raise FileNotFoundError(f'the label table {path} does not exist')
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        columns = [c for c in table.columns[1:] if re.fullmatch(r'au\d+', c, re.IGNORECASE)]
        found = tuple(parse_au(c) for c in columns)
        unknown = sorted(set(found) - set(AUS))
        if not found or unknown or (aus and found != aus):
            raise ValueError(
                f'{path}, line 1: AU columns {", ".join(columns) or "none"}; all tables need the '
                f'same columns au1, au2, ..., out of those that are rendered: '
                f'{", ".join(map(au_name, AUS))}')
        aus = found
        for line, (image, *cells) in enumerate(
                zip(table.iloc[:, 0], *(table[c] for c in columns)), 2):
            try:
                who, task, frame = _locate(image, subject, with_task)
            except ValueError as error:
                raise ValueError(f'{path}, line {line}: {error}') from error
            if not set(cells) <= {'0', '1'}:
                raise ValueError(f'{path}, line {line}: labels {cells} are not all 0 or 1')
            sequence = rows.setdefault((who, task), {})
            if frame in sequence:
                raise ValueError(f'{path}, line {line}: frame {frame} of {who} {task} was already '
                                 'given; keep one of the two')
            sequence[frame] = tuple(cells)
    out = {}
    for key, frames in rows.items():
        numbers = np.array(sorted(frames))
        values = np.array([[cell == '1' for cell in frames[n]] for n in numbers])
        out[key] = LabelledSequence(numbers, {au: values[:, k] for k, au in enumerate(aus)})
    return out
