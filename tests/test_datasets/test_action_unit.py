# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AU data sets: samples against the table, subject-exclusive splits, errors in words."""

import os
from unittest.mock import patch

import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.datasets import ActionUnitDataset
from fmae_iat_plugin.datasets.annotation import AnnotationError
from fmae_iat_plugin.datasets.decoding import UnreadableImageError

PIPELINE = [
    dict(type='LoadFace'),
    dict(type='Resize', scale=(8, 8), backend='pillow'),
    dict(type='PackInputs', algorithm_keys=('subject', )),
]
ROWS = ['a/1.png,A,0,1', 'a/2.png,A,1,', 'b/1.png,B,,', 'c/1.png,C,1,0', 'c/2.png,C,0,0',
        'b/2.png,B,0,1']
FOLDS = dict(folds={'1': ['A'], '2': ['B', 'C']})


def build(root, **kwargs):
    options = dict(type='ActionUnitDataset', data_root=str(root), ann_file='annotation.csv',
                   protocol=FOLDS, fold=1)
    return DATASETS.build({**options, **kwargs})


def infos(dataset):
    return [dataset.get_data_info(i) for i in range(len(dataset))]


def images(dataset):
    """Image paths below the data root."""
    return [os.path.relpath(info['img_path'], dataset.data_root) for info in infos(dataset)]


def test_train_and_test_are_the_rows_of_their_subjects(face_table):
    root = face_table(ROWS)
    test, train = build(root, split='test'), build(root, split='train')
    assert images(test) == ['a/1.png', 'a/2.png']
    assert images(train) == ['b/1.png', 'c/1.png', 'c/2.png', 'b/2.png']
    np.testing.assert_array_equal([info['gt_score'] for info in infos(train)],
                                  [[np.nan, np.nan], [1, 0], [0, 0], [0, 1]])
    # the index of a subject is the same in both splits: its place among all of them
    assert [info['subject'] for info in infos(test)] == [0, 0]
    assert [info['subject'] for info in infos(train)] == [1, 2, 2, 1]
    for data in (test, train):
        assert data.metainfo['subjects'] == ('A', 'B', 'C')
        assert data.metainfo['classes'] == ('AU1', 'AU2') and data.metainfo['aus'] == (1, 2)


def test_packed_sample_carries_gt_score_and_subject(face_table):
    sample = build(face_table(ROWS), split='train', pipeline=PIPELINE)[0]['data_samples']
    assert sample.subject == 1 and sample.sample_idx == 0
    assert sample.gt_score.isnan().all() and sample.gt_score.shape == (2, )


def test_unknown_subject_has_no_subject_key(face_table):
    data = build(face_table(['1.png,,1,0', '2.png,A,0,0']), protocol=None, fold=None, split='all',
                 pipeline=PIPELINE)
    assert 'subject' not in data.get_data_info(0) and data.get_data_info(1)['subject'] == 0
    assert 'subject' not in data[0]['data_samples']


def test_aus_are_chosen_and_ordered(face_table):
    root = face_table(['1.png,A,0,1,'], header='image,subject,AU12,AU1,AU4')
    data = build(root, split='all', fold=None, aus=('AU1', 12))
    assert data.metainfo['aus'] == (1, 12)
    np.testing.assert_array_equal(data.get_data_info(0)['gt_score'], [1, 0])


@pytest.mark.parametrize('threshold', [1, 2, 3])
def test_intensities_are_positive_from_the_threshold(face_table, threshold):
    values = ['0', '1', '2', '3', '4.5', '5', '']
    root = face_table([f'{i}.png,A,{v},0' for i, v in enumerate(values)])
    data = build(root, split='test', intensity_threshold=threshold)
    got = [data.get_data_info(i)['gt_score'][0] for i in range(len(values))]
    np.testing.assert_array_equal(
        got, [float('nan') if v == '' else float(float(v) >= threshold) for v in values])


