# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AffectNet: two layouts, codes of no expression, label files of any bytes."""

import csv

import numpy as np
import pytest
from small_releases import write_picture

from fmae_iat_plugin.converters import ConversionError, convert_affectnet

NAMES = ['neutral', 'happy', 'sad', 'surprise', 'fear', 'disgust', 'anger', 'contempt']


def read(out, name):
    with open(out / name, newline='') as file:
        return list(csv.DictReader(file))


def test_annotations(tmp_path):
    release = tmp_path / 'release'
    (release / 'train_set/annotations').mkdir(parents=True)
    for code in range(11):
        np.save(release / f'train_set/annotations/{code}_exp.npy',
                np.array(str(code) if code % 2 else code))
        np.save(release / f'train_set/annotations/{code}_val.npy', np.array(0.5))
        write_picture(release / f'train_set/images/{code}.jpg', code)
    np.save(release / 'train_set/annotations/70_exp.npy', np.array('3'))
    (release / 'train_set/annotations/71_exp.npy').write_bytes(b'\x93NUMPY')
    write_picture(release / 'train_set/images/71.jpg', 1)
    write_picture(release / 'train_set/images/72.jpg', 1)
    for number, classes in ((8, NAMES), (7, NAMES[:7])):
        out = tmp_path / f'out{number}'
        summary = convert_affectnet(str(release), str(out), num_classes=number)
        rows = read(out, 'annotation.csv')
        assert {r['image']: r['expression'] for r in rows} == {
            f'train/{code}.jpg': name for code, name in enumerate(classes)}
        found = sorted((s['reason'], s['item'].partition('.')[0]) for s in read(out, 'skipped.csv'))
        assert found == sorted([
            ('image without label', '72'), ('labelled frame without image', '70'),
            ('unreadable label file', '71'),
            *(('label is no expression', str(code)) for code in range(number, 11))])
        assert summary['splits']['train']['classes'] == dict.fromkeys(classes, 1)


def test_class_folders(tmp_path):
    for split in ('train_class', 'val_class'):
        for code in range(8):
            write_picture(tmp_path / f'r/{split}/{code}/same.jpg', code)
    write_picture(tmp_path / 'r/train_class/other/x.jpg', 1)
    summary = convert_affectnet(str(tmp_path / 'r'), str(tmp_path / 'out'))
    rows = read(tmp_path / 'out', 'annotation.csv')
    assert [(r['image'], r['expression'], r['split']) for r in rows] == [
        (f'{split}/{code}/same.jpg', NAMES[code], split)
        for split in ('train', 'val') for code in range(8)]
    assert summary['skipped'] == {'image without label': 1}


def test_no_release(tmp_path):
    with pytest.raises(ConversionError, match='no train or val set'):
        convert_affectnet(str(tmp_path), str(tmp_path / 'out'))
