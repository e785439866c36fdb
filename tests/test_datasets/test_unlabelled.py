# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Unlabelled faces: folders, rows without labels, a share of a table, what lies beside."""

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.datasets import ActionUnitDataset, UnlabelledFaces
from fmae_iat_plugin.datasets.landmarks import write_landmarks

ROWS = [f'{subject}/{frame}.png,{subject},1,0' for subject in 'ABC' for frame in range(10)]


def test_a_folder_has_no_labels(face_table):
    root = face_table(ROWS)
    data = UnlabelledFaces(str(root), aus=(1, 2, 12))
    assert len(data) == 30
    sample = data.get_data_info(0)
    assert sample['img_path'].endswith('A/0.png')
    assert sample['gt_score'].shape == (3, ) and np.isnan(sample['gt_score']).all()


def test_a_folder_without_images_is_an_error_in_words(tmp_path):
    (tmp_path / 'notes.txt').write_text('no image')
    with pytest.raises(ValueError, match='no image .* check data_root'):
        UnlabelledFaces(str(tmp_path), aus=(1, ))
    with pytest.raises(FileNotFoundError, match='does not exist'):
        UnlabelledFaces(str(tmp_path / 'none'), aus=(1, ))


def test_concatenated_with_a_table(face_table):
    root = face_table(ROWS)
    init_default_scope('mmpretrain')
    both = DATASETS.build(dict(
        type='ConcatDataset', ignore_keys=['classes', 'aus', 'subjects'], datasets=[
            dict(type='ActionUnitDataset', data_root=str(root), ann_file='annotation.csv',
                 split='all', pipeline=[]),
            dict(type='UnlabelledFaces', data_root=str(root / 'B'), aus=(1, 2), pipeline=[])]))
    assert len(both) == 40 and both.metainfo['aus'] == (1, 2)
    assert [np.isnan(both[row]['gt_score']).all() for row in (0, 29, 30, 39)] == [
        False, False, True, True]


def test_a_share_keeps_its_labels(face_table):
    root = face_table(ROWS)

    def kept(**kwargs):
        data = ActionUnitDataset('annotation.csv', data_root=str(root), split='all', **kwargs)
        return [row for row in range(30) if not np.isnan(data.get_data_info(row)['gt_score']).any()]

    assert kept() == list(range(30))
    few = kept(labelled=0.2)
    assert len(few) == 6 and kept(labelled=0.2) == few != kept(labelled=0.2, label_seed=1)
    with pytest.raises(ValueError, match='labelled is 0. Remedy'):
        kept(labelled=0)


def test_landmarks_beside_a_folder(face_table):
    root = face_table(ROWS)
    points = np.arange(136.).reshape(68, 2) / 10
    write_landmarks(root / 'l.csv', ['B/3.png'], [(16, 16)], [points])
    data = UnlabelledFaces(str(root), aus=(1, ), landmarks='l.csv')
    names = [data.get_data_info(row)['img_path'][-7:] for row in range(30)]
    found = data.get_data_info(names.index('B/3.png'))['landmarks']
    np.testing.assert_allclose(found, (points + 0.5) / 16, atol=1e-6)
    assert len(data.metainfo['mean_shape']) == 68
