# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Metrics by epoch, from the scalars that MMEngine writes (paper: Figs. 3 and 5)."""

import json
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple, Union

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import DASHES, MARKERS, PALETTE, dress, new_figure


def read_scalars(work_dir: Union[str, Path]) -> List[dict]:
    """Read all lines of ``<time>/vis_data/scalars.json`` under a work dir, oldest run first.

    A run that was killed and resumed has several such files. If they name the same step, the later
    line is valid.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is not JSON; the message names file and line. The last line of a file
            may be cut off by a kill and is then left out.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(f'{work_dir} holds no */vis_data/scalars.json. Remedy: name the '
                                '--work-dir of a run.')
    rows = []
    for file in files:
        lines = file.read_text(encoding='utf-8').splitlines()
        for number, line in enumerate(lines, 1):
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                if number < len(lines):
                    raise ValueError(f'{file}, line {number}: not JSON: {error.msg}') from error
    return rows


def metric_by_epoch(work_dir: Union[str, Path], key: str) -> Tuple[np.ndarray, np.ndarray]:
    """A metric of the validation after each epoch.

    Args:
        work_dir: Folder of one run.
        key: Key that the metric reports, for example ``'f1/mean'``.

    Returns:
        Epochs ``[E]`` int, ascending, and values ``[E]``.

    Raises:
        KeyError: If the run never reported it; the message lists the reported keys.
    """
    rows = [row for row in read_scalars(work_dir) if 'epoch' not in row]  # training names both
    values: Dict[int, float] = {row['step']: row[key] for row in rows if key in row}
    if not values:
        known = sorted({name for row in rows for name in row})
        raise KeyError(f'{work_dir} reports {", ".join(known) or "nothing"}, but not {key!r}')
    epochs = sorted(values)
    return np.array(epochs), np.array([values[epoch] for epoch in epochs], dtype=np.float64)


def plot_by_epoch(curves: Mapping[str, Tuple[np.ndarray, np.ndarray]], ylabel: str,
                  chance: Optional[float] = None, title: str = '') -> Figure:
    """Draw one line per run; colour, dash and marker differ.

    Args:
        curves: Name -> (epochs ``[E]``, values ``[E]``).
        ylabel: Label with the unit.
        chance: Level of a thin line named "chance".
    """
    figure = new_figure()
    axes = figure.subplots()
    for number, (name, (epochs, values)) in enumerate(curves.items()):
        axes.plot(epochs, values, label=name, color=PALETTE[number % len(PALETTE)], linewidth=2,
                  linestyle=DASHES[number % len(DASHES)], marker=MARKERS[number % len(MARKERS)],
                  markersize=4)
    if chance is not None:
        axes.axhline(chance, color=PALETTE[-1], linewidth=1, linestyle=(0, (1, 2)), label='chance')
    axes.set(xlabel='epoch', ylabel=ylabel, title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9)
    dress(axes)
    axes.grid(axis='y', alpha=0.25)
    return figure
