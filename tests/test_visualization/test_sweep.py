# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Sweeps: markers, intervals and lines lie where the numbers say."""

import math

import numpy as np
import pytest

from fmae_iat_plugin.visualization import plot_sweep

NAN = float('nan')
LAMBDAS = ['0', '0.02', '0.5', '1', '2', '3']
F1 = [(45, 44, 48), (46, 43, 49), (NAN, NAN, NAN), (48, 41, 51), (49, NAN, NAN), (50, 39, 53)]
PROBE = [(90. - 12 * k, 86. - 12 * k, 93. - 12 * k) for k in range(6)]


def by_marker(axes, marker):
    found, = (line for line in axes.get_lines() if line.get_marker() == marker)
    return found


def test_values_intervals_chance_and_published(readable):
    figure = plot_sweep(LAMBDAS, {'F1 (%)': F1, 'identity (%)': PROBE}, 'lambda',
                        {'identity (%)': 4.8}, [64.1, 64.7, 66.0, 66.6, None, NAN])
    upper, lower = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ['F1 (%)', 'identity (%)']
    for axes, rows in ((upper, F1), (lower, PROBE)):
        assert [tuple(point) for point in by_marker(axes, 'o').get_xydata()] == [
            (k, row[0]) for k, row in enumerate(rows) if not math.isnan(row[0])]
        bars = [tuple(map(tuple, segment)) for segment in axes.collections[0].get_segments()]
        assert bars == [((k, row[1]), (k, row[2])) for k, row in enumerate(rows)
                        if not math.isnan(row[1])]
        caps = {tuple(point) for point in by_marker(axes, '_').get_xydata()}
        assert caps == {point for bar in bars for point in bar}
        low, high = axes.get_ylim()
        assert low < min(bar[0][1] for bar in bars) and max(bar[1][1] for bar in bars) < high
    paper = by_marker(upper, 'D')
    assert paper.get_markerfacecolor() == 'none'  # hollow
    np.testing.assert_array_equal(paper.get_ydata(), [64.1, 64.7, 66.0, 66.6])
    assert [round(x) for x in paper.get_xdata()] == [0, 1, 2, 3]
    assert not any(line.get_marker() == 'D' for line in lower.get_lines())
    chance = [line for line in lower.get_lines() if line.get_label() == 'chance']
    assert [set(line.get_ydata()) for line in chance] == [{4.8}]
    assert chance[0].get_linestyle() == '--' and lower.get_ylim()[0] < 4.8
    assert not any(line.get_label() == 'chance' for line in upper.get_lines())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        'measured', 'published (other data)', 'chance']
    assert [text.get_text() for text in lower.get_xticklabels()] == LAMBDAS
    assert lower.get_xlabel() == 'lambda' and not upper.get_xlabel()
    readable(figure)
    above, below = (axes.get_window_extent() for axes in figure.axes)
    assert above.y0 > below.y1 and abs(above.x0 - below.x0) < 1  # stacked in one column


@pytest.mark.parametrize('labels', [
    ['plain fine-tuning', 'gradient reversal', 'mixup, 0.8', 'label smoothing 0.1', 'EMA'],
    [f'a long variant {k}' for k in range(10)], [f'variant {k}' for k in range(18)]])
def test_long_labels_are_turned_and_stay_apart(readable, labels):
    figure = plot_sweep(labels, {'F1 (%)': [(50, 40, 60)] * len(labels)}, 'variant')
    readable(figure)
    texts = figure.axes[0].get_xticklabels()
    angle = math.radians(texts[0].get_rotation())
    places = figure.axes[0].transData.transform([(k, 40) for k in range(len(labels))])[:, 0]
    apart = (places[1] - places[0]) * math.sin(angle)
    assert angle > 0 and apart >= texts[0].get_fontsize() * figure.dpi / 72
    assert not figure.legends


def test_a_panel_without_value_says_so(readable):
    figure = plot_sweep(['a', 'b'], {'F1 (%)': [(NAN, NAN, NAN)] * 2, 'x': [(1, 0, 2)] * 2}, 'x')
    assert [[text.get_text() for text in axes.texts] for axes in figure.axes] == [['no value'], []]
    readable(figure)


def test_errors():
    with pytest.raises(ValueError, match=r"'F1' has the shape \(6, 3\); 2 labels"):
        plot_sweep(['0', '1'], {'F1': F1}, 'lambda')
    with pytest.raises(ValueError, match="'F1', '1': low 3 is above high 2"):
        plot_sweep(['0', '1'], {'F1': [(1, 0, 2), (1, 3, 2)]}, 'lambda')
    with pytest.raises(ValueError, match=r"chance names \['f1'\]"):
        plot_sweep(LAMBDAS, {'F1': F1}, 'lambda', {'f1': 3.})
    with pytest.raises(ValueError, match='1 published numbers do not fit 6'):
        plot_sweep(LAMBDAS, {'F1': F1}, 'lambda', published=[3.])
    with pytest.raises(ValueError, match='no sweep'):
        plot_sweep([], {'F1': []}, 'lambda')
