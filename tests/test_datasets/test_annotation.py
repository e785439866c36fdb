# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The annotation table: read against a line-by-line parser, and each error in words."""

import csv

import numpy as np
import pandas as pd
import pytest

from fmae_iat_plugin.datasets.annotation import AnnotationError, read_annotation, write_annotation


def write(tmp_path, text, name='annotation.csv'):
    path = tmp_path / name
    path.write_text(text)
    return path


def brute_force(path):
    """An independent reader: the csv module, a cell at a time."""
    with open(path, newline='') as file:
        rows = list(csv.DictReader(file))
    aus = [name for name in rows[0] if name.startswith('AU')]
    labels = [[float(row[name]) if row[name] else float('nan') for name in aus] for row in rows]
    return ([row['image'] for row in rows], [row['subject'] for row in rows],
            [int(name[2:]) for name in aus], np.array(labels))


@pytest.mark.parametrize('seed', range(5))
def test_reads_what_a_cell_by_cell_reader_reads(tmp_path, seed):
    generator = np.random.default_rng(seed)
    cells = generator.choice(['', '0', '1', '2', '3.5', '5'], (50, 3))
    lines = [f'{i}.jpg,{generator.choice(["A", "B", ""])},{",".join(row)},x'
             for i, row in enumerate(cells)]
    path = write(tmp_path, 'image,subject,AU4,AU12,AU25,note\n' + '\n'.join(lines) + '\n')
    table = read_annotation(path)
    images, subjects, aus, labels = brute_force(path)
    assert list(table.images) == images and list(table.subjects) == subjects
    assert list(table.aus) == aus
    np.testing.assert_array_equal(table.labels, labels)
    np.testing.assert_array_equal(table.select([25, 'AU4']), labels[:, [2, 0]])
    assert list(table.frame['note']) == ['x'] * 50


@pytest.mark.parametrize('name', ['t.csv', 't.csv.gz', 't.parquet'])
def test_written_is_read_back(tmp_path, name):
    labels = np.array([[0, np.nan], [2.5, 0.1]], dtype=np.float32)
    frame = pd.DataFrame(dict(image=['a,b.jpg', 'c.jpg'], subject=['S1', ''], frame=['7', '8']))
    write_annotation(tmp_path / name, frame, [1, 12], labels)
    table = read_annotation(tmp_path / name)
    np.testing.assert_array_equal(table.labels, labels)
    assert table.aus == (1, 12)
    assert list(table.images) == ['a,b.jpg', 'c.jpg'] and list(table.subjects) == ['S1', '']
    assert list(table.frame['frame']) == ['7', '8']
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing half-written is left


HEADER = 'image,subject,AU1,AU2\n'


