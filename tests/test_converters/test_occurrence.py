# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Occurrence tables: headers, contradictions, frames; test_fuzz.py reads edited files."""

import numpy as np
import pytest

from fmae_iat_plugin.converters.base import ConversionError
from fmae_iat_plugin.converters.bp4d import named_columns
from fmae_iat_plugin.converters.bp4dplus import POSITIONS, positional_columns
from fmae_iat_plugin.converters.occurrence import read_occurrence


def test_duplicate_and_contradictory_frames(tmp_path):
    path = tmp_path / 'F001_T1.csv'
    path.write_text('0,1,12\n7,1,9\n8,0,1\n7,1,9\n8,1,1\n9,0,0\n')
    read = read_occurrence(path, 'F001/T1', named_columns)
    assert read.frames == [7, 9] and read.where == [(str(path), 2), (str(path), 6)]
    assert [(s.item, s.reason, s.line) for s in read.skipped] == [
        ('F001/T1/7', 'duplicate frame', 4),
        ('F001/T1/8', 'contradictory labels of one frame', 3),
        ('F001/T1/8', 'contradictory labels of one frame', 5)]


@pytest.mark.parametrize('header, aus, frame', [
    (','.join(map(str, range(100))), 42, 0),  # the original: column N is AU N
    ('0,2,1,4', (1, 2, 4), 0),  # re-released: names, in any order
    ('frame,AU01,AU2,AU12_c', (1, 2, 12), 0),
    ('Unnamed: 0,0,1,2', (1, 2), 1),  # with a stray index
])
def test_headers_are_read_by_name(tmp_path, header, aus, frame):
    columns = named_columns(header.split(','), tmp_path)
    assert columns.frame == frame
    if isinstance(aus, int):
        assert all(place == au for place, au in columns.aus) and (12, 12) in columns.aus
        assert (3, 3) not in columns.aus and '3, 8' in columns.notes[0]
    else:
        assert tuple(au for _, au in columns.aus) == aus
        names = [''.join(filter(str.isdigit, c)).lstrip('0') for c in header.split(',')]
        assert all(names[place] == str(au) for place, au in columns.aus)


@pytest.mark.parametrize('header, message', [
    ('1,2,4', '0 frame columns'), ('0,1,1,2', 'AU1 names the columns 2 and 3'),
    ('0,eyes', "'eyes', which names no AU"), ('0,3,8', 'names no AU')])
def test_headers_that_make_no_sense(tmp_path, header, message):
    with pytest.raises(ConversionError, match=f'x.csv, line 1: .*{message}'):
        named_columns(header.split(','), tmp_path / 'x.csv')


def test_positions_of_bp4dplus(tmp_path):
    """The AU of each column stands in the order that the release documents."""
    header = '1,1,2,4,5,6,7,9,10,11,12,13,14,15,16,17,18,19,20,22,23,24,' + \
        ','.join(map(str, range(27, 40)))  # "1" twice: names are of no use
    cells = ['9'] * 34
    cells[10 - 1] = cells[33] = '1'  # 1 2 4 5 6 7 9 10 11 12: the tenth
    path = tmp_path / 'F001_T1.csv'
    for first in (header, ','.join(f'col{i}' for i in range(35))):
        path.write_text(f'{first}\n5,{",".join(cells)}\n')
        read = read_occurrence(path, 'F001/T1', positional_columns)
        positive = [au for au, label in zip(read.aus, read.labels[0]) if label == 1]
        assert positive == [12, 39] and np.isnan(read.labels[0]).sum() == 32
    path.write_text(f'5,{",".join(cells)}\n6,{",".join(cells)}\n')  # no header at all
    assert read_occurrence(path, 'F001/T1', positional_columns).frames == [5, 6]
    assert len(POSITIONS) == 34


def test_positional_columns_believe_spelled_names_only(tmp_path):
    assert positional_columns(['frame', 'AU12', 'AU1'], tmp_path).aus == ((2, 1), (1, 12))
    with pytest.raises(ConversionError, match='3 columns, expected 35'):
        positional_columns(['0', '1', '2'], tmp_path)
