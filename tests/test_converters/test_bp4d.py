# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""BP4D: each trap of the release in a small one."""

import json
from pathlib import Path

import pytest
from small_releases import Result, number_in, write_picture, write_text, write_video

from fmae_iat_plugin.converters import ConversionError, Options, convert_bp4d
from fmae_iat_plugin.converters.bp4d import VIDEO_TASKS
from fmae_iat_plugin.datasets import BP4D

FULL = ','.join(map(str, range(100)))


def full_line(frame, **aus):
    """A line of the original layout: 9 everywhere but in the AUs given."""
    cells = ['9'] * 100
    cells[0] = str(frame)
    for name, value in aus.items():
        cells[int(name[2:])] = str(value)
    return ','.join(cells)


def test_original_and_rereleased_labels_images_of_3_and_4_digits(tmp_path):
    release = tmp_path / 'release'
    labels = release / 'AUCoding/AU_OCC'
    write_text(labels / 'F001_T1.csv', FULL, full_line(11, AU1=1, AU12=0), full_line(9, AU1=0))
    write_text(labels / 'M002_T8.csv', '0,1,2,12', '3,0,1,9', '4,1,9,0')
    for number in (11, 9):
        write_picture(release / f'Sequences(2D+3D)/F001/T1/{number:04d}.jpg', number)
    for number in (4, 3):
        write_picture(release / f'Sequences(2D+3D)/M002/T8/{number:03d}.jpg', number)
    summary = convert_bp4d(str(release), str(tmp_path / 'out'))
    got = Result(tmp_path / 'out')
    assert got.rows(1, 2, 12) == [
        ('F001', 'T1', '9', 0.0, None, None), ('F001', 'T1', '11', 1.0, None, 0.0),
        ('M002', 'T8', '3', 0.0, 1.0, None), ('M002', 'T8', '4', 1.0, None, 0.0)]
    assert got.pictured() == [9, 11, 3, 4] and got.skipped == []
    assert set(got.table.aus) == {1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24}
    assert summary['subjects'] == 2 and summary['frames'] == 4 and summary['missing_codes'] == 41
    assert not summary['compared'] and 'too small' in summary['not_compared_because']
    assert 'too small' in (tmp_path / 'out/summary.md').read_text()
    # what training makes of it
    data = BP4D('annotation.csv', data_root=str(tmp_path / 'out'), data_prefix='images',
                split='all', pipeline=[])
    assert len(data) == 4 and number_in(Path(data.get_data_info(0)['img_path'])) == 9


def test_numbers_of_the_videos_become_tasks(tmp_path):
    release = tmp_path / 'release'
    for i, (suffix, task) in enumerate(VIDEO_TASKS.items()):
        write_text(release / f'AU_OCC/F001_{task}.csv', '0,1', '1,1', '2,0')
        write_video(release / f'videos/2F01_{suffix}.avi', 2, first=2 * i + 1)
    write_video(release / 'videos/2F01_02.avi', 2, first=20)  # an uncoded task
    summary = convert_bp4d(str(release), str(tmp_path / 'out'), Options(image_format='png'))
    got = Result(tmp_path / 'out')
    assert [(r[1], r[2]) for r in got.rows(1)] == [(f'T{t}', str(f))
                                                   for t in range(1, 9) for f in (1, 2)]
    assert got.pictured() == list(range(1, 17)) and summary['skipped'] == {}


def test_video_already_named_by_task_and_frames_from_the_middle(tmp_path):
    release = tmp_path / 'release'
    write_text(release / 'AU_OCC/M018_T3.csv', '0,1', '4,1', '6,0')
    write_video(release / '2M18_T3.avi', 8)
    convert_bp4d(str(release), str(tmp_path / 'out'), Options(halve=True))
    got = Result(tmp_path / 'out')
    assert got.pictured() == [4, 6]
    assert got.reasons() == [('image without label', 'M018/T3', '2M18_T3.avi', '')]
    assert got.skipped[0]['number'] == '6'


