# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Emulated RAF-DB is read by our registered data set as the truth says."""

import cv2
import pytest
from mmpretrain.registry import DATASETS

import fmae_iat_plugin.datasets  # noqa: F401
from fmae_iat_plugin.datasets import read_annotation
from fmae_iat_plugin.synthfacs.releases import write_rafdb

pytestmark = pytest.mark.slow

CODES = dict(zip('1234567', ('surprise', 'fear', 'disgust', 'happiness', 'sadness', 'anger',
                             'neutral')))
UNITS = dict(surprise={1, 2, 5, 25, 26}, fear={1, 2, 4, 5, 20, 25, 26}, disgust={9, 15},
             happiness={6, 12}, sadness={1, 4, 15}, anger={4, 5, 7, 23}, neutral=set())
SMALL = dict(subjects=3, frames=7, size=32, workers=1)


@pytest.fixture(scope='module')
def release(tmp_path_factory):
    out = tmp_path_factory.mktemp('rafdb')
    write_rafdb(out, **SMALL)
    return out


@pytest.mark.parametrize('split, number', [('train', 14), ('test', 7)])
def test_our_data_set_reads_it(release, read_csv, split, number):
    truth = {r['image']: r['expression'] for r in read_csv(release / 'truth.csv')
             if r['split'] == split}
    data = DATASETS.build(dict(type='RAFDB', data_root=str(release), split=split))
    found = {}
    for k in range(len(data)):
        info = data.get_data_info(k)
        path = info['img_path'].replace('\\', '/')
        found[path[path.index('basic/'):]] = data.CLASSES[info['gt_label']]
    assert found == truth and len(truth) == number


def test_list_file_truth_and_units_agree(release, read_csv, au_cells):
    lines = (release / 'basic/EmoLabel/list_patition_label.txt').read_text().splitlines()
    names = [line.split()[0] for line in lines]
    assert names != sorted(names)
    listed = {f'basic/Image/aligned/{n[:-4]}_aligned.jpg': CODES[c]
              for n, c in (line.split() for line in lines)}
    rows = read_csv(release / 'truth.csv')
    assert listed == {r['image']: r['expression'] for r in rows}
    for row in rows:
        shown = {au for au, cell in au_cells(row).items() if float(cell) > 0}
        assert shown == UNITS[row['expression']]
    read_annotation(release / 'truth.csv')


def test_people_of_the_test_set_are_not_in_training(release, read_csv):
    rows = read_csv(release / 'truth.csv')
    people = [{r['subject'] for r in rows if r['split'] == s} for s in ('train', 'test')]
    assert not people[0] & people[1] and [len(p) for p in people] == [2, 1]


def test_both_images_of_each(release, read_csv):
    for row in read_csv(release / 'truth.csv'):
        stem = row['image'].split('/')[-1].replace('_aligned.jpg', '')
        assert cv2.imread(str(release / row['image'])).shape == (100, 100, 3)
        original = release / f'basic/Image/original/{stem}.jpg'
        assert cv2.imread(str(original)).shape == (32, 32, 3)


def test_same_bytes_again(release, tmp_path, tree):
    write_rafdb(tmp_path, **{**SMALL, 'workers': 2})
    assert tree(tmp_path) == tree(release)


def test_one_person_cannot_be_split(tmp_path):
    with pytest.raises(ValueError, match='subjects'):
        write_rafdb(tmp_path, **{**SMALL, 'subjects': 1})
