# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Reliability diagram: the share of positive labels against the predicted probability.

Source: Guo et al., "On Calibration of Modern Neural Networks" (2017), Fig. 1.
"""

from typing import Mapping, Tuple

import numpy as np
from matplotlib.figure import Figure

from .style import DASHES, INK, MARKERS, PALETTE, dress, legend_above, new_figure


def _checked(name: str, curve: Tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """``[3, B]`` predicted, observed, number."""
    if len(curve) != 3:
        raise ValueError(f'{name!r} has {len(curve)} arrays; 3 are needed: predicted, observed, '
                         'number.')
    arrays = [np.asarray(array, dtype=np.float64) for array in curve]
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1 or arrays[0].ndim != 1 or not arrays[0].size:
        raise ValueError(f'{name!r}: predicted, observed and number have the shapes '
                         f'{", ".join(map(str, shapes))}; all need [B].')
    predicted, observed, number = arrays
    bins = len(number)
    if not (number >= 0).all() or not number.any():
        raise ValueError(f'{name!r}: numbers of labels {number.tolist()}; none may be negative or '
                         'NaN, and at least one label is needed.')
    filled = np.flatnonzero(number)
    inside = np.abs(predicted[filled] - (filled + .5) / bins) <= .5 / bins + 1e-4
    if not inside.all():
        bad = filled[~inside][0]
        raise ValueError(f'{name!r}: bin {bad} of {bins} covers {bad / bins:g}..'
                         f'{(bad + 1) / bins:g}, but its mean is {predicted[bad]:g}. Remedy: use '
                         'bins of equal width over 0..1.')
    if not ((observed[filled] >= 0) & (observed[filled] <= 1)).all():
        raise ValueError(f'{name!r}: shares of positives {observed[filled].tolist()} must lie '
                         'in 0..1.')
    return np.stack(arrays)


def plot_reliability(curves: Mapping[str, Tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Figure:
    """Draw one line per model, and below it the number of labels in each bin.

    Args:
        curves: Model -> (mean predicted probability ``[B]``, observed share of positives ``[B]``,
            number of AU labels ``[B]``), in B bins of equal width over 0..1, as
            :func:`~fmae_iat_plugin.evaluation.calibration.calibration` gives them. A bin without
            labels has no point.

    Raises:
        ValueError: If arrays do not fit each other or their bins, or there is no curve.
    """
    if not curves:
        raise ValueError('there is no curve to draw a reliability diagram of.')
    tables = {name: _checked(name, curve) for name, curve in curves.items()}
    figure = new_figure(4.2, 4.7)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    handles = []
    for number, (name, (predicted, observed, labels)) in enumerate(tables.items()):
        filled = labels > 0
        look = {'color': PALETTE[number % len(PALETTE)], 'label': name,
                'linestyle': DASHES[number % len(DASHES)]}
        handles += upper.plot(predicted[filled], observed[filled], linewidth=2, markersize=5,
                              marker=MARKERS[number % len(MARKERS)], **look)
        lower.stairs(100 * labels / labels.sum(), np.linspace(0, 1, len(labels) + 1),
                     linewidth=1.6, **look)
    handles += upper.plot([0, 1], [0, 1], color=INK, alpha=.55, linewidth=1,
                          linestyle=(0, (1, 2)), label='perfect', zorder=1)
    upper.set(ylabel='observed share of positives', xlim=(-.02, 1.02), ylim=(-.02, 1.02))
    lower.set(xlabel='mean predicted probability', ylabel='labels (%)')
    lower.set_ylim(bottom=0)
    for axes in (upper, lower):
        dress(axes)
        axes.grid(alpha=.25)
    legend_above(figure, handles)
    return figure
