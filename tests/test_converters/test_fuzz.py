# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every parser on edited files: what the brute-force reader finds, or a clear error; no traceback.

    FMAE_FUZZ=10000 python -m pytest tests/test_datasets/test_converters/test_fuzz.py \\
        --hypothesis-show-statistics
"""

import gzip
import io
import json

import brute_force
import numpy as np
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from mutation import fuzzed, mutated, rows_of

from fmae_iat_plugin.converters import ConversionError
from fmae_iat_plugin.converters.bp4d import named_columns
from fmae_iat_plugin.converters.bp4dplus import POSITIONS, positional_columns
from fmae_iat_plugin.converters.csv_table import Mapping, read_table
from fmae_iat_plugin.converters.disfa import read_intensities
from fmae_iat_plugin.converters.fmae_json import read_list
from fmae_iat_plugin.converters.occurrence import read_occurrence
from fmae_iat_plugin.datasets.affectnet_code import read_code
from fmae_iat_plugin.datasets.rafdb import read_labels

pytestmark = pytest.mark.slow

AUS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)


def attempt(path, data, read, expected, error=ConversionError):
    """The result of ``read``; None if the file is unusable, which must be a clear error."""
    path.write_bytes(data)
    event('unusable' if expected is None else 'read')
    if expected is None:
        with pytest.raises(error) as caught:
            read(path)
        assert str(caught.value).startswith((f'{path}, line ', f'{path}: '))
        return None
    return read(path)


def values(labels) -> list:
    return [[None if v != v else v for v in row] for row in labels.tolist()]


def occurrence_row(header):
    width = len(header.split(',')) - 1 if header else 34
    cells = st.sampled_from(['0', '1', '0', '1', '9', '1.0', ' 0'])
    return st.tuples(st.sampled_from(['1', '2', '30', '4.0', '005']),
                     st.lists(cells, min_size=width, max_size=width)).map(
                         lambda r: ','.join([r[0], *r[1]]))


def check_occurrences(path, data, columns, positional):
    expected = brute_force.occurrences(data, positional)
    got = attempt(path, data, lambda p: read_occurrence(p, 'F001/T1', columns), expected)
    if got is not None:
        aus, rows, held = expected
        assert list(got.aus) == aus
        assert list(zip(got.frames, values(got.labels))) == sorted(rows.items())
        # every line is a row or in the list
        assert sorted({n for _, n in got.where} | {s.line for s in got.skipped}) == held


@fuzzed
@given(data=mutated(rows_of(['0,1,2,4,12', ','.join(map(str, range(100))), 'frame,AU1,AU12,AU25',
                             ',Frame,AU01_c,au4_occ'], occurrence_row), [b'AU', b'frame', b'_c']))
def test_bp4d(tmp_path, data):
    check_occurrences(tmp_path / 'F001_T1.csv', data, named_columns, False)


@fuzzed
@given(data=mutated(rows_of([','.join(map(str, ['1', *POSITIONS])), ','.join(map(str, range(35))),
                             None, 'frame,AU1,AU2'], occurrence_row), [b'AU1', b'frame']))
def test_bp4dplus(tmp_path, data):
    check_occurrences(tmp_path / 'F001_T1.csv', data, positional_columns, True)


@fuzzed
@given(data=mutated(rows_of([None], lambda _: st.tuples(
    st.sampled_from(['1', '2', '17', '004845']),
    st.sampled_from(['0', '3', '5', '2.0'])).map(','.join), 8)))
def test_disfa(tmp_path, data):
    expected = brute_force.intensities(data)
    got = attempt(tmp_path / 'SN001_au1.txt', data,
                  lambda path: read_intensities(path, 1, 'SN001'), expected)
    if got is not None:
        assert {f: None if v != v else v for f, (_, v) in got[0].items()} == expected


@fuzzed
@given(data=mutated(rows_of([None], lambda _: st.tuples(
    st.sampled_from(['train_00001.jpg', 'test_0002.jpg', 'train_3.png']),
    st.sampled_from([' 1', ' 7', '\t3', '  5 '])).map(''.join), 8), [b' 7', b'test_', b'\t']))
def test_rafdb(tmp_path, data):
    expected = brute_force.rafdb(data)
    got = attempt(tmp_path / 'list.txt', data, read_labels, expected, ValueError)
    if got is not None:
        assert {name: label + 1 for name, (_, label) in got[0].items()} == expected


def saved(value) -> bytes:
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


STORED = st.builds(
    lambda code, store: saved(np.array(store(code))), st.integers(-1, 12) | st.integers(0, 10),
    st.sampled_from([int, str, float, np.int8, np.float16, np.int64, '{:02d}'.format, bool,
                     '{}.0'.format, ' {}\n'.format, lambda c: [c], lambda c: [c, c],
                     lambda c: str(c).encode(), lambda c: f'x{c}']))
HEADER = [b'(1,)', b'()', b'<i8', b'<U2', b'|O', b'L']


@fuzzed
@given(data=mutated(STORED, HEADER, most=2) | mutated(STORED, kinds='g', most=2))
@example(data=saved(np.array('3'))[:129] + b'\x00\x11' + saved(np.array('3'))[130:])  # no Unicode
def test_affectnet(tmp_path, data):
    expected = brute_force.npy(data)
    got = attempt(tmp_path / 'a_exp.npy', data, read_code, expected, ValueError)
    assert got == expected


ENTRY = st.builds(
    lambda image, active, filler: json.dumps(dict(img_path=image, AUs=[
        *active, *([999] * filler)])),
    st.sampled_from(['2F01_T1/frame_1.jpg', '2M11_T2/frame_23.jpg', '2F23_T8\\x.png']),
    st.lists(st.sampled_from(AUS), unique=True, max_size=4), st.integers(0, 2))


@fuzzed
@given(data=mutated(rows_of([None], lambda _: ENTRY), [
    b'..', b'\\', b'[', b'{', b'}', b'null', b'true', b'1.0', b'999', b'NaN', b'"AUs"', b'\\u0000',
    b'\\ud800', b'9' * 5000, b'[' * 3000]))
def test_json_lines(tmp_path, data):
    expected = brute_force.json_lines(data, AUS)
    got = attempt(tmp_path / 'a.json', data, lambda path: read_list(path, 'bp4d', AUS), expected)
    if got is not None:
        assert list(zip(got.images, got.columns['subject'], got.labels.tolist())) == expected


def table_row(header):
    width = header.count(',') + (0 if header.startswith('img') else 1) - 1
    cells = st.sampled_from(['0', '1', '5', '2.5', '9', '', 'nan', '1e0', ' 1 ', '"1"', '.5'])
    return st.tuples(st.sampled_from(['a.jpg', '"b,c.jpg"', '/x\\d.png', '"say ""e"".jpg"']),
                     st.lists(cells, min_size=width, max_size=width)).map(
                         lambda r: ','.join([r[0], *r[1]]))


TABLES = rows_of(['image,AU1,AU2', 'img_path,au01_c,AU_4', 'path,light,AU12_r', 'file,AU1_c,AU1_r'],
                 table_row)


@fuzzed
@given(data=mutated(TABLES, [b'AU', b'_c', b'""', b'\n"', b'..', b'/', b'e5', b'inf', b'5.1'])
       .map(lambda data: (data, False))
       | mutated(TABLES.map(lambda data: gzip.compress(data, mtime=0))).map(lambda d: (d, True)))
@example(data=(b'image,AU1\r\n"b\r\nc.jpg",0\r\n', False))  # a line end within quotes is kept
def test_csv_table(tmp_path, data):
    data, packed = data
    expected = brute_force.table(data, packed)
    got = attempt(tmp_path / ('t.csv.gz' if packed else 't.csv'), data,
                  lambda path: read_table(path, Mapping(missing=('9',))), expected)
    if got is not None:
        aus, rows, number = expected
        assert list(got.aus) == aus
        assert got.images == [image for image, _ in rows]
        np.testing.assert_array_equal(got.labels, np.array(
            [v for _, v in rows], dtype=np.float32).reshape(-1, len(aus)))
        assert len(got.images) + len(got.skipped) == number
