# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Reliability diagram: its points are the bins, its steps the shares of the labels."""

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from fmae_iat_plugin.visualization import plot_reliability


def curve(bins=10, seed=0, empty=()):
    """Bins counted by hand."""
    rng = np.random.default_rng(seed)
    score = rng.random(3000) ** 2
    label = rng.random(3000) < score
    predicted, observed, number = [], [], []
    for b in range(bins):
        here = (score >= b / bins) & (score < (b + 1) / bins) & (b not in empty)
        number.append(here.sum())
        predicted.append(score[here].mean() if here.any() else np.nan)
        observed.append(label[here].mean() if here.any() else np.nan)
    return np.array(predicted), np.array(observed), np.array(number)


def test_points_and_steps_are_the_bins(readable):
    given = {'FMAE': curve(), 'FMAE-IAT': curve(15, 1, empty=(3, 14))}
    figure = plot_reliability(given)
    upper, lower = figure.axes
    lines = {line.get_label(): line for line in upper.get_lines()}
    assert list(lines) == ['FMAE', 'FMAE-IAT', 'perfect']
    for name, (predicted, observed, number) in given.items():
        x, y = lines[name].get_data()
        np.testing.assert_array_equal(x, predicted[number > 0])
        np.testing.assert_array_equal(y, observed[number > 0])
    assert len(lines['FMAE-IAT'].get_xdata()) == 13
    np.testing.assert_array_equal(*lines['perfect'].get_data())
    steps = {step.get_label(): step for step in lower.patches if isinstance(step, StepPatch)}
    for name, (_, _, number) in given.items():
        values, edges, _ = steps[name].get_data()
        np.testing.assert_allclose(values, number / number.sum() * 100)
        assert values.sum() == pytest.approx(100)
        np.testing.assert_allclose(edges, [b / len(number) for b in range(len(number) + 1)])
        assert steps[name].get_edgecolor()[:3] == pytest.approx(
            tuple(int(lines[name].get_color()[k:k + 2], 16) / 255 for k in (1, 3, 5)))
        assert lower.get_ylim()[0] == 0 and values.max() <= lower.get_ylim()[1]
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker())
             for line in upper.get_lines()}
    assert len(looks) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(lines)
    readable(figure)


def test_many_long_names_stay_inside(readable):
    name = 'fine-tuning with identity adversarial training, lambda'
    readable(plot_reliability({f'{name} = {k}': curve(seed=k) for k in range(5)}))


@pytest.mark.parametrize('change,message', [
    (lambda p, o, n: (p, o), "'x' has 2 arrays"),
    (lambda p, o, n: (p, o[:-1], n), r'shapes \(10,\), \(9,\), \(10,\)'),
    (lambda p, o, n: (p[::-1], o, n), 'bin 0 of 10 covers 0..0.1'),
    (lambda p, o, n: (p * np.nan, o, n), 'bin 0 of 10'),
    (lambda p, o, n: (p, o * 100, n), 'must lie in 0..1'),
    (lambda p, o, n: (p, o, n * 0), 'at least one label'),
    (lambda p, o, n: (p, o, -n), 'negative')])
def test_errors(change, message):
    with pytest.raises(ValueError, match=message):
        plot_reliability({'x': change(*curve())})
    with pytest.raises(ValueError, match='no curve'):
        plot_reliability({})
