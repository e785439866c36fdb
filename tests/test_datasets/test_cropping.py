# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The note on face crops goes from the folder of the crops into what a checkpoint keeps."""

import json

import cv2
import numpy as np
import pytest
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.datasets.annotation import AnnotationError
from fmae_iat_plugin.datasets.cropping import read_cropping
from fmae_iat_plugin.faces import CropOptions, DetectorSpec, crop_faces


def build(root, **options):
    return DATASETS.build(dict(type='ActionUnitDataset', data_root=str(root), split='all',
                               ann_file='annotation.csv', data_prefix='faces', **options))


@pytest.fixture
def cropped(tmp_path):
    """Crops, by dlib with options of their own, of a picture without a face and a rendered one."""
    from fmae_iat_plugin.synthfacs.renderer import render
    (tmp_path / 'images').mkdir()
    face = render(3, {12: 3.}, size=256, framing='portrait')[0]
    cv2.imwrite(str(tmp_path / 'images/a.png'), np.ascontiguousarray(face[..., ::-1]))
    (tmp_path / 'annotation.csv').write_text('image,subject,AU12\na.png,A,1\n')
    crop_faces(tmp_path, tmp_path / 'out', DetectorSpec(threshold=-.2),
               CropOptions(margin=.2, square=True, size=64))
    return tmp_path / 'out'


NOTE = dict(detector=dict(detector='dlib', checkpoint=None, label=None, threshold=-.2, upsample=0),
            margin=.2, square=True, align=None, halve=False, size=64)


def test_crop_faces_leaves_a_note_that_the_data_set_hands_on(cropped):
    assert read_cropping(cropped / 'annotation.csv') == NOTE
    assert build(cropped).metainfo['cropping'] == NOTE


def test_the_config_overrides_the_note(cropped):
    assert build(cropped, cropping=dict(margin=.1)).metainfo['cropping'] == dict(margin=.1)
    with pytest.raises(AnnotationError, match="'margins'.*Remedy: a dict with detector, margin"):
        build(cropped, cropping=dict(margins=.1))
    with pytest.raises(AnnotationError, match="is 'dlib'.*Remedy"):
        build(cropped, cropping=dict(detector='dlib'))


def test_a_table_of_frames_has_no_crops(face_table):
    root = face_table(['a.png,A,0,1'])
    (root / 'cropping.json').write_text(json.dumps(NOTE))
    data = DATASETS.build(dict(type='ActionUnitDataset', data_root=str(root), split='all',
                               ann_file='annotation.csv'))
    assert 'cropping' not in data.metainfo


def test_a_broken_note_is_named(cropped):
    (cropped / 'cropping.json').write_text('{')
    with pytest.raises(AnnotationError, match='cropping.json is no JSON.*Remedy'):
        build(cropped)