def test_disfa_takes_its_threshold_from_the_protocol(face_table):
    header = 'image,subject,' + ','.join(f'AU{n}' for n in (1, 2, 4, 6, 9, 12, 25, 26))
    root = face_table(['1.png,SN001,0,1,2,3,4,5,,0', '2.png,SN006,0,0,0,0,0,0,0,2'], header=header)
    data = DATASETS.build(dict(type='DISFA', data_root=str(root), ann_file='annotation.csv',
                               fold=1, split='test'))
    np.testing.assert_array_equal(data.get_data_info(0)['gt_score'],
                                  [0, 0, 1, 1, 1, 1, float('nan'), 0])
    assert len(data) == 1 and len(data.metainfo['subjects']) == 27


@pytest.mark.parametrize('kind, subject, count', [('BP4D', 'F001', 41), ('BP4DPlus', 'M040', 140)])
def test_licensed_data_sets(face_table, kind, subject, count):
    header = 'image,subject,' + ','.join(
        f'AU{n}' for n in (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24))
    root = face_table([f'1.png,{subject},' + ','.join('010101010101')], header=header)
    data = DATASETS.build(dict(type=kind, data_root=str(root), ann_file='annotation.csv', fold=1,
                               split='test'))
    assert len(data.metainfo['subjects']) == count
    np.testing.assert_array_equal(data.get_data_info(0)['gt_score'], [0, 1] * 6)


@pytest.mark.slow
def test_folds_by_number_deal_the_subjects(face_table):
    root = face_table(ROWS)
    tests = [build(root, protocol=None, folds=3, fold=k, split='test') for k in (1, 2, 3)]
    trains = [build(root, protocol=None, folds=3, fold=k, split='train') for k in (1, 2, 3)]
    tested = [{info['subject'] for info in infos(data)} for data in tests]
    assert sorted(subject for subjects in tested for subject in subjects) == [0, 1, 2]
    for train, test, subjects in zip(trains, tests, tested):
        assert not subjects & {info['subject'] for info in infos(train)}
        assert len(train) + len(test) == len(ROWS)


@pytest.mark.parametrize('options, rows, words', [
    (dict(split='valid'), ROWS, "split 'valid' is none of train, held_out, test, all"),
    (dict(fold=None), ROWS, "split='train' needs `fold`"),
    (dict(folds=2), ROWS, '`protocol` and `folds` were both given'),
    (dict(protocol=None), ROWS, 'no folds are defined. Remedy'),
    (dict(fold=4), ROWS, 'no fold 4; its folds are 1, 2'),
    (dict(aus=(1, 99)), ROWS, 'unknown action unit 99'),
    (dict(aus=(1, 'AU1')), ROWS, 'names an action unit twice'),
    (dict(split='train'), ROWS[:2], r'no row in split .train. of fold 1 .*\(B, C\)'),
    (dict(aus=(1, 12)), ROWS, 'no column AU12; the table has AU1, AU2'),
    (dict(protocol=dict(folds={'1': ['A'], '2': ['A']})), ROWS, "'A' is in fold 1 and"),
    (dict(), ROWS + ['d.png,D,0,0'], "line 8: subject 'D' is in no fold"),
    (dict(), ROWS + ['d.png,,0,0'], 'line 8: no subject'),
    (dict(split='test'), ROWS[2:], 'no row in split .test. of fold 1'),
    (dict(), ROWS[:3] + ['d.png,B,0,3'], 'line 5: AU2 is 3, an intensity. Remedy'),
    (dict(), ROWS + ['d.png,A,9,0'], "line 8: AU1 is '9'.*not coded"),
    (dict(intensity_threshold=2), ROWS, 'no cell is above 1'),
    *((dict(intensity_threshold=value), ROWS, 'intensity_threshold is .* above 0, up to 5')
      for value in ('2', True, 0, -1, 6, float('nan'), [2, 2])),
    (dict(aus=(1)), ROWS, r'`aus` is 1, a int. Remedy: .*\(1,\)'),
    (dict(aus=()), ROWS, '`aus` is empty'),
    (dict(aus='AU1'), ROWS, "`aus` is 'AU1', a str"),
    (dict(protocol=None, folds='3'), ROWS, "`folds` is '3', a str. Remedy"),
    (dict(protocol=None, folds=3.), ROWS, '`folds` is 3.0, a float'),
    (dict(fold='1'), ROWS, "`fold` is '1', a str"),
    (dict(fold=True), ROWS, '`fold` is True, a bool'),
    (dict(fold=[1]), ROWS, r'`fold` is \[1\], a list'),
    (dict(held_out='2'), ROWS, "`held_out` is '2', a str"),
    (dict(held_out=None), ROWS, '`held_out` is None'),
    (dict(ann_file=None), ROWS, 'ann_file is None'),
    (dict(protocol=7), ROWS, 'protocol is 7, a int'),
])
def test_errors_in_words(face_table, options, rows, words):
    root = face_table(rows)
    with pytest.raises(ValueError, match=words):
        build(root, **options)


