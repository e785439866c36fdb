# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Several adversaries beside each other: how each plays, and what each does over a sweep."""

from typing import Mapping, Optional, Sequence, Tuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from .style import DASHES, INK, MARKERS, PALETTE, dress, legend_above, new_figure

Curves = Mapping[str, Sequence[Sequence[float]]]  # scalar -> (epochs, values)


def plot_games(games: Mapping[str, Curves]) -> Figure:
    """Identity loss over its floor, and both accuracies, by epoch, one colour per game.

    Args:
        games: Name -> what :class:`~fmae_iat_plugin.engine.AdversaryMonitorHook` logged, by names
            without ``adversary/``; ``loss`` and ``floor``, and, if known, ``head``, ``fresh`` and
            ``chance``.

    Raises:
        ValueError: If there is no game.
    """
    if not games:
        raise ValueError('there is no game to draw.')
    figure = new_figure(4.2, 5.4)
    loss, named = figure.subplots(2, 1, sharex=True)
    handles = []
    for number, (name, curves) in enumerate(games.items()):
        colour = PALETTE[number % len(PALETTE)]
        epochs, values = map(np.asarray, curves['loss'])
        line, = loss.plot(epochs, values / np.asarray(curves['floor'][1]), color=colour,
                          linewidth=2, marker=MARKERS[number % len(MARKERS)], markersize=4,
                          label=name)
        handles.append(line)
        for key, dash in (('fresh', '-'), ('head', ':')):
            if key in curves:
                named.plot(*curves[key], color=colour, linestyle=dash, linewidth=2,
                           marker=MARKERS[number % len(MARKERS)], markersize=4)
        if 'chance' in curves:
            named.axhline(curves['chance'][1][0], color=INK, alpha=.6, linewidth=1,
                          linestyle=(0, (1, 2)))
    loss.axhline(1, color=INK, alpha=.6, linewidth=1, linestyle='--')
    loss.set(ylabel='identity loss / guessing the rates', yscale='log')
    for axis in (loss.yaxis.set_major_formatter, loss.yaxis.set_minor_formatter):
        axis(FormatStrFormatter('%g'))
    named.set(xlabel='epoch', ylabel='frames named (%)',
              title='line: probe fitted now; dots: head in the game')
    named.set_ylim(bottom=0)
    named.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, named):
        dress(axes)
        axes.grid(axis='y', alpha=.25)
    legend_above(figure, handles)
    return figure


def plot_over(settings: Sequence[str],
              panels: Mapping[str, Mapping[str, Sequence[Optional[Tuple[float, float, float]]]]],
              xlabel: str) -> Figure:
    """One panel per number, one line per experiment, over the settings of a sweep.

    Args:
        settings: The S settings, in the order to draw.
        panels: Title with unit -> experiment -> S times (value, low, high), or None where it was
            not run.
        xlabel: Name of the settings.

    Raises:
        ValueError: If a line has another number of settings, or there is no panel.
    """
    if not panels:
        raise ValueError('there is no number to draw.')
    figure = new_figure(4.2, .8 + 2.4 * len(panels))
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    place, handles = np.arange(len(settings), dtype=float), {}
    for axes, (title, lines) in zip(rows, panels.items()):
        for name, points in lines.items():
            if len(points) != len(settings):
                raise ValueError(f'{title}: {name!r} has {len(points)} points for {len(settings)} '
                                 'settings.')
            number = names.index(name)
            there = [k for k, point in enumerate(points) if point is not None]
            value, low, high = np.array([points[k] for k in there], dtype=float).reshape(-1, 3).T
            x = place[there] + .07 * (number - (len(names) - 1) / 2)
            colour = PALETTE[number % len(PALETTE)]
            axes.vlines(x, low, high, color=colour, linewidth=1.5, alpha=.6)
            handles[name], = axes.plot(x, value, color=colour, label=name, linewidth=1.5,
                                       linestyle=DASHES[number % len(DASHES)], markersize=6,
                                       marker=MARKERS[number % len(MARKERS)])
        axes.set_title(title)
        axes.margins(y=.1)
        dress(axes)
        axes.grid(axis='y', alpha=.25)
    rows[-1].set_xticks(place, settings)
    rows[-1].set_xlim(-.5, len(settings) - .5)
    rows[-1].set_xlabel(xlabel)
    rows[-1].xaxis.label.set_color(INK)
    legend_above(figure, [handles[name] for name in names])
    return figure
