# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Adversaries beside each other: every line lies where its numbers say."""

import numpy as np
import pytest

from fmae_iat_plugin.visualization.games import plot_games, plot_over

GAMES = {'bce': dict(loss=[[1, 2], [.8, .6]], floor=[[1, 2], [.2, .2]], head=[[2], [3.]],
                     fresh=[[2], [80.]], chance=[[2], [5.]]),
         'ce': dict(loss=[[1, 2], [.3, .1]], floor=[[1, 2], [.1, .1]])}


def lines(axes):
    return [tuple(map(tuple, line.get_xydata())) for line in axes.get_lines()]


def test_losses_over_their_floor_and_accuracies(readable):
    figure = plot_games(GAMES)
    loss, named = figure.axes
    drawn = lines(loss)
    for expected in ([(1, 4), (2, 3)], [(1, 3), (2, 1)]):
        assert any(np.allclose(line, expected) for line in drawn)
    assert any(np.allclose([y for _, y in line], 1) for line in drawn)  # the floor itself
    assert ((2., 80.), ) in lines(named) and ((2., 3.), ) in lines(named)
    dashes = {line.get_xydata()[0, 1]: line.get_linestyle() for line in named.get_lines()}
    assert dashes[80.] == '-' and dashes[3.] == ':'
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['bce', 'ce']
    readable(figure)


def test_lines_over_settings_leave_out_what_was_not_run(readable):
    figure = plot_over(['0', '1'], {'AUC (%)': {'a': [(50, 40, 60), (70, 65, 75)],
                                                'b': [None, (80, 79, 81)]}}, 'shortcut')
    axes, = figure.axes
    values = [line.get_ydata().tolist() for line in axes.get_lines()]
    assert values == [[50, 70], [80]]
    spans = [segment[:, 1].tolist() for bars in axes.collections for segment in bars.get_segments()]
    assert spans == [[40, 60], [65, 75], [79, 81]]
    assert [round(x) for x in axes.get_lines()[1].get_xdata()] == [1]
    assert axes.get_xlabel() == 'shortcut'
    readable(figure)


def test_nothing_to_draw_is_said():
    with pytest.raises(ValueError, match='no game'):
        plot_games({})
    with pytest.raises(ValueError, match='no number'):
        plot_over(['0'], {}, '')
    with pytest.raises(ValueError, match="'a' has 1 points for 2"):
        plot_over(['0', '1'], {'AUC': {'a': [None]}}, '')
