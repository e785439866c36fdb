# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the AU tokens look at, beside which action units occur together in the labels."""

from typing import Sequence

import numpy as np
from matplotlib.figure import Figure

from .style import dress, new_figure


def plot_relation(attention: np.ndarray, cooccurrence: np.ndarray,
                  names: Sequence[str]) -> Figure:
    """Two tables side by side, each on its own scale.

    Args:
        attention: ``[A, A]``, row i: how much AU i looks at each AU; rows sum to 1.
        cooccurrence: ``[A, A]``, row i: how often each AU is present where AU i is, within 0..1;
            NaN where AU i never is.
        names: Of the A action units.

    Raises:
        ValueError: If a table does not fit the names.
    """
    number = len(names)
    for title, table in (('attention', attention), ('co-occurrence', cooccurrence)):
        if np.shape(table) != (number, number):
            raise ValueError(f'the table of {title} has the shape {np.shape(table)}; {number} '
                             f'names need ({number}, {number}).')
    figure = new_figure(4.2, 2.7)
    panels = figure.subplots(1, 2)
    off = np.eye(number, dtype=bool)
    for axes, title, table, label in (
            (panels[0], 'relation', attention, 'attention'),
            (panels[1], 'labels', cooccurrence, 'share present')):
        shown = np.ma.masked_array(table, off | np.isnan(table))
        picture = axes.imshow(shown, cmap='cividis', vmin=0)
        axes.set(title=title, xlabel='AU j')
        axes.set_xticks(range(number), [name.removeprefix('AU') for name in names], fontsize=7)
        axes.set_yticks(range(number), [name.removeprefix('AU') for name in names], fontsize=7)
        dress(axes)
        axes.tick_params(length=0, labelsize=7)
        bar = figure.colorbar(picture, ax=axes, orientation='horizontal', shrink=.9, pad=.02)
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
    panels[0].set_ylabel('AU i')
    return figure