def test_what_has_no_partner_is_listed(tmp_path):
    release = tmp_path / 'release'
    labels = release / 'AUCoding/AU_OCC'
    write_text(labels / 'F001_T1.csv', '0,1', '1,1', '2,0', '3,7', '4,1,1', 'x,1', '5,0')
    write_text(labels / 'F001_T2.csv', '0,1', '1,1')
    (labels / 'F001_T3.csv').write_bytes(b'0,1\n1,\xff\n')
    write_text(labels / 'notes.csv', 'hello')
    for number in (1, 5, 6):
        write_picture(release / f'F001/T1/{number:03d}.jpg', number)
    (release / 'F001/T1/002.jpg').write_bytes(b'')
    write_picture(release / 'F001/T1/face.jpg', 1)
    write_picture(release / 'F001/T3/001.jpg', 1)
    write_picture(release / 'F001/T5/001.jpg', 1)
    summary = convert_bp4d(str(release), str(tmp_path / 'out'))
    got = Result(tmp_path / 'out')
    assert [r[2] for r in got.rows(1)] == ['1', '5'] and got.pictured() == [1, 5]
    assert sorted(got.reasons()) == sorted([
        ('unreadable line', 'F001/T1/3', 'F001_T1.csv', '4'),
        ('unreadable line', 'F001/T1', 'F001_T1.csv', '5'),
        ('unreadable line', 'F001/T1', 'F001_T1.csv', '6'),
        ('labelled frame without image', 'F001/T1/2', 'F001_T1.csv', '3'),
        ('empty image file', 'F001/T1/2', '002.jpg', ''),
        ('image without label', 'F001/T1/6', '006.jpg', ''),
        ('image name without a frame number', 'face.jpg', 'face.jpg', ''),
        ('labelled frame without image', 'F001/T2/1', 'F001_T2.csv', '2'),
        ('unreadable label file', 'F001/T3', 'F001_T3.csv', '2'),
        ('not a label file', 'notes.csv', 'notes.csv', ''),
        ('video without labels', 'F001/T5', 'T5', '')])
    assert summary['skipped']['unreadable line'] == 3
    assert any('are lost labels or images' in w for w in summary['warnings'])
    assert json.loads((tmp_path / 'out/summary.json').read_text()) == summary


def test_images_of_one_frame_under_two_names(tmp_path):
    release = tmp_path / 'release'
    write_text(release / 'AU_OCC/F001_T1.csv', '0,1', '1,1', '2,0')
    for name, number in (('001', 1), ('0001', 1), ('002', 2), ('0002', 3)):
        write_picture(release / f'F001/T1/{name}.jpg', number)
    convert_bp4d(str(release), str(tmp_path / 'out'))
    got = Result(tmp_path / 'out')
    assert [r[2] for r in got.rows(1)] == ['1']
    assert sorted(got.reasons()) == [
        ('duplicate image', 'F001/T1/1', '001.jpg', ''),
        ('duplicate image', 'F001/T1/2', '0002.jpg', ''),
        ('duplicate image', 'F001/T1/2', '002.jpg', ''),
        ('labelled frame without image', 'F001/T1/2', 'F001_T1.csv', '3')]


def test_two_sources_are_not_chosen_between(tmp_path):
    release = tmp_path / 'release'
    write_text(release / 'AU_OCC/F001_T1.csv', '0,1', '1,1')
    for folder in ('visible', 'thermal'):
        write_picture(release / folder / 'F001/T1/001.jpg', 1)
    with pytest.raises(ConversionError, match='no labelled frame with an image'):
        convert_bp4d(str(release), str(tmp_path / 'a'))
    assert 'more than one image source' in (tmp_path / 'a/skipped.csv').read_text()
    convert_bp4d(str(release), str(tmp_path / 'b'), pictures=str(release / 'visible'))
    assert Result(tmp_path / 'b').pictured() == [1]


@pytest.mark.parametrize('place', ['link', 'copy', 'symlink'])
def test_how_images_are_placed(tmp_path, place):
    release = tmp_path / 'release'
    write_text(release / 'AU_OCC/F001_T1.csv', '0,1', '1,1')
    write_picture(release / 'F001/T1/001.jpg', 1)
    convert_bp4d(str(release), str(tmp_path / 'out'), Options(place=place))
    image, source = tmp_path / 'out/images/F001/T1/00001.jpg', release / 'F001/T1/001.jpg'
    assert image.read_bytes() == source.read_bytes()
    assert image.is_symlink() == (place == 'symlink')
    assert image.samefile(source) == (place != 'copy')


def test_errors_of_the_whole(tmp_path):
    with pytest.raises(ConversionError, match='is not a folder'):
        convert_bp4d(str(tmp_path / 'none'), str(tmp_path / 'out'))
    write_text(tmp_path / 'r/a/AU_OCC/F001_T1.csv', '0,1', '1,1')
    write_text(tmp_path / 'r/b/AU_OCC/F001_T1.csv', '0,1', '1,1')
    with pytest.raises(ConversionError, match='choose it with --labels'):
        convert_bp4d(str(tmp_path / 'r'), str(tmp_path / 'out'))
