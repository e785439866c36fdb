# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Foreign tables: every way of spelling, and the real label lists where they are."""


import numpy as np
import pytest
from small_releases import Result, write_picture, write_text

from fmae_iat_plugin.converters import ConversionError, Mapping, convert_csv_table
from fmae_iat_plugin.converters.csv_table import read_table
from fmae_iat_plugin.datasets import BP4D, DISFA


@pytest.mark.parametrize('header', ['image,au1,au12', 'image_path,AU01,AU12', ' path, AU1_c , AU12',
                                    'Input,AU_1,Au12_r', 'FILENAME,AU1_occ,AU012_int'])
def test_spellings(tmp_path, header):
    table = write_text(tmp_path / 't.csv', header, 'a/b.jpg,1,2.5', 'a\\c.jpg,,0')
    got = read_table(table, Mapping(subject_pattern='^[^/]+'))
    assert got.images == ['a/b.jpg', 'a/c.jpg'] and got.aus == (1, 12)
    assert got.columns['subject'] == ['a', 'a']
    np.testing.assert_array_equal(got.labels, [[1, 2.5], [np.nan, 0]])


@pytest.mark.parametrize('lines', [
    [',image,AU1', '0,a.jpg,1', '1,b.jpg,0'], ['Unnamed: 0,image,AU1', '5,a.jpg,1', '6,b.jpg,0'],
    ['image,AU1', '1,a.jpg,1', '2,b.jpg,0']])
def test_stray_index_column(tmp_path, lines):
    got = read_table(write_text(tmp_path / 't.csv', *lines), Mapping())
    assert got.images == ['a.jpg', 'b.jpg'] and got.labels.ravel().tolist() == [1, 0]
    assert 'columns not used' in got.notes[0]


def test_missing_codes(tmp_path):
    table = write_text(tmp_path / 't.csv', 'image,AU1,AU2', 'a.jpg,9,-1', 'b.jpg,9.0,nan',
                       'c.jpg,1,NA')
    got = read_table(table, Mapping(missing=('9', '-1')))
    np.testing.assert_array_equal(got.labels, [[np.nan] * 2, [np.nan] * 2, [1, np.nan]])
    got = read_table(table, Mapping())
    assert got.images == ['c.jpg'] and [s.line for s in got.skipped] == [2, 3]
    assert '--missing' in got.skipped[0].detail


def test_two_columns_of_an_au_are_not_chosen_between(tmp_path):
    table = write_text(tmp_path / 't.csv', 'image,AU01_r, AU01_c', 'a.jpg,2.5,1')
    with pytest.raises(ConversionError, match='--au-suffix'):
        read_table(table, Mapping())
    assert read_table(table, Mapping(suffix='r')).labels.item() == 2.5
    assert read_table(table, Mapping(suffix='c')).labels.item() == 1


def test_columns_patterns_and_images(tmp_path):
    table = write_text(tmp_path / 't.csv', 'pic,person,clip,no,light,AU4',
                       'root/x/1.jpg,anna,c1,1,day,1', 'root/x/2.jpg,ben,c2,2,night,0',
                       'root/x/3.jpg,ben,c2,3,night,0', 'root/x/2.jpg,ben,c2,2,night,0',
                       'root/x/4.jpg,ben,c2,4,night,0', 'root/x/4.jpg,ben,c2,4,night,1',
                       'root/../5.jpg,ben,c2,4,night,1')
    for number in (1, 2, 4, 9):
        write_picture(tmp_path / f'pics/x/{number}.jpg', number)
    mapping = Mapping(image='pic', subject='person', sequence='clip', frame_pattern=r'(\d+)\.jpg',
                      strip='root/', keep=('light',))
    convert_csv_table(str(table), str(tmp_path / 'out'), mapping, images=str(tmp_path / 'pics'))
    got = Result(tmp_path / 'out')
    assert got.rows(4) == [('anna', 'c1', '1', 1.0), ('ben', 'c2', '2', 0.0)]
    assert got.table.frame['light'].tolist() == ['day', 'night'] and got.pictured() == [1, 2]
    assert sorted(got.reasons()) == [
        ('contradictory labels of one frame', 'x/4.jpg', 't.csv', '6'),
        ('contradictory labels of one frame', 'x/4.jpg', 't.csv', '7'),
        ('duplicate frame', 'x/2.jpg', 't.csv', '5'),
        ('image without label', 'x/9.jpg', '9.jpg', ''),
        ('labelled frame without image', 'x/3.jpg', 't.csv', '4'),
        ('unreadable line', 'line 8', 't.csv', '8')]


@pytest.mark.parametrize('text, message', [
    ('image,AU1\n', 'no header with rows'), ('picture,AU1\na,1\n', 'no image column'),
    ('image,joy\na,1\n', 'no AU column'), ('image,AU1,au01\na,1,1\n', 'stands twice'),
    ('image,AU1\n"a,1\n', 'not readable as CSV')])
def test_tables_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / 't.csv'
    path.write_text(text)
    with pytest.raises(ConversionError, match=rf't.csv, line \d+: .*{message}'):
        read_table(path, Mapping())
    with pytest.raises(ConversionError, match='no labelled frame'):
        convert_csv_table(str(path), str(tmp_path / 'out'))
    with pytest.raises(ConversionError, match='not a regular expression'):
        convert_csv_table(str(path), str(tmp_path / 'out'), Mapping(subject_pattern='('))


REAL = {'bp4d': (BP4D, r'/([FM]\d{3})/', 41, [50579, 50157, 45687],
                 [21.1, 17.0, 20.3, 46.1, 54.9, 59.4, 56.2, 46.6, 16.9, 34.4, 16.5, 15.1]),
        'disfa': (DISFA, r'/(SN\d{3})/', 27, [43545, 43605, 43161],
                  [5.0, 4.0, 15.0, 7.9, 4.2, 12.9, 27.8, 8.9])}


@pytest.mark.parametrize('name', REAL)
def test_real_label_lists_give_the_published_prevalence(tmp_path, real_data, name):
    dataset, pattern, subjects, folds, prevalence = REAL[name]
    if not (real_data / 'au_labels').is_dir():
        pytest.skip(f'no real label lists in {real_data}')
    summary = convert_csv_table(
        str(real_data / 'au_labels'), str(tmp_path / 'out'), Mapping(subject_pattern=pattern),
        glob=f'{name}_part*', reference=name)
    assert summary['subjects'] == subjects and summary['compared'] and not summary['warnings']
    assert [f['frames'] for f in summary['folds'].values()] == folds
    found = [unit['prevalence'] for unit in summary['action_units']]
    np.testing.assert_allclose(found, prevalence, atol=0.0501)  # published to 0.1
    data = dataset('annotation.csv', data_root=str(tmp_path / 'out'), fold=1, split='test',
                   intensity_threshold=None, check_images=False, pipeline=[])
    assert len(data) == folds[0]
