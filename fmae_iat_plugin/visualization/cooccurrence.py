# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Heat maps of which action units occur together, one for the labels and one for each model.

Rows are the given action unit, and columns are the one that is then present as well. The colour map
is cividis (Nunez, Anderton and Renslow, 2018), whose lightness grows evenly, also for colour-blind
readers and in grey print.
"""

import textwrap
from typing import Mapping, Optional, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import PercentFormatter

from .style import INK, dress, legend_above, new_figure

MAX_NUMBERS = 12  #: largest number of action units for which the cells show their percentage
UNDEFINED = {'facecolor': '#D9D9D9', 'edgecolor': '#9A9A9A', 'hatch': '////', 'linewidth': 0}
DARK, LIGHT = '#101010', '#FFFFFF'


def luminance(rgb: Sequence[float]) -> float:
    """Relative luminance of a colour in 0..1 (WCAG 2.1)."""
    srgb = np.asarray(rgb[:3], dtype=np.float64)
    linear = np.where(srgb <= .04045, srgb / 12.92, ((srgb + .055) / 1.055) ** 2.4)
    return float(linear @ (.2126, .7152, .0722))


def _checked(matrices: Mapping[str, np.ndarray], number: int) -> Mapping[str, np.ndarray]:
    if not matrices or number < 2:
        raise ValueError(f'there is no co-occurrence to draw: {len(matrices)} matrices, {number} '
                         'action units; at least 1 and 2 are needed.')
    tables = {title: np.asarray(table, dtype=np.float64) for title, table in matrices.items()}
    for title, table in tables.items():
        if table.shape != (number, number):
            raise ValueError(f'{title!r} has the shape {table.shape}; {number} names need '
                             f'({number}, {number}).')
        if (table < 0).any() or (table > 1).any():
            raise ValueError(f'{title!r} holds {np.nanmin(table):g}..{np.nanmax(table):g}; '
                             'probabilities lie within 0..1.')
    return tables


def _draw(axes, table: np.ndarray, undefined: np.ndarray, fontsize: Optional[float]):
    """Draw the cells of one panel, and their numbers in percent if there is a font size."""
    number = len(table)
    shown = np.ma.masked_array(table, np.isnan(table) | np.eye(number, dtype=bool))
    edges = np.arange(number + 1)
    mesh = axes.pcolormesh(edges, edges, shown, cmap='cividis', vmin=0, vmax=1,
                           edgecolors='face', linewidth=.2)
    for row, column in np.argwhere(undefined):
        axes.add_patch(Rectangle((column, row), 1, 1, **UNDEFINED))
    for row, column in np.argwhere(~np.eye(number, dtype=bool)) if fontsize else ():
        dark, text = True, '–'
        if not undefined[row, column]:
            ground = luminance(mesh.cmap(table[row, column]))  # (L1 + .05) / (L2 + .05), WCAG
            dark = (ground + .05) ** 2 > (luminance([16 / 255] * 3) + .05) * 1.05
            text = f'{100 * table[row, column]:.0f}'
        axes.text(column + .5, row + .5, text, ha='center', va='center', fontsize=fontsize,
                  color=DARK if dark else LIGHT)
    return mesh


def plot_cooccurrence(matrices: Mapping[str, np.ndarray], names: Sequence[str],
                      columns: Optional[int] = None) -> Figure:
    """Draw one panel per matrix on one colour scale; the diagonal, always 1, is blank.

    Args:
        matrices: Title -> ``[C, C]``, row i, column j: P(j present | i present) in 0..1; NaN
            (hatched) if it is undefined.
        names: Names of the C action units.
        columns: Panels per row. Default: 2 if their text is readable on a phone (C <= 8), else 1.

    Raises:
        ValueError: If a matrix does not fit the names or leaves 0..1, or there is no matrix, or
            only one AU.
    """
    number = len(names)
    tables = _checked(matrices, number)
    columns = min(columns or (2 if number <= 8 else 1), len(tables))
    rows = -(-len(tables) // columns)
    cell = max(.25, min(1., (4.2 / columns - .6) / number)) if number <= MAX_NUMBERS \
        else max(.11, 3.5 / number)
    side = cell * number
    figure = new_figure(max(4.2, columns * (side + .15) + .65), rows * (side + .85) + .9)
    figure.set_layout_engine('compressed', h_pad=.08)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(tables):]:
        axes.remove()
    panels = panels[:len(tables)]
    any_undefined = False
    for place, (axes, (title, table)) in enumerate(zip(panels, tables.items())):
        undefined = np.isnan(table) & ~np.eye(number, dtype=bool)
        any_undefined |= bool(undefined.any())
        mesh = _draw(axes, table, undefined,
                     min(9., cell * 72 / 2.2) if number <= MAX_NUMBERS else None)
        axes.set(title=textwrap.fill(title, max(8, int(side * 72 / 5.6))), xlabel='then',
                 ylabel='' if place % columns else 'given', xlim=(0, number), ylim=(number, 0),
                 aspect='equal')
        wide = max(map(len, names)) * 5.5 > cell * 72
        axes.set_xticks(np.arange(number) + .5, names, rotation=90 if wide else 0)
        axes.set_yticks(np.arange(number) + .5, [] if place % columns else names)
        dress(axes)
        axes.tick_params(length=0, labelsize=max(6., min(9., cell * 72 - 2)))
        for spine in axes.spines.values():
            spine.set_visible(False)
    bar = figure.colorbar(mesh, ax=list(panels), orientation='horizontal', shrink=.9, aspect=30,
                          pad=.02, ticks=[0, .25, .5, .75, 1], format=PercentFormatter(1))
    bar.outline.set_visible(False)
    bar.set_label("of the frames with 'given', share that has 'then'", fontsize=9, color=INK)
    bar.ax.tick_params(colors=INK, labelsize=9)
    if any_undefined:
        legend_above(figure, [Patch(label="undefined: 'given' never occurs", **UNDEFINED)])
    return figure
