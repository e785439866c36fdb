# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Timeline of a video: a heat map of action unit x time for every face, of its probabilities and,
where the model gives them, of its intensities."""

from collections import Counter
from typing import Dict, Sequence, Tuple

import numpy as np
from matplotlib.figure import Figure

from fmae_iat_plugin.action_units import ACTION_UNITS, au_name

from .style import new_figure

MAX_FACES = 8  #: the faces seen longest are drawn; the title counts the others
MAX_CELLS = 3000  #: for more frames, a cell is the mean of several


def table(rows: Sequence, number: int,
          what: str = 'probabilities') -> Tuple[np.ndarray, Dict[int, np.ndarray]]:
    """Rows of a video as arrays.

    Args:
        rows: Each a :class:`~fmae_iat_plugin.inference.predictions.FacePrediction`, of one video
            in order.
        number: Number C of action units.
        what: ``'probabilities'`` or ``'intensities'``.

    Returns:
        The starts of the frames and the end of the last one, ``[T + 1]``, in seconds, or in frame
        numbers if the container has no times; and face_id -> values ``[C, T]``, NaN where
        that face was not found.
    """
    timed = all(row.timestamp is not None for row in rows)
    starts = {row.frame: row.timestamp if timed else row.frame for row in rows}
    times = np.maximum.accumulate(np.array(list(starts.values()), dtype=np.float64))
    times += np.arange(len(times)) * 1e-9  # keeps equal times of a damaged container apart
    step = np.median(np.diff(times)) if len(times) > 1 else .04 if timed else 1.
    place = {frame: index for index, frame in enumerate(starts)}
    faces: Dict[int, np.ndarray] = {}
    for row in rows:
        if row.success:
            values = faces.setdefault(row.face_id, np.full((number, len(times)), np.nan))
            values[:, place[row.frame]] = getattr(row, what)
    return np.append(times, times[-1] + step), faces


def _thin(edges: np.ndarray, values: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """At most :data:`MAX_CELLS` means of neighbouring frames; a mean is over frames with a face."""
    group = -(-values.shape[1] // MAX_CELLS)
    if group <= 1:
        return edges, values
    firsts = np.arange(0, values.shape[1], group)
    seen = np.add.reduceat(np.isfinite(values), firsts, axis=1, dtype=np.float64)
    total = np.add.reduceat(np.nan_to_num(values), firsts, axis=1)
    return np.append(edges[firsts], edges[-1]), np.where(seen > 0, total / np.maximum(seen, 1),
                                                        np.nan)


def plot_timeline(rows: Sequence, aus: Sequence[int], title: str = '',
                  intensity_aus: Sequence[int] = ()) -> Figure:
    """Draw the timeline, hatched where the face was not found.

    Args:
        rows: Each a :class:`~fmae_iat_plugin.inference.predictions.FacePrediction`, of one video
            in order.
        aus: Numbers of the action units, in the order of the probabilities.
        title: Title of the figure.
        intensity_aus: Numbers of the action units with intensities, in their order; each face has a
            second panel for them, from 0 to 5.

    Raises:
        ValueError: If there is no row.
    """
    if not rows:
        raise ValueError('there is no frame to draw a timeline of.')
    kinds = [('probability', 1, tuple(aus), 'probabilities')]
    if intensity_aus:
        kinds.append(('intensity', 5, tuple(intensity_aus), 'intensities'))
    values = {name: table(rows, len(units), what) for name, _, units, what in kinds}
    edges, faces = values['probability']
    length = Counter(row.face_id for row in rows if row.success)
    shown = sorted(face for face, _ in length.most_common(MAX_FACES))
    if len(faces) > len(shown):
        title += f' ({len(shown)} of {len(faces)} faces, those seen longest)'
    lines = [len(units) for face in shown or (0, ) for _, _, units, _ in kinds]
    figure = new_figure(9, sum(.21 * number + .35 for number in lines) + .8)
    panels = figure.subplots(len(lines), 1, sharex=True, squeeze=False,
                             height_ratios=lines)[:, 0]
    for number, (name, top, units, _) in enumerate(kinds):
        own = panels[number::len(kinds)]
        for axes, face in zip(own, shown):
            heat = _heat_map(axes, edges, values[name][1][face], units, top)
            axes.set_title(f'face {face}{", intensity" if top > 1 else ""}', fontsize=9, loc='left')
        if shown:
            figure.colorbar(heat, ax=list(own), label=name, fraction=.03, pad=.01)
    for axes in () if shown else panels:
        axes.set(yticks=[], title='no face')
    timed = all(row.timestamp is not None for row in rows)
    panels[-1].set(xlabel='time (s)' if timed else 'frame', xlim=(edges[0], edges[-1]))
    figure.suptitle(title.strip(), fontsize=10)
    return figure


def _heat_map(axes, edges: np.ndarray, values: np.ndarray, aus: Sequence[int], top: float):
    """The cells ``[C, T]`` of a face, from 0 to ``top``."""
    heat = axes.pcolorfast(*_axes(edges, values), cmap='cividis', vmin=0, vmax=top)
    axes.set_yticks(np.arange(len(aus)) + .5,
                    [f'{au_name(au)} {ACTION_UNITS[au].name}' for au in aus], fontsize=8)
    axes.set_ylim(len(aus), 0)
    axes.patch.set(facecolor='white', edgecolor='#B0B0B0', hatch='////', linewidth=0)
    return heat


def _axes(edges: np.ndarray, values: np.ndarray) -> tuple:
    """Arguments of ``pcolorfast``: edges in time, edges of the lines, cells."""
    edges, values = _thin(edges, values)
    return edges, np.arange(len(values) + 1.), np.ma.masked_invalid(values)
