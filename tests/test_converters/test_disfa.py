# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""DISFA: cameras, numbering, intensities, and a brute-force reader of its label files."""


import pytest
from small_releases import Result, write_picture, write_text, write_video

from fmae_iat_plugin.converters import ConversionError, Options, convert_disfa
from fmae_iat_plugin.converters.disfa import AUS
from fmae_iat_plugin.datasets import DISFA


def write_labels(release, subject='SN001', frames=3, without=(), **values):
    """Intensity 0 but for ``au12=[0, 3, 5]`` and the like."""
    for au in set(AUS) - set(without):
        given_values = values.get(f'au{au}', [0] * frames)
        write_text(release / f'ActionUnit_Labels/{subject}/{subject}_au{au}.txt',
                   *(f'{i},{v}' for i, v in enumerate(given_values, 1)))


def test_camera_intensities_and_the_data_set(tmp_path):
    release = tmp_path / 'release'
    write_labels(release, au12=[0, 3, 5], au1=[1, 2, 0])
    write_video(release / 'Videos_RightCamera/RightVideoSN001_comp.avi', 3, first=1)
    write_video(release / 'Videos_LeftCamera/LeftVideoSN001_comp.avi', 3, first=11)
    for camera, first in (('right', 1), ('left', 11)):
        out = tmp_path / camera
        convert_disfa(str(release), str(out), Options(image_format='png'), camera=camera)
        got = Result(out)
        assert got.rows(1, 12) == [('SN001', camera, '1', 1.0, 0.0),
                                   ('SN001', camera, '2', 2.0, 3.0),
                                   ('SN001', camera, '3', 0.0, 5.0)]
        assert got.pictured() == [first, first + 1, first + 2] and got.skipped == []
    data = DISFA('annotation.csv', data_root=str(out), data_prefix='images', split='all',
                 pipeline=[])
    assert [data.get_data_info(i)['gt_score'][[0, 5]].tolist() for i in range(3)] == [
        [0, 0], [1, 1], [0, 1]]
    with pytest.raises(ConversionError, match='holds a conversion made with other settings'):
        convert_disfa(str(release), str(out), Options(image_format='png'), camera='right')


@pytest.mark.parametrize('first_image, wrong', [(0, 1), (1, 0)])
def test_images_numbered_from_0_or_from_1(tmp_path, first_image, wrong):
    release = tmp_path / 'release'
    write_labels(release, au12=[1, 2, 3])
    for frame in (3, 1, 2):
        write_picture(release / f'images/SN001/{frame - 1 + first_image}.jpg', frame)
    with pytest.raises(ConversionError, match=f'pass --first-image {first_image}'):
        convert_disfa(str(release), str(tmp_path / 'out'), first_image=wrong)
    convert_disfa(str(release), str(tmp_path / 'out'), first_image=first_image)
    got = Result(tmp_path / 'out')
    assert [r[2:] for r in got.rows(12)] == [('1', 1.0), ('2', 2.0), ('3', 3.0)]
    assert got.pictured() == [1, 2, 3]


def test_missing_and_damaged_label_files(tmp_path):
    release = tmp_path / 'release'
    write_labels(release, frames=3, without=(26,))
    folder = release / 'ActionUnit_Labels/SN001'
    write_text(folder / 'SN001_au1.txt', '1,0', '2,9', '3,4', '3,4', '2')
    write_text(folder / 'SN001_au2.txt', '3,1', '1,2', '3,2')
    (folder / 'SN001_au4.txt').write_bytes(b'1,0\n2,\x80\n')
    write_text(folder / 'SN002_au5.txt', '1,0')
    write_text(folder / 'SN001_au6.txt', '0,1', '1,1', '2,1', '3,1')
    write_video(release / 'RightVideoSN001_comp.avi', 2)
    convert_disfa(str(release), str(tmp_path / 'out'))
    got = Result(tmp_path / 'out')
    assert got.rows(1, 2, 4, 6, 26) == [('SN001', 'right', '1', 0.0, 2.0, None, 1.0, None),
                                        ('SN001', 'right', '2', None, None, None, 1.0, None)]
    assert sorted(got.reasons()) == sorted([
        ('unreadable line', 'SN001/right', 'SN001_au1.txt', '2'),
        ('unreadable line', 'SN001/right', 'SN001_au1.txt', '5'),
        ('duplicate frame', 'SN001/right/3', 'SN001_au1.txt', '4'),
        ('contradictory labels of one frame', 'SN001/right/3', 'SN001_au2.txt', '3'),
        ('unreadable label file', 'SN001/right', 'SN001_au4.txt', '2'),
        ('not a label file', 'SN002_au5.txt', 'SN002_au5.txt', ''),
        ('unreadable line', 'SN001/right', 'SN001_au6.txt', '1'),
        ('no label file', 'SN001/right', 'SN001', ''),
        ('truncated video', 'SN001/right', 'RightVideoSN001_comp.avi', ''),
        ('labelled frame without image', 'SN001/right/3', 'SN001_au1.txt', '3')])
