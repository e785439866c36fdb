# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Scalars of real runs: resumed ones, killed ones, broken ones."""

import json

import numpy as np
import pytest
from mmengine.visualization import LocalVisBackend

from fmae_iat_plugin.visualization import metric_by_epoch, plot_by_epoch, read_scalars


def run(folder, time, rows):
    backend = LocalVisBackend(str(folder / time / 'vis_data'))
    for row in rows:
        row = dict(row)
        backend.add_scalars(row, step=row.pop('step'))
    return folder / time / 'vis_data' / 'scalars.json'


def test_a_resumed_run_is_one_curve(tmp_path):
    run(tmp_path, '20240101_000000', [
        {'loss': 1.0, 'epoch': 1, 'iter': 5, 'f1/mean': 99.0, 'step': 5},  # a training line
        {'f1/mean': 10.0, 'step': 1}, {'f1/mean': 20.0, 'step': 2}, {'f1/mean': 25.0, 'step': 3}])
    run(tmp_path, '20240102_000000', [{'f1/mean': 30.0, 'step': 3}, {'f1/mean': 40.0, 'step': 4}])
    epochs, values = metric_by_epoch(tmp_path, 'f1/mean')
    assert epochs.tolist() == [1, 2, 3, 4] and values.tolist() == [10, 20, 30, 40]


def test_a_line_cut_off_at_the_end_is_left_out_and_one_inside_is_an_error(tmp_path):
    file = run(tmp_path, '1', [{'f1/mean': 10.0, 'step': 1}, {'f1/mean': float('nan'), 'step': 2}])
    file.write_text(file.read_text() + '{"f1/mean": 3')
    assert np.isnan(metric_by_epoch(tmp_path, 'f1/mean')[1][1]) and len(read_scalars(tmp_path)) == 2
    file.write_text('{"f1\n' + json.dumps({'f1/mean': 1, 'step': 1}) + '\n')
    with pytest.raises(ValueError, match='scalars.json, line 1'):
        read_scalars(tmp_path)


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match='work-dir'):
        read_scalars(tmp_path)
    run(tmp_path, '1', [{'accuracy': 1.0, 'step': 1}])
    with pytest.raises(KeyError, match="reports accuracy, step, but not 'f1/mean'"):
        metric_by_epoch(tmp_path, 'f1/mean')


def test_plot_shows_the_values():
    curves = {'FMAE': (np.array([1, 2]), np.array([10.0, 30.0])),
              'FMAE-IAT': (np.array([1, 2, 3]), np.array([5.0, 15.0, 45.0]))}
    axes = plot_by_epoch(curves, 'F1 (%)', chance=7.0).axes[0]
    lines = axes.get_lines()
    for line, (epochs, values) in zip(lines, curves.values()):
        assert line.get_xdata().tolist() == epochs.tolist()
        assert line.get_ydata().tolist() == values.tolist()
    assert set(lines[2].get_ydata()) == {7.0}
    assert lines[0].get_color() != lines[1].get_color()
    assert lines[0].get_linestyle() != lines[1].get_linestyle()  # readable without colour
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        'FMAE', 'FMAE-IAT', 'chance']
