# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RAF-DB: the misspelt file, labels 1 to 7, what is wrong is listed."""

import csv

import pytest
from small_releases import write_picture, write_text

from fmae_iat_plugin.converters import ConversionError, convert_rafdb

NAMES = ['surprise', 'fear', 'disgust', 'happiness', 'sadness', 'anger', 'neutral']


def read(out, name):
    with open(out / name, newline='') as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('label_file', ['list_patition_label.txt', 'list_partition_label.txt'])
def test_all_classes(tmp_path, aligned, label_file):
    basic = tmp_path / 'release/basic'
    lines = [f'train_{i:05d}.jpg {i}' for i in range(1, 8)] + ['test_0001.jpg 7']
    write_text(basic / 'EmoLabel' / label_file, *lines[::-1])
    for line in lines:
        stem = line.split('.')[0]
        write_picture(basic / f'Image/aligned/{stem}_aligned.jpg', 1)
        write_picture(basic / f'Image/original/{stem}.jpg', 2)
    summary = convert_rafdb(str(tmp_path / 'release'), str(tmp_path / 'out'), aligned)
    rows = read(tmp_path / 'out', 'annotation.csv')
    assert [r['expression'] for r in rows] == ['neutral', *NAMES]
    assert [r['split'] for r in rows] == ['test'] + ['train'] * 7
    end = '_aligned.jpg' if aligned else '.jpg'
    assert rows[1]['image'] == f'train/train_00001{end}'
    assert all((tmp_path / 'out/images' / r['image']).is_file() for r in rows)
    assert summary['splits']['train']['classes'] == dict.fromkeys(NAMES, 1)
    assert summary['warnings'] == ['train: 7 images, published 12271.',
                                   'test: 1 images, published 3068.']
    assert '| test | 1 | 3068 |' in (tmp_path / 'out/summary.md').read_text()


def test_what_is_wrong_is_listed(tmp_path):
    basic = tmp_path / 'basic'
    write_text(basic / 'EmoLabel/list_patition_label.txt', 'train_1.jpg 1', 'train_2.jpg 8',
               'train_3.jpg 2', 'train_1.jpg 1', 'train_4.jpg 3', 'train_4.jpg 4', 'train_6.jpg')
    for name in ('train_1', 'train_4', 'train_9'):
        write_picture(basic / f'Image/aligned/{name}_aligned.jpg', 1)
    convert_rafdb(str(basic), str(tmp_path / 'out'))
    assert [r['image'] for r in read(tmp_path / 'out', 'annotation.csv')] == [
        'train/train_1_aligned.jpg']
    found = sorted((s['reason'], s['item'], s['line']) for s in read(tmp_path / 'out',
                                                                    'skipped.csv'))
    assert found == [
        ('contradictory labels of one frame', 'train_4.jpg', '5'),
        ('contradictory labels of one frame', 'train_4.jpg', '6'),
        ('duplicate frame', 'train_1.jpg', '4'),
        ('image without label', 'train_4_aligned.jpg', ''),
        ('image without label', 'train_9_aligned.jpg', ''),
        ('labelled frame without image', 'train_3_aligned.jpg', '3'),
        ('unreadable line', 'line 2', '2'), ('unreadable line', 'line 7', '7')]


def test_no_release(tmp_path):
    with pytest.raises(ConversionError, match='list_patition_label.txt does not exist'):
        convert_rafdb(str(tmp_path), str(tmp_path / 'out'))
