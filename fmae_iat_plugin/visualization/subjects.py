# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""F1 of every subject under every model, as a dumbbell plot (Cleveland, 1984)."""

import textwrap
from typing import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from .style import MARKERS, PALETTE, dress, legend_above, new_figure

MAX_NAMES = 50  #: largest number of subjects that the axis names
MAX_HEIGHT = 9.6  #: inches


def plot_subject_f1(f1: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draw one line per subject, from its lowest to its highest F1, and a marker per model.

    Args:
        f1: Model -> ``[S]`` in percent, of the same subjects. NaN means undefined: there is no
            marker, and a line below the axis counts it.
        names: Names of the S subjects.

    Returns:
        A figure with the best subject of the first model on top and its undefined ones at the end.

    Raises:
        ValueError: If a model does not fit the names or leaves 0..100, or there is no model.
    """
    if not f1 or not len(names):
        raise ValueError('there is no F1 to draw: no model or no subject.')
    tables = {model: np.asarray(values, dtype=np.float64) for model, values in f1.items()}
    for model, values in tables.items():
        if values.shape != (len(names), ):
            raise ValueError(f'{model!r} has the shape {values.shape}; {len(names)} names need '
                             f'({len(names)},).')
        if (values < 0).any() or (values > 100).any():
            raise ValueError(f'{model!r} holds {np.nanmin(values):g}..{np.nanmax(values):g}; F1 in '
                             'percent lies within 0..100.')
    order = np.argsort(-next(iter(tables.values())), kind='stable')  # NaN is sorted to the end
    table = np.stack(list(tables.values()))[:, order]
    named = len(names) <= MAX_NAMES
    figure = new_figure(4.2, min(MAX_HEIGHT, 1 + .17 * len(names)))
    axes = figure.subplots()
    line = np.arange(len(names))
    some = ~np.isnan(table).all(axis=0)
    axes.hlines(line[some], np.nanmin(table[:, some], axis=0), np.nanmax(table[:, some], axis=0),
                color='#8A8A8A', linewidth=1.6 if named else .8)
    handles = []
    for number, (model, values) in enumerate(zip(tables, table)):
        known = ~np.isnan(values)
        handles += axes.plot(values[known], line[known], linestyle='none', label=model,
                             marker=MARKERS[number % len(MARKERS)], markersize=6 if named else 3.5,
                             color=PALETTE[number % len(PALETTE)])
    missing = [f'{model} {np.isnan(values).sum()}' for model, values in tables.items()
               if np.isnan(values).any()]
    note = textwrap.fill('undefined: ' + ', '.join(missing), 44) if missing else ''
    axes.set(xlabel=f'F1 (%)\n{note}'.strip(), xlim=(-2, 102),
             ylim=(len(names) - .4, -.6), ylabel='' if named else f'{len(names)} subjects')
    axes.set_yticks(line if named else [], [names[row] for row in order] if named else [])
    dress(axes)
    axes.tick_params(axis='y', length=0, labelsize=8)
    axes.grid(axis='x', alpha=.25)
    legend_above(figure, handles)
    return figure