@pytest.mark.parametrize('text, words', [
    ('', 'line 1: no column image and subject'),
    (HEADER + '"a.jpg,A,0,0', 'line 1: not a readable CSV'),
    (HEADER + '"a\nb.jpg",A,0,0\nc.jpg,A,0,7\n', "line 4: AU2 is '7'"),
    (HEADER, 'a header and no rows'),
    ('image,person,AU1\na.jpg,A,1\n', 'line 1: no column subject'),
    ('image,subject,smile\na.jpg,A,1\n', 'line 1: no AU column'),
    ('image,subject,AU3\na.jpg,A,1\n', "line 1: unknown action unit 'AU3'"),
    ('image,subject,AU1,au1\na.jpg,A,1,1\n', 'line 1: AU1 occurs twice'),
    ('image,subject,AU1,AU1\na.jpg,A,1,1\n', 'line 1: column AU1 occurs twice'),
    ('image,image,subject,AU1\na.jpg,b.jpg,A,1\n', 'line 1: column image occurs twice'),
    ('image,subject,AU1,AU 2\na.jpg,A,1,1\n', "line 1: unknown action unit 'AU 2'"),
    ('image,subject,AU1,au_4\na.jpg,A,1,1\n', "line 1: unknown action unit 'au_4'"),
    (HEADER + 'a.jpg,A,0,1\nb.jpg,A,9,1\n', 'line 3: AU1 is \'9\'.*not coded'),
    (HEADER + 'a.jpg,A,0,-1\n', "line 2: AU2 is '-1'"),
    (HEADER + 'a.jpg,A,0,yes\n', "line 2: AU2 is 'yes'"),
    (HEADER + 'a.jpg,A,0,nan\n', "line 2: AU2 is 'nan'"),
    (HEADER + 'a.jpg,A,5.1,0\n', "line 2: AU1 is '5.1'"),
    (HEADER + 'a.jpg,A,0,0\n,A,0,0\n', 'line 3: empty `image`'),
    (HEADER + 'a.jpg,A,0,0\n\nb.jpg,A,0,0\n', 'line 3: 0 fields, but the header has 4'),
    (HEADER + 'a.jpg,A,0,0\nb.jpg,A,0\n', 'line 3: 3 fields'),
    (HEADER + 'a.jpg,A,0,0\nb.jpg,A,0,0\na.jpg,B,0,0\n', "line 4: image 'a.jpg'.*line 2"),
    (HEADER + 'a.jpg,A,0,0,1,1\n', 'line 2: 6 fields'),
    (HEADER + 'a.jpg,A,0,0\na.jpg,A,0,0,1,1\n', 'line 3: 6 fields'),
])
def test_errors_name_file_line_value_and_remedy(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(AnnotationError, match=words) as error:
        read_annotation(path)
    assert str(path) in str(error.value)
    assert 'emedy' in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist. Remedy'):
        read_annotation(tmp_path / 'nothing.csv')


def test_selecting_a_column_the_table_has_not(tmp_path):
    table = read_annotation(write(tmp_path, HEADER + 'a.jpg,A,0,1\n'))
    with pytest.raises(AnnotationError, match='no column AU12; the table has AU1, AU2'):
        table.select([1, 12])


def test_real_table(real_data):
    """CK+ as published: 633 faces, and the labels a cell-by-cell reader finds."""
    path = real_data / 'ck48' / 'labels.csv'
    table = read_annotation(path)
    images, subjects, aus, labels = brute_force(path)
    assert len(table.images) == 633 and list(table.images) == images
    assert list(table.subjects) == subjects and list(table.aus) == aus
    np.testing.assert_array_equal(table.labels, labels)


ROWS = [('a.jpg', '1', 0, 1, '12'), ('b.jpg', '2', None, 0, ''), ('c.jpg', '', 1, None, '7'),
        ('d.jpg', '2', 1, 1, '100')]


@pytest.mark.parametrize('subject', ['Int64', 'float64', 'category', 'category of numbers', 'str',
                                     'bytes', 'mixed'])
@pytest.mark.parametrize('aus', ['float32', 'Int8', 'category', 'boolean', 'str', 'object'])
@pytest.mark.parametrize('index', [None, 'image', 'unnamed'])
def test_parquet_as_pandas_stores_it_reads_as_the_csv(tmp_path, subject, aus, index):
    """A gap turns a column of numbers into decimals; ids, labels and gaps stay what they are."""
    pytest.importorskip('pyarrow', reason="pip install 'fmae_iat_plugin[parquet]'")
    text = [','.join('' if cell is None else str(cell) for cell in row) for row in ROWS]
    truth = read_annotation(write(tmp_path, '\n'.join(['image,subject,AU1,AU2,frame', *text, ''])))
    table = pd.DataFrame(ROWS, columns=['image', 'subject', 'AU1', 'AU2', 'frame'])
    numbers = pd.to_numeric(table['subject'])
    table['subject'] = {
        'Int64': lambda: numbers.astype('Int64'), 'float64': lambda: numbers,
        'category': lambda: table['subject'].replace('', None).astype('category'),
        'category of numbers': lambda: numbers.astype('category'), 'str': lambda: table['subject'],
        'bytes': lambda: table['subject'].str.encode('utf-8'),
        'mixed': lambda: table['subject'].replace('', None).astype('string')}[subject]()
    table['frame'] = pd.to_numeric(table['frame'])
    for name in ('AU1', 'AU2'):
        labels = table[name].astype('Int8')
        table[name] = labels.map(lambda v: '' if pd.isna(v) else str(v)) if aus == 'str' else \
            labels.astype(object).where(labels.notna(), None) if aus == 'object' else \
            labels.astype(aus)
    if index is not None:
        table = table.set_index('image') if index == 'image' else table.set_index(
            pd.Index([7, 3, 9, 1]))
    table.to_parquet(tmp_path / 'table.parquet')
    found = read_annotation(tmp_path / 'table.parquet')
    assert list(found.images) == list(truth.images)
    assert list(found.subjects) == list(truth.subjects) == ['1', '2', '', '2']
    assert list(found.frame['frame']) == list(truth.frame['frame']) == ['12', '', '7', '100']
    np.testing.assert_array_equal(found.labels, truth.labels)
    assert [found.line(row) for row in range(4)] == [2, 3, 4, 5]


def test_decimals_stay_decimals_and_a_broken_parquet_is_named(tmp_path):
    pytest.importorskip('pyarrow', reason="pip install 'fmae_iat_plugin[parquet]'")
    pd.DataFrame(dict(image=['a.jpg', 'b.jpg'], subject=[1.5, 2], AU1=[.5, 3])).to_parquet(
        tmp_path / 't.parquet')
    found = read_annotation(tmp_path / 't.parquet')
    assert list(found.subjects) == ['1.5', '2.0'] and found.labels.ravel().tolist() == [.5, 3]
    for data in (b'', b'PAR1 and no more', (tmp_path / 't.parquet').read_bytes()[:-30]):
        (tmp_path / 'cut.parquet').write_bytes(data)
        with pytest.raises(AnnotationError, match='cut.parquet: not a readable Parquet.*emedy'):
            read_annotation(tmp_path / 'cut.parquet')
