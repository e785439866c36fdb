# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Stored predictions read back; pooled folds against scikit-learn on the joined arrays."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import f1_score

from fmae_iat_plugin.evaluation.predictions import (
    Predictions,
    pool_predictions,
    read_predictions,
)


def write(folder, name, seed, classes=('AU1', 'AU12'), first=0, count=40):
    generator = np.random.default_rng(seed)
    arrays = dict(
        scores=generator.random((count, len(classes)), dtype=np.float32),
        labels=generator.integers(0, 2, (count, len(classes))).astype(np.float32),
        subject=generator.integers(0, 5, count), classes=np.array(classes),
        img_path=np.array([f'{i}.jpg' for i in range(first, first + count)]))
    np.savez(folder / name, **arrays)
    return arrays


def test_pooled_f1_is_that_of_the_joined_frames(tmp_path, repo):
    folds = [write(tmp_path, f'{k}.npz', seed=k, first=100 * k, count=30 + k) for k in range(3)]
    paths = [str(tmp_path / f'{k}.npz') for k in range(3)]
    pooled = pool_predictions(paths)
    for key in ('scores', 'labels'):
        np.testing.assert_array_equal(getattr(pooled, key), np.concatenate([f[key] for f in folds]))
    expected = [100 * f1_score(pooled.labels[:, c], pooled.scores[:, c] >= 0.5) for c in (0, 1)]
    printed = subprocess.run(
        [sys.executable, repo / 'tools/analysis_tools/pool_folds.py', *paths, '--name', 'here'],
        capture_output=True, text=True, check=True).stdout
    assert f'F1@0.5 {np.mean(expected):5.1f}  AU1 {expected[0]:.1f}  AU12 {expected[1]:.1f}' \
        in printed
    assert '93 faces' in printed and '\nhere ' in '\n' + printed


def test_overlapping_folds_are_an_error(tmp_path):
    write(tmp_path, 'a.npz', 0)
    write(tmp_path, 'b.npz', 1, first=39)
    with pytest.raises(ValueError, match=r"'39.jpg' is in both .*a.npz and .*b.npz. Remedy"):
        pool_predictions([str(tmp_path / 'a.npz'), str(tmp_path / 'b.npz')])


def test_different_aus_are_an_error(tmp_path):
    write(tmp_path, 'a.npz', 0)
    write(tmp_path, 'b.npz', 1, classes=('AU1', 'AU2'), first=50)
    with pytest.raises(ValueError, match='b.npz has the AUs AU1, AU2, .*AU1, AU12. Remedy'):
        pool_predictions([str(tmp_path / 'a.npz'), str(tmp_path / 'b.npz')])


def test_predictions_file(tmp_path):
    rng = np.random.default_rng(0)
    labels = (rng.random((18, 2)) < 0.4).astype(np.float32)
    p = Predictions(rng.random((18, 2)), labels, np.repeat(np.arange(6) + 3, 3),
                    np.array([f'{k:03d}.png' for k in range(18)]), ('AU1', 'AU12'),
                    tuple(f'S{k}' for k in range(9)), np.full(2, .5))
    order = rng.permutation(18)
    arrays = dict(scores=p.scores[order], labels=p.labels[order], subject=p.subjects[order],
                  img_path=p.paths[order], classes=p.classes, subjects=p.names,
                  thresholds=p.thresholds)
    np.savez(tmp_path / 'p.npz', **arrays)
    back = read_predictions(tmp_path / 'p.npz')
    for got, expected in zip(back, p):
        np.testing.assert_array_equal(got, expected)
    np.savez(tmp_path / 'q.npz', **{**arrays, 'subject': np.full(18, -1)})
    with pytest.raises(ValueError, match='18 frames have no subject'):
        read_predictions(tmp_path / 'q.npz')
    with pytest.raises(FileNotFoundError, match='out_file'):
        read_predictions(tmp_path / 'absent.npz')


def test_thresholds_are_read_where_they_were_stored(tmp_path):
    arrays = write(tmp_path, 'a.npz', 0)
    assert read_predictions(tmp_path / 'a.npz').thresholds is None
    np.savez(tmp_path / 'b.npz', **arrays, thresholds=[.25, .75])
    assert read_predictions(tmp_path / 'b.npz').thresholds.tolist() == [.25, .75]