def test_missing_images_are_counted_and_their_lines_named(face_table):
    root = face_table(ROWS)
    for name in ('b/1.png', 'b/2.png'):
        (root / name).unlink()
    with pytest.raises(FileNotFoundError, match=r'2 of 4 images are missing, first .*b/1.png') as e:
        build(root, split='train')
    assert 'lines 4, 7' in str(e.value) and 'data_prefix' in str(e.value)
    assert len(build(root, split='train', check_images=False)) == 4


def test_rows_without_a_face_are_left_out_counted_and_listed(face_table, tmp_path):
    header = 'image,subject,AU1,AU2,face'
    states = ['detected', 'none', 'tracked', 'detected', 'none', 'detected']
    rows = [f'{row},{state}' for row, state in zip(ROWS, states)]
    root = face_table(rows, header)
    for name in ('a/2.png', 'c/2.png'):
        (root / name).unlink()  # no face, no crop
    skip_file = tmp_path / 'none.csv'
    with patch.object(MMLogger.get_current_instance(), 'warning') as warning:
        data = build(root, split='all', fold=None, skip_file=str(skip_file))
    assert images(data) == ['a/1.png', 'b/1.png', 'c/1.png', 'b/2.png']
    np.testing.assert_array_equal([info['gt_score'] for info in infos(data)],
                                  [[0, 1], [np.nan, np.nan], [1, 0], [0, 1]])
    assert '2 items left out (no face: 2)' in warning.call_args.args[0]
    table = root / 'annotation.csv'
    assert skip_file.read_text().splitlines()[1:] == [
        f'no face,a/2.png,1,{table},3,', f'no face,c/2.png,1,{table},6,']
    assert images(build(root, split='test')) == ['a/1.png']


def test_a_split_without_any_face(face_table):
    root = face_table([f'{row},none' for row in ROWS], 'image,subject,AU1,AU2,face')
    with pytest.raises(ValueError, match='no row in split .train. .* has a face'):
        build(root)


@pytest.mark.slow
def test_real_faces_in_three_folds(real_data):
    """CK+: 78 subjects, each tested once; labels equal the table's."""
    import pandas as pd

    table = pd.read_csv(real_data / 'ck48' / 'labels.csv').set_index('image')
    seen = []
    for fold in (1, 2, 3):
        data = DATASETS.build(dict(
            type='ActionUnitDataset', data_root=str(real_data / 'ck48'), ann_file='labels.csv',
            aus=(1, 12), folds=3, fold=fold, split='test', pipeline=PIPELINE))
        for image, info in zip(images(data), infos(data)):
            row = table.loc[image]
            assert list(info['gt_score']) == [row['AU1'], row['AU12']]
            assert data.metainfo['subjects'][info['subject']] == row['subject']
            seen.append(row['subject'])
    assert len(seen) == 633 and len(set(seen)) == 78


def test_a_model_of_other_aus_is_tested_on_those_in_common(face_table):
    root = face_table(ROWS)
    data = ActionUnitDataset('annotation.csv', aus=(2, 12, 1), split='all', absent_ok=True,
                             data_root=str(root), pipeline=[])
    plain = ActionUnitDataset('annotation.csv', aus=(1, 2), split='all', data_root=str(root),
                              pipeline=[])
    assert data.metainfo['classes'] == ('AU2', 'AU12', 'AU1')
    for k in range(len(plain)):
        scores, expected = data.get_data_info(k)['gt_score'], plain.get_data_info(k)['gt_score']
        np.testing.assert_array_equal(scores, [expected[1], np.nan, expected[0]])
    with pytest.raises(AnnotationError, match='no column AU12'):
        ActionUnitDataset('annotation.csv', aus=(12, ), split='all', absent_ok=True,
                          data_root=str(root), pipeline=[])


