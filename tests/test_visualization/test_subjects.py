# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Dumbbells: every subject's markers are its numbers, in the order of the first model."""

import numpy as np
import pytest

from fmae_iat_plugin.visualization import plot_subject_f1


def scores(number, models=2, seed=0):
    rng = np.random.default_rng(seed)
    return {f'model {k}': rng.uniform(0, 100, number) for k in range(models)}


def names(number):
    return [f'SN{k:03d}' for k in range(number)]


def test_markers_lines_and_order(readable):
    given = scores(30, 3)
    first, second, third = given.values()
    first[[4, 9]] = second[[9, 11]] = third[[9]] = np.nan
    figure = plot_subject_f1(given, names(30))
    axes, = figure.axes
    order = sorted((k for k in range(30) if k not in (4, 9)), key=lambda k: -first[k]) + [4, 9]
    assert [text.get_text() for text in axes.get_yticklabels()] == [names(30)[k] for k in order]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # row 0, the best, on top
    for line, (model, values) in zip(axes.get_lines(), given.items()):
        assert line.get_label() == model and line.get_linestyle() == 'None'
        assert [tuple(point) for point in line.get_xydata()] == [
            (values[k], row) for row, k in enumerate(order) if not np.isnan(values[k])]
    looks = {(line.get_color(), line.get_marker()) for line in axes.get_lines()}
    assert len(looks) == 3
    spans = {}
    for row, k in enumerate(order):
        known = [values[k] for values in given.values() if not np.isnan(values[k])]
        if known:
            spans[row] = (min(known), max(known))
    drawn = {segment[0, 1]: (segment[0, 0], segment[1, 0])
             for segment in axes.collections[0].get_segments()}
    assert drawn == spans and len(drawn) == 29
    assert axes.get_xlabel() == 'F1 (%)\nundefined: model 0 2, model 1 2, model 2 1'
    readable(figure)


@pytest.mark.parametrize('number', [1, 2, 50, 51, 400])
def test_height_grows_to_a_limit_and_names_end(readable, number):
    figure = plot_subject_f1(scores(number), names(number))
    axes, = figure.axes
    readable(figure)
    assert len(axes.get_yticklabels()) == (number if number <= 50 else 0)
    assert (axes.get_ylabel() == f'{number} subjects') == (number > 50)
    assert axes.get_xlabel() == 'F1 (%)'
    assert figure.get_figheight() <= 10
    assert figure.get_figheight() >= plot_subject_f1(scores(1), names(1)).get_figheight()


def test_markers_at_both_ends_are_whole():
    axes, = plot_subject_f1({'a': np.array([0., 100.])}, names(2)).axes
    axes.figure.canvas.draw()
    area, radius = axes.get_window_extent(), axes.get_lines()[0].get_markersize() / 2 * 100 / 72
    left, right = sorted(axes.transData.transform([(0, 0), (100, 0)])[:, 0])
    assert left - area.x0 >= radius * .9 and area.x1 - right >= radius * .9


def test_errors():
    with pytest.raises(ValueError, match=r"'model 1' has the shape \(3,\); 2 names"):
        plot_subject_f1({'model 0': np.ones(2), 'model 1': np.ones(3)}, names(2))
    with pytest.raises(ValueError, match="'a' holds -1..3"):
        plot_subject_f1({'a': np.array([-1., 3, np.nan])}, names(3))
    with pytest.raises(ValueError, match='no model'):
        plot_subject_f1({}, names(2))
