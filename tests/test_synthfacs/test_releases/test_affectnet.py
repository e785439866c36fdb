# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Emulated AffectNet is read by our registered data set as the truth says, in both layouts."""

import cv2
import numpy as np
import pytest
from mmpretrain.registry import DATASETS

import fmae_iat_plugin.datasets  # noqa: F401
from fmae_iat_plugin.synthfacs.releases import write_affectnet

pytestmark = pytest.mark.slow

CODES = ('neutral', 'happiness', 'sadness', 'surprise', 'fear', 'disgust', 'anger', 'contempt')
SMALL = dict(subjects=3, frames=8, size=32, workers=1)


@pytest.fixture(scope='module', params=['annotations', 'folders'])
def release(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    write_affectnet(out, layout=request.param, **SMALL)
    return request.param, out


def loaded(out, layout, split, skip_file=None):
    data = DATASETS.build(dict(type='AffectNet', data_root=str(out), layout=layout, split=split,
                               skip_file=skip_file))
    infos = [data.get_data_info(k) for k in range(len(data))]
    return {info['img_path'].replace('\\', '/').split(f'{out.as_posix()}/')[1]: info['gt_label']
            for info in infos}


@pytest.mark.parametrize('split', ['train', 'val'])
def test_our_data_set_reads_it(release, read_csv, split, tmp_path):
    layout, out = release
    truth = [r for r in read_csv(out / 'truth.csv') if r['split'] == split]
    skips = tmp_path / 'skipped.txt'
    assert loaded(out, layout, split, str(skips)) == {r['image']: int(r['code']) for r in truth}
    assert all(CODES[int(r['code'])] == r['expression'] for r in truth)
    left_out = {r['image'] for r in read_csv(out / 'left_out.csv') if split in r['image']}
    skipped = {line.split('\t')[0] for line in skips.read_text().splitlines()} \
        if skips.exists() else set()
    assert {str(out / image) for image in left_out} == skipped
    assert bool(left_out) == (layout == 'annotations' and split == 'train')


def test_annotations_are_strings_and_landmarks_lie_in_the_face(tmp_path, read_csv):
    write_affectnet(tmp_path, **SMALL)
    rows = read_csv(tmp_path / 'truth.csv')
    for row in rows:
        stem = (tmp_path / row['image'].replace('images', 'annotations')).with_suffix('')
        code = np.load(f'{stem}_exp.npy')
        assert code.dtype.kind == 'U' and code.item() == row['code']
        points = np.load(f'{stem}_lnd.npy').astype(float).reshape(68, 2)
        assert (points[36:] > 0).all() and (points[36:] < 32).all()
        assert points[36:48, 1].mean() < points[30, 1] < points[48:, 1].mean()
    reasons = [r['reason'] for r in read_csv(tmp_path / 'left_out.csv')]
    assert set(reasons) == {'none', 'uncertain', 'no face', 'no annotation'}
    for row in read_csv(tmp_path / 'left_out.csv'):
        picture = cv2.imread(str(tmp_path / row['image']))
        assert (np.ptp(picture, (0, 1)).max() < 9) == (row['reason'] == 'no face')


def test_same_bytes_again(release, tmp_path, tree):
    layout, out = release
    write_affectnet(tmp_path, layout=layout, **{**SMALL, 'workers': 2})
    assert tree(tmp_path) == tree(out)


def test_bad_layout(tmp_path):
    with pytest.raises(ValueError, match="layout='zip'"):
        write_affectnet(tmp_path, layout='zip', **SMALL)
