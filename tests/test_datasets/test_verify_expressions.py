# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Releases of RAF-DB and AffectNet: every class is counted, and what is wrong is listed."""

import csv
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.datasets.verify_expressions import verify_expressions

pytestmark = pytest.mark.slow

RAF = ['surprise', 'fear', 'disgust', 'happiness', 'sadness', 'anger', 'neutral']
AFFECT = ['neutral', 'happy', 'sad', 'surprise', 'fear', 'disgust', 'anger', 'contempt']


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (4, 4)).save(path)


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')


def listed(path):
    with open(path, newline='') as file:
        return sorted((row['reason'], row['item'].split('/')[-1], row['line'])
                      for row in csv.DictReader(file))


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('label_file', ['list_patition_label.txt', 'list_partition_label.txt'])
def test_rafdb_classes(tmp_path, aligned, label_file):
    basic = tmp_path / 'basic'
    lines = [f'train_{i:05d}.jpg {i}' for i in range(1, 8)] + ['test_0001.jpg 7']
    write(basic / 'EmoLabel' / label_file, *lines[::-1])
    for line in lines:
        stem = line.split('.')[0]
        picture(basic / (f'Image/aligned/{stem}_aligned.jpg' if aligned
                         else f'Image/original/{stem}.jpg'))
    report = verify_expressions('rafdb', tmp_path, aligned)
    assert report['problems'] == {}
    assert report['splits']['train']['classes'] == dict.fromkeys(RAF, 1)
    assert report['splits']['test']['classes'] == {**dict.fromkeys(RAF, 0), 'neutral': 1}
    assert report['warnings'] == ['test: 1 images, published 3068.',
                                  'train: 7 images, published 12271.']


def test_rafdb_problems_are_listed(tmp_path, repo):
    basic = tmp_path / 'basic'
    write(basic / 'EmoLabel/list_patition_label.txt', 'train_1.jpg 1', 'train_2.jpg 8',
          'train_3.jpg 2', 'train_1.jpg 1', 'train_4.jpg 3', 'train_4.jpg 4', 'train_6.jpg',
          'test_5.jpg 7')
    for name in ('train_1', 'train_4', 'train_9', 'test_5', '._train_1'):
        picture(basic / f'Image/aligned/{name}_aligned.jpg')
    (basic / 'Image/aligned/test_5_aligned.jpg').write_bytes(b'')
    done = subprocess.run(
        [sys.executable, repo / 'tools/misc/verify_expressions.py', 'rafdb', basic, '--list',
         tmp_path / 'list.csv'], capture_output=True, text=True)
    assert done.returncode == 1 and '9 problems' in done.stdout, done.stderr
    assert listed(tmp_path / 'list.csv') == [
        ('contradictory labels of one image', 'train_4.jpg', '5'),
        ('contradictory labels of one image', 'train_4.jpg', '6'),
        ('duplicate image', 'train_1.jpg', '4'),
        ('empty image file', 'test_5_aligned.jpg', ''),
        ('missing image', 'train_3_aligned.jpg', ''),
        ('no annotation', 'train_4_aligned.jpg', ''),
        ('no annotation', 'train_9_aligned.jpg', ''),
        ('unreadable line', 'line 2', '2'), ('unreadable line', 'line 7', '7')]


@pytest.mark.parametrize('number', [7, 8])
def test_affectnet_annotations(tmp_path, number):
    (tmp_path / 'train_set/annotations').mkdir(parents=True)
    for code in range(11):
        np.save(tmp_path / f'train_set/annotations/{code}_exp.npy',
                np.array(str(code) if code % 2 else code))
        picture(tmp_path / f'train_set/images/{code}.jpg')
    np.save(tmp_path / 'train_set/annotations/70_exp.npy', np.array('3'))
    (tmp_path / 'train_set/annotations/71_exp.npy').write_bytes(b'\x93NUMPY')
    picture(tmp_path / 'train_set/images/71.jpg')
    picture(tmp_path / 'train_set/images/72.jpg')
    report = verify_expressions('affectnet', tmp_path, num_classes=number,
                                skip_file=str(tmp_path / 'list.csv'))
    assert report['splits']['train']['classes'] == dict.fromkeys(AFFECT[:number], 1)
    assert listed(tmp_path / 'list.csv') == sorted([
        ('no annotation', '72.jpg', ''), ('missing image', '70.jpg', ''),
        ('unreadable label file', '71', ''),
        *(('label is no expression', f'{code}.jpg', '') for code in range(number, 11))])


def test_affectnet_class_folders(tmp_path):
    for split in ('train_class', 'val_class'):
        for code in range(8):
            picture(tmp_path / f'{split}/{code}/same.jpg')
    picture(tmp_path / 'train_class/other/x.jpg')
    report = verify_expressions('affectnet', tmp_path)
    assert {name: split['classes'] for name, split in report['splits'].items()} == {
        'train': dict.fromkeys(AFFECT, 1), 'val': dict.fromkeys(AFFECT, 1)}
    assert report['problems'] == {'the folder is no label code': 1}


@pytest.mark.parametrize('data_set, message', [
    ('rafdb', 'list_patition_label.txt does not exist'), ('affectnet', 'no AffectNet train set'),
    ('ferplus', 'neither rafdb nor affectnet')])
def test_no_release(tmp_path, data_set, message):
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        verify_expressions(data_set, tmp_path)
