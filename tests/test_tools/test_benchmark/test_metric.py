# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The metric benchmark runs, and refuses to report a time for results that differ."""
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parents[3] / 'tools' / 'benchmark' / 'metric.py'


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location('benchmark_metric', PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_labels(folder):
    header = 'image_path,' + ','.join(f'au{i}' for i in range(12))
    labels = np.random.default_rng(0).choice([0, 1, 9], size=(40, 12))
    for part in (1, 2):
        rows = [','.join([f'F001/{i}.jpg', *map(str, row)])
                for i, row in enumerate(labels[20 * part - 20:20 * part])]
        with gzip.open(folder / f'bp4d_part{part}.csv.gz', 'wt') as file:
            file.write('\n'.join([header, *rows]) + '\n')
    return labels


def test_reads_labels_and_agrees_with_scikit_learn(tool, tmp_path, capsys):
    labels = write_labels(tmp_path)
    np.testing.assert_array_equal(tool.load_labels(tmp_path), np.where(labels == 9, np.nan, labels))
    ratio = tool.main([str(tmp_path), '--repeats', '1'])
    text = capsys.readouterr().out
    assert '40 frames x 12 AUs' in text and f'ratio: {ratio:.0f}x' in text


def test_a_difference_stops_it(tool, monkeypatch):
    monkeypatch.setattr(tool, 'sklearn_sweep', lambda scores, labels: (0.5, np.zeros(12)))
    with pytest.raises(SystemExit, match='differ'):
        tool.main(['--frames', '20', '--repeats', '1'])


def test_a_folder_without_labels_is_named(tool, tmp_path):
    with pytest.raises(SystemExit, match='no bp4d_part'):
        tool.main([str(tmp_path)])
