# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Several data sets as one table: each row stays itself, and each fold leaves one data set out."""

import csv
import json

import numpy as np
import pytest

from fmae_iat_plugin.converters.join_tables import Source, join_tables, main
from fmae_iat_plugin.datasets import ActionUnitDataset

FIRST = 'image,subject,AU1,AU2,AU12,sequence\na.png,S1,0,1,,T1\nb.png,S2,1,0,1,T1\n'
SECOND = 'image,subject,AU12,AU2,AU25\nx.png,S1,2,0,5\ny.png,S9,1,3,\nz.png,S1,,2,0\n'


@pytest.fixture
def tables(tmp_path):
    from PIL import Image
    for name, text in (('one', FIRST), ('two', SECOND)):
        (tmp_path / name / 'faces').mkdir(parents=True)
        (tmp_path / name / 'table.csv').write_text(text)
        for line in text.splitlines()[1:]:
            Image.new('RGB', (8, 8)).save(tmp_path / name / 'faces' / line.split(',')[0])
    return [f'{name}={tmp_path}/{name}/table.csv@{tmp_path}/{name}/faces{threshold}'
            for name, threshold in (('one', ''), ('two', ':2'))]


def cells(path):
    return {row['image'].rpartition('/')[2]: row for row in csv.DictReader(path.open())}


def test_every_cell_by_hand(tables, tmp_path, capsys):
    assert main([*tables, '--out', str(tmp_path / 'out'), '--aus', 'all']) == 0
    assert '5 images, AUs 1, 2, 12, 25' in capsys.readouterr().out
    rows = cells(tmp_path / 'out/annotation.csv')
    expected = {'a.png': ('one-S1', '0', '1', '', ''), 'b.png': ('one-S2', '1', '0', '1', ''),
                'x.png': ('two-S1', '', '0', '1', '1'), 'y.png': ('two-S9', '', '1', '0', ''),
                'z.png': ('two-S1', '', '1', '', '0')}
    assert {image: tuple(row[k] for k in ('subject', 'AU1', 'AU2', 'AU12', 'AU25'))
            for image, row in rows.items()} == expected
    assert rows['a.png']['sequence'] == 'T1' and rows['x.png']['sequence'] == ''
    assert json.loads((tmp_path / 'out/folds.json').read_text())['folds'] == {
        '1': ['one-S1', 'one-S2'], '2': ['two-S1', 'two-S9']}


@pytest.mark.parametrize('fold, tested', [(1, {'a.png', 'b.png'}),
                                          (2, {'x.png', 'y.png', 'z.png'})])
def test_a_fold_tests_one_data_set_and_trains_on_the_other(tables, tmp_path, fold, tested):
    join_tables(list(map(Source.parse, tables)), tmp_path / 'out')
    data = dict(data_root=str(tmp_path / 'out'), ann_file='annotation.csv', fold=fold,
                protocol=str(tmp_path / 'out/folds.json'))
    test = ActionUnitDataset(**data, split='test')
    names = {test.get_data_info(k)['img_path'].rpartition('/')[2] for k in range(len(test))}
    assert names == tested and test.aus == (2, 12)  # what both code; the images were found
    train = ActionUnitDataset(**data, split='train')
    assert len(train) == 5 - len(tested)
    scores = {info['img_path'].rpartition('/')[2]: info['gt_score']
              for info in map(train.get_data_info, range(len(train)))}
    if fold == 1:
        np.testing.assert_array_equal(scores['x.png'], [0, 1])


def test_wrong_input_in_words(tables, tmp_path, capsys):
    out = ['--out', str(tmp_path / 'out')]

    def message(*arguments):
        assert main([*arguments, *out]) == 2
        return capsys.readouterr().err

    assert 'AU12 is 2, an intensity' in message(tables[0], tables[1].removesuffix(':2'))
    assert 'line 2' in message(tables[0], tables[1].removesuffix(':2'))
    assert 'two or more' in message(tables[0])
    assert 'name of its own' in message(tables[0], tables[0])
    assert "'table.csv' is no data set" in message('table.csv', tables[0])
    other = tmp_path / 'other.csv'
    other.write_text('image,subject,AU9\nq.png,A,1\n')
    assert '--aus all' in message(tables[0], f'other={other}')
    other.write_text('image,subject,AU1\nq.png,,1\n')
    assert 'line 2: no subject' in message(tables[0], f'other={other}')
    assert not (tmp_path / 'out').exists()
