# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Numbers with their intervals over the settings of a sweep, such as lambda or the variants."""

import textwrap
from typing import Mapping, Optional, Sequence, Tuple

import numpy as np
from matplotlib.figure import Figure

from .style import INK, PALETTE, dress, legend_above, new_figure

_ASIDE = .18  # distance of the published from the measured marker, in steps between settings


def _checked(labels: Sequence[str], values: Mapping[str, Sequence[Tuple[float, float, float]]],
             chance: Mapping[str, float], published: Sequence[Optional[float]]) -> dict:
    if not values or not labels:
        raise ValueError('there is no sweep to draw: no setting or no number.')
    tables = {title: np.array(rows, dtype=np.float64) for title, rows in values.items()}
    for title, table in tables.items():
        if table.shape != (len(labels), 3):
            raise ValueError(f'{title!r} has the shape {table.shape}; {len(labels)} labels need '
                             f'({len(labels)}, 3): value, low, high.')
        wrong = np.flatnonzero(table[:, 1] > table[:, 2])
        if len(wrong):
            raise ValueError(f'{title!r}, {labels[wrong[0]]!r}: low {table[wrong[0], 1]:g} is '
                             f'above high {table[wrong[0], 2]:g}.')
    unknown = sorted(set(chance) - set(tables))
    if unknown:
        raise ValueError(f'chance names {unknown}, which is not one of {sorted(tables)}.')
    if len(published) not in (0, len(labels)):
        raise ValueError(f'{len(published)} published numbers do not fit {len(labels)} labels.')
    return tables


def plot_sweep(labels: Sequence[str], values: Mapping[str, Sequence[Tuple[float, float, float]]],
               xlabel: str, chance: Optional[Mapping[str, float]] = None,
               published: Sequence[Optional[float]] = ()) -> Figure:
    """Draw one panel per number, one below the other.

    Args:
        labels: The S settings, in the order to draw.
        values: Title with unit -> S times (value, low, high). If the value is NaN, nothing is
            drawn; if the interval is NaN, only the marker is drawn.
        xlabel: Name of the settings.
        chance: Title -> level of the dashed line named "chance".
        published: S numbers of the paper, ``None`` or NaN if it has none; they are hollow markers
            in the first panel.

    Raises:
        ValueError: If a number does not fit the labels, an interval is reversed, or ``chance``
            names no panel.
    """
    chance = chance or {}
    tables = _checked(labels, values, chance, published)
    place = np.arange(len(labels), dtype=np.float64)
    figure = new_figure(4.2, .8 + 2.1 * len(tables))
    panels = figure.subplots(len(tables), 1, sharex=True, squeeze=False)[:, 0]
    handles = {}
    for number, (axes, (title, table)) in enumerate(zip(panels, tables.items())):
        value, low, high = table.T
        known = ~np.isnan(value)
        spread = known & ~np.isnan(low) & ~np.isnan(high)
        axes.vlines(place[spread], low[spread], high[spread], color=PALETTE[0], linewidth=2)
        axes.plot(np.tile(place[spread], 2), np.concatenate([low[spread], high[spread]]),
                  linestyle='none', marker='_', markersize=9, color=PALETTE[0])
        axes.plot(place[known], value[known], linestyle='none', marker='o', markersize=7,
                  color=PALETTE[0], label='measured')
        if not known.any():
            axes.text(.5, .5, 'no value', transform=axes.transAxes, ha='center', color=INK)
        if number == 0 and len(published):
            paper = np.array(published, dtype=np.float64)
            there = ~np.isnan(paper)
            handles['published'], = axes.plot(
                place[there] + _ASIDE, paper[there], linestyle='none', marker='D', markersize=6,
                markerfacecolor='none', markeredgecolor=PALETTE[1], markeredgewidth=1.6,
                label='published (other data)')
            handles['measured'] = axes.get_lines()[1]
        if title in chance:
            handles['chance'] = axes.axhline(chance[title], color=INK, alpha=.6, linewidth=1.2,
                                             linestyle='--', label='chance')
        axes.set_title(textwrap.fill(title, 44))
        axes.margins(y=.12)
        axes.set_xlim(-.5, len(labels) - .5)
        dress(axes)
        axes.grid(axis='y', alpha=.25)
    room = 230 / len(labels)  # points
    turned = max(map(len, labels)) * 5.2 > room
    panels[-1].set_xticks(place, labels)
    if turned:
        panels[-1].tick_params(axis='x', rotation=35 if room >= 20 else 90)
        for text in panels[-1].get_xticklabels():
            text.set(ha='right' if room >= 20 else 'center', rotation_mode='anchor')
    panels[-1].set_xlabel(xlabel)
    shown = [handles[name] for name in ('measured', 'published', 'chance') if name in handles]
    if shown:
        legend_above(figure, shown)
    return figure
