# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The authors' JSON lines, both ways."""

import csv
import json

import pytest
from small_releases import Result, write_picture, write_text

from fmae_iat_plugin.converters import ConversionError, json_to_table, table_to_json
from fmae_iat_plugin.converters.fmae_json import subject_of

AUS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)


def entry(image, *active, filler=True):
    aus = [au if au in active else 999 for au in AUS] if filler else list(active)
    return json.dumps(dict(img_path=image, AUs=aus))


@pytest.mark.parametrize('image, dataset, subject', [
    ('2F01_T1/frame_12.jpg', 'bp4d', 'F001'), ('2M18_T8/frame_1.jpg', 'bp4d', 'M018'),
    ('F082_T6/frame_1.jpg', 'bp4dplus', 'F082'), ('RightVideoSN032/frame_1.jpg', 'disfa', 'SN032'),
    ('F001_T1/frame_1.jpg', 'bp4d', None), ('x.jpg', 'disfa', None), ('', 'bp4dplus', None)])
def test_subject_in_the_path(image, dataset, subject):
    assert subject_of(image, dataset) == subject


def test_lists_to_table_and_back(tmp_path):
    train = write_text(tmp_path / 'train.json', entry('2F01_T1/frame_12.jpg', 1, 12),
                       entry('2F01_T1/frame_2.jpg'))
    test = write_text(tmp_path / 'test.json', entry('2M02_T8/frame_3.jpg', 24, 1, filler=False))
    summary = json_to_table([str(train), str(test)], str(tmp_path / 'out'), 'bp4d')
    got = Result(tmp_path / 'out')
    assert got.rows(1, 12, 24) == [('F001', 'T1', '2', 0.0, 0.0, 0.0),
                                   ('F001', 'T1', '12', 1.0, 1.0, 0.0),
                                   ('M002', 'T8', '3', 1.0, 0.0, 1.0)]
    assert got.skipped == [] and summary['subjects'] == 2
    for keep_paths in (True, False):  # the paths can be rebuilt as well
        out = tmp_path / f'back{keep_paths}'
        table_to_json(str(tmp_path / 'out/annotation.csv'), str(out), 'bp4d',
                      keep_paths=keep_paths)
        assert (out / 'annotation.json').read_text().splitlines() == [
            entry('2F01_T1/frame_2.jpg'), entry('2F01_T1/frame_12.jpg', 1, 12),
            entry('2M02_T8/frame_3.jpg', 1, 24)]


def test_images_follow(tmp_path):
    file = write_text(tmp_path / 'a.json', entry('2F01_T1/frame_12.jpg', 1),
                      entry('2F01_T1/frame_13.jpg'))
    write_picture(tmp_path / 'faces/2F01_T1/frame_12.jpg', 12)
    json_to_table([str(file)], str(tmp_path / 'out'), 'bp4d', images=str(tmp_path / 'faces'))
    got = Result(tmp_path / 'out')
    assert got.pictured() == [12]
    assert got.reasons() == [('labelled frame without image', '2F01_T1/frame_13.jpg', 'a.json',
                              '2')]


def test_what_cannot_be_read_is_listed(tmp_path):
    good = entry('2F01_T1/frame_1.jpg', 1)
    file = write_text(
        tmp_path / 'a.json', good, '{"img_path": "2F01', '[]', entry('2F01_T1/frame_2.jpg')[:-1],
        entry('x/frame_3.jpg'), json.dumps(dict(img_path='2F01_T1/4.jpg', AUs=[5])),
        json.dumps(dict(img_path='2F01_T1/4.jpg', AUs=[1, 1])), good,
        json.dumps(dict(img_path='2F01_T1/4.jpg', AUs=[True])),
        entry('2F01_T1/frame_5.jpg', 1), entry('2F01_T1/frame_5.jpg', 2))
    json_to_table([str(file)], str(tmp_path / 'out'), 'bp4d')
    got = Result(tmp_path / 'out')
    assert [r[:3] for r in got.rows(1)] == [('F001', 'T1', '1')]
    assert [(s[0], s[3]) for s in got.reasons()] == [
        ('unreadable line', '2'), ('unreadable line', '3'), ('unreadable line', '4'),
        ('unreadable line', '5'), ('unreadable line', '6'), ('unreadable line', '7'),
        ('duplicate frame', '8'), ('unreadable line', '9'),
        ('contradictory labels of one frame', '10'), ('contradictory labels of one frame', '11')]


def test_not_coded_is_no_negative_unless_asked(tmp_path):
    header = 'image,subject,' + ','.join(f'AU{au}' for au in AUS) + ',sequence,frame'
    table = write_text(tmp_path / 't.csv', header, 'a.jpg,F001,1' + ',0' * 11 + ',T1,5',
                       'b.jpg,F001,,1' + ',0' * 10 + ',T1,6')
    table_to_json(str(table), str(tmp_path / 'skip'), 'bp4d')
    assert (tmp_path / 'skip/annotation.json').read_text() == entry('2F01_T1/frame_5.jpg', 1) + '\n'
    with open(tmp_path / 'skip/skipped.csv', newline='') as file:
        assert [(s['reason'], s['line'], s['detail']) for s in csv.DictReader(file)] == [
            ('a label is not coded', '3', 'AU1')]
    table_to_json(str(table), str(tmp_path / 'negative'), 'bp4d', not_coded='negative')
    assert (tmp_path / 'negative/annotation.json').read_text().splitlines()[1] == entry(
        '2F01_T1/frame_6.jpg', 2)


def test_intensities_become_occurrences(tmp_path):
    table = write_text(tmp_path / 't.csv', 'image,subject,AU12,AU25,sequence,frame',
                       'a.jpg,SN001,1,2,right,1', 'b.jpg,SN001,0,5,left,2')
    table_to_json(str(table), str(tmp_path / 'out'), 'disfa', aus=[12, 25])
    assert [json.loads(line) for line in open(tmp_path / 'out/annotation.json')] == [
        dict(img_path='RightVideoSN001/frame_1.jpg', AUs=[999, 25]),
        dict(img_path='LeftVideoSN001/frame_2.jpg', AUs=[999, 25])]


def test_paths_that_lose_the_subject(tmp_path):
    table = write_text(tmp_path / 't.csv', 'image,subject,AU1', 'F001/a.jpg,F001,1')
    with pytest.raises(ConversionError, match='no row could be written'):
        table_to_json(str(table), str(tmp_path / 'out'), 'bp4d', aus=[1], keep_paths=True)
    assert "does not give the subject 'F001'" in (tmp_path / 'out/skipped.csv').read_text()
