# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Landmarks beside a table: written and read back, and what is wrong with them in words."""

import numpy as np
import pandas as pd
import pytest

from fmae_iat_plugin.datasets import AnnotationError
from fmae_iat_plugin.datasets.landmarks import (
    COLUMNS,
    parse_landmarks,
    read_landmarks,
    write_landmarks,
)
from fmae_iat_plugin.datasets.mean_shape import symmetric

POINTS = [np.random.default_rng(seed).uniform(0, 50, (68, 2)).round(2) for seed in range(2)]


def write(path):
    write_landmarks(path, ['a/1.png', 'b.png', 'c.png'], [(100, 50), ('', ''), (60, 60)],
                    [POINTS[0], None, POINTS[1]])
    return path


def test_what_is_written_is_read_as_fractions(tmp_path):
    found = read_landmarks(write(tmp_path / 'landmarks.csv'))
    assert set(found.points) == {'a/1.png', 'c.png'}
    wanted = [(POINTS[0] + 0.5) / (100, 50), (POINTS[1] + 0.5) / 60]
    np.testing.assert_allclose(found.of('a/1.png'), wanted[0], atol=1e-6)
    np.testing.assert_allclose(found.of('c.png'), wanted[1], atol=1e-6)
    np.testing.assert_allclose(found.of('b.png'), symmetric(np.mean(wanted, axis=0)), atol=1e-6)


def test_columns_are_openfaces(tmp_path):
    header = write(tmp_path / 'landmarks.csv').read_text().splitlines()[0].split(',')
    assert header[:4] == ['image', 'width', 'height', 'x_0'] and header[70:72] == ['x_67', 'y_0']


def frame(tmp_path, change):
    table = pd.read_csv(write(tmp_path / 'l.csv'), dtype=str, keep_default_na=False)
    change(table)
    table.to_csv(tmp_path / 'l.csv', index=False)
    return tmp_path / 'l.csv'


@pytest.mark.parametrize('change, words', [
    (lambda table: table.drop(columns='y_3', inplace=True),
     'no landmarks: column y_3 is missing. Remedy: .*find_landmarks.py'),
    (lambda table: table.__setitem__('x_4', ['1', '', 'left']),
     "l.csv, line 4: x_4 is 'left'. Remedy"),
    (lambda table: table.__setitem__('x_4', ['1', '2', '3']),
     'l.csv, line 3: only some of the 68 landmarks'),
    (lambda table: table.__setitem__(COLUMNS, ''), 'none of 3 faces has landmarks. Remedy')])
def test_wrong_files_in_words(tmp_path, change, words):
    with pytest.raises(AnnotationError, match=words):
        read_landmarks(frame(tmp_path, change))


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match='find_landmarks.py TABLE writes them'):
        read_landmarks(tmp_path / 'none.csv')


def test_a_table_without_landmarks_in_words():
    table = pd.DataFrame(dict(image=['a.png'], subject=['P']))
    with pytest.raises(AnnotationError, match='own.csv: no landmarks: column width, height, x_0, '
                                              "x_1, ... is missing. .*regions='mean'"):
        parse_landmarks(table, 'own.csv')
