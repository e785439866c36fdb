# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Occurrence tables: against a brute-force reader, on tables that are whole and on damaged ones."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmae_iat_plugin.datasets.converters.bp4d import named_columns
from fmae_iat_plugin.datasets.converters.bp4dplus import POSITIONS, positional_columns
from fmae_iat_plugin.datasets.converters.occurrence import read_occurrence
from fmae_iat_plugin.datasets.converters.records import ConversionError


def brute_force(data: bytes, aus):
    """frame -> labels of a table with the columns frame, *aus; None = the file is unusable."""
    try:
        lines = [line.split(',') for line in data.decode('utf-8-sig').split('\n')]
    except UnicodeDecodeError:
        return None
    codes = {'0': 0, '0.': 0, '1': 1, '1.': 1, '9': -1, '9.': -1}
    seen = defaultdict(list)
    for cells in lines[1:]:
        cells = [cell.strip() for cell in cells]
        cells = [c.rstrip('0') if '.' in c else c for c in cells]
        if len(cells) != len(aus) + 1 or not cells[0].rstrip('.').isascii():
            continue
        frame = cells[0][:-1] if cells[0].endswith('.') else cells[0]
        if not frame.isdigit() or len(frame) > 9 or any(c not in codes for c in cells[1:]):
            continue
        seen[int(frame)].append(tuple(codes[c] for c in cells[1:]))
    return {frame: rows[0] for frame, rows in sorted(seen.items()) if len(set(rows)) == 1}


AUS = (1, 2, 4, 12)
CELL = st.sampled_from(['0', '1', '9', '0', '1', '9', '1.0', ' 1', '7', '', '-1', 'x', '01', '9.0'])
ROW = st.tuples(st.sampled_from(['1', '2', '3', '40', '5.0', 'x', '', '0', '²']),
                st.lists(CELL, min_size=3, max_size=5)).map(lambda r: ','.join([r[0], *r[1]]))


@st.composite
def tables(draw):
    lines = ['0,1,2,4,12', *draw(st.lists(ROW, max_size=8))]
    data = bytearray(draw(st.sampled_from(['\n', '\r\n'])).join(lines).encode())
    body = data.index(b'\n') + 1 if b'\n' in data else len(data)
    for _ in range(draw(st.integers(0, 2))):
        if len(data) > body:
            place = draw(st.integers(body, len(data) - 1))
            noise = st.sampled_from([b'', b'\xff', b',', b'\x00', b'\n', b'9'])
            data[place:place + 1] = draw(noise)
    return bytes(data)


@settings(max_examples=300, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=tables())
def test_equals_brute_force_or_is_a_clear_error(tmp_path, data):
    path = tmp_path / 'F001_T1.csv'
    path.write_bytes(data)
    expected = brute_force(data, AUS)
    if expected is None:
        with pytest.raises(ConversionError, match=r'F001_T1.csv, line \d+: byte 0x'):
            read_occurrence(path, 'F001/T1', named_columns)
        return
    read = read_occurrence(path, 'F001/T1', named_columns)
    found = dict(zip(read.frames, map(tuple, np.nan_to_num(read.labels, nan=-1).tolist())))
    assert found == expected
    # every line is a row or in the list
    lines = [number for number, line in enumerate(data.decode('utf-8-sig').split('\n')[1:], 2)
             if line.strip()]
    assert sorted({line for _, line in read.where} | {s.line for s in read.skipped}) == lines


@settings(max_examples=200, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200) | st.text(alphabet='019,AU\n\r .9', max_size=200).map(
    lambda t: t.encode()))
def test_any_bytes_give_a_result_or_a_clear_error(tmp_path, data):
    path = tmp_path / 'F001_T1.csv'
    path.write_bytes(data)
    for columns in (named_columns, positional_columns):
        try:
            read = read_occurrence(path, 'F001/T1', columns)
        except ConversionError as error:
            assert str(error).startswith(f'{path}, line ')
        else:
            assert read.labels.shape == (len(read.frames), len(read.aus))


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