def test_images_in_memory_are_those_of_the_files(face_table):
    root = face_table(ROWS)
    options = dict(aus=(1, 2), split='all', data_root=str(root), pipeline=PIPELINE)
    files = ActionUnitDataset('annotation.csv', **options)
    expected = [files[k] for k in range(len(files))]
    kept = ActionUnitDataset('annotation.csv', in_memory=True, **options)
    for path in root.rglob('*.png'):
        path.unlink()
    for _ in range(2):  # a sample is a copy: nothing done to it is kept
        for k, sample in enumerate(expected):
            found = kept[k]
            assert (found['inputs'] == sample['inputs']).all()
            assert found['data_samples'].img_path == sample['data_samples'].img_path
            kept.get_data_info(k)['img'][:] = 0
    with pytest.raises(UnreadableImageError, match='cannot read the image'):
        files[0]


GRADED = ['a/1.png,A,0,3', 'a/2.png,A,2,', 'b/1.png,B,,', 'c/1.png,C,5,0', 'c/2.png,C,1,0',
          'b/2.png,B,0,1.5']


def test_intensities_of_the_same_table(face_table):
    """AU2 and AU1, in that order; occurrences of AU1 beside them, from 2 on."""
    data = build(face_table(GRADED), split='all', fold=None, aus=(1, ), intensities=(2, 1),
                 intensity_threshold=2)
    assert data.metainfo['intensity_aus'] == (2, 1) and data.metainfo['aus'] == (1, )
    found = {path: info for path, info in zip(images(data), infos(data))}
    for line in GRADED:
        name, _, *cells = line.split(',')
        one, two = (float(cell) if cell else np.nan for cell in cells)
        np.testing.assert_array_equal(found[name]['gt_intensity'], np.float32([two, one]))
        np.testing.assert_array_equal(
            found[name]['gt_score'], np.float32([np.nan if np.isnan(one) else one >= 2]))
    assert 'gt_intensity' not in infos(build(face_table(ROWS), split='all', fold=None))[0]


def test_intensities_of_a_table_of_their_own(face_table):
    root = face_table(ROWS)
    (root / 'graded.csv').write_text('\n'.join(['image,subject,AU12,AU2', *GRADED[2:], '']))
    options = dict(split='all', fold=None, intensities=(12, ), intensity_file='graded.csv')
    data = build(root, **options, pipeline=[
        *PIPELINE[:-1], dict(type='PackInputs', algorithm_keys=('subject', 'gt_intensity'))])
    found = {path: info['gt_intensity'].tolist() for path, info in zip(images(data), infos(data))}
    assert {name: value for name, (value, ) in found.items() if not np.isnan(value)} == {
        'c/1.png': 5, 'c/2.png': 1, 'b/2.png': 0}
    assert sum(np.isnan(value) for value, in found.values()) == 3  # two are not in that table
    packed = data[images(data).index('c/1.png')]['data_samples']
    np.testing.assert_array_equal(packed.gt_intensity, [5])
    np.testing.assert_array_equal(packed.gt_score.numpy(), [1, 0])


@pytest.mark.parametrize('options,words', [
    (dict(intensities=(1, )), 'no cell is above 1: the table holds occurrences'),
    (dict(intensities=(1, ), intensity_file='none.csv'), 'none.csv'),
    (dict(intensity_file='x.csv'), 'no `intensities` are named'),
    (dict(intensities=()), '`intensities` is empty'),
    (dict(intensities=(1, ), intensity_file='other.csv'), 'names none of the 6 images'),
    (dict(intensities=(4, ), intensity_file='other.csv'), 'no column AU4')])
def test_intensities_that_cannot_be_had(face_table, options, words):
    root = face_table(ROWS)
    (root / 'other.csv').write_text('image,subject,AU1\nz.png,Z,4\n')
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        build(root, split='all', fold=None, **options)


def test_images_that_lose_their_labels_lose_their_intensities(face_table):
    data = build(face_table(GRADED), split='all', fold=None, intensities=(1, 2), labelled=.5,
                 intensity_threshold=2)
    unlabelled = [np.isnan(info['gt_score']).all() for info in infos(data)]
    graded = [np.isnan(info['gt_intensity']).all() for info in infos(data)]
    assert sum(unlabelled) >= 3 and unlabelled == graded
