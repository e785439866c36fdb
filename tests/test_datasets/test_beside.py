# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Landmarks and flow join the samples; what is missing is counted or an error in words."""

import numpy as np
import pytest

from fmae_iat_plugin.datasets import ActionUnitDataset, AnnotationError
from fmae_iat_plugin.datasets.landmarks import COLUMNS, write_landmarks
from fmae_iat_plugin.datasets.mean_shape import symmetric

ROWS = ['a.png,P,1,0', 'b.png,P,0,1', 'c.png,Q,,']
POINTS = np.random.default_rng(0).uniform(0, 16, (68, 2)).round(2)


def dataset(root, **kwargs):
    return ActionUnitDataset('annotation.csv', data_root=str(root), split='all', **kwargs)


def logged(monkeypatch):
    """The lines that the data set logs at level INFO."""
    from mmengine.logging import MMLogger
    lines = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info',
                        lambda text, *args: lines.append(text % args))
    return lines


def test_a_frame_without_landmarks_takes_the_mean_shape_and_is_counted(face_table, monkeypatch):
    root = face_table(ROWS)
    write_landmarks(root / 'l.csv', ['a.png', 'b.png'], [(16, 16)] * 2, [POINTS, None])
    lines = logged(monkeypatch)
    data = dataset(root, landmarks='l.csv')
    fraction = (POINTS + 0.5) / 16
    np.testing.assert_allclose(data.get_data_info(0)['landmarks'], fraction, atol=1e-6)
    for row in (1, 2):
        np.testing.assert_allclose(data.get_data_info(row)['landmarks'], symmetric(fraction),
                                   atol=1e-6)
    np.testing.assert_allclose(data.metainfo['mean_shape'], symmetric(fraction), atol=1e-6)
    assert any('1 of 3 faces have landmarks; 2 take the mean shape' in line for line in lines)


def test_landmarks_in_the_table(face_table):
    cells = ','.join(['16', '16', *map(str, POINTS.T.ravel())])
    root = face_table([f'{row},{cells}' for row in ROWS],
                      header='image,subject,AU1,AU2,' + ','.join(COLUMNS))
    data = dataset(root, landmarks='table')
    np.testing.assert_allclose(data.get_data_info(2)['landmarks'], (POINTS + 0.5) / 16, atol=1e-6)


def test_a_table_without_landmarks_is_an_error_in_words(face_table):
    root = face_table(ROWS)
    with pytest.raises(AnnotationError, match='annotation.csv: no landmarks: .* is missing. Remedy'
                                              ': python tools/misc/find_landmarks.py'):
        dataset(root, landmarks='table').full_init()


def write_flow(root, images):
    (root / 'flow' / 'sequences').mkdir(parents=True)
    np.save(root / 'flow' / 'sequences' / '0.npy', np.zeros((3, 4, 4, 2), np.float16))
    (root / 'flow' / 'flow.csv').write_text('image,file,row,width,height\n' + ''.join(
        f'{image},0.npy,{row},16,16\n' for row, image in enumerate(images)))


def test_flow_targets_are_counted(face_table, monkeypatch):
    root = face_table(ROWS)
    write_flow(root, ['c.png', 'a.png'])
    lines = logged(monkeypatch)
    data = dataset(root, flow='flow')
    assert data.get_data_info(0)['flow_target'][1] == 1
    assert data.get_data_info(2)['flow_target'][1] == 0
    assert 'flow_target' not in data.get_data_info(1)
    assert any('2 of 3 faces have a flow target' in line for line in lines)


def test_flow_of_other_images_is_an_error_in_words(face_table):
    root = face_table(ROWS)
    write_flow(root, ['faces/a.png'])
    with pytest.raises(ValueError, match="flow of none of 3 images, first 'a.png'. Remedy"):
        dataset(root, flow='flow').full_init()
