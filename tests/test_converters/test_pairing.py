# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Videos that are cut off, damaged or unreadable in a release: listed, no wrong label."""

import pytest
from small_releases import Result, cut_off, lose, write_picture, write_text, write_video

from fmae_iat_plugin.converters import Options, convert_bp4d


def release_with(tmp_path, spoil):
    """A release whose second video was spoilt by ``spoil(bytes)``."""
    release = tmp_path / 'release'
    for task in ('T1', 'T2'):
        write_text(release / f'AU_OCC/F001_{task}.csv', '0,1',
                   *(f'{frame},{frame % 2}' for frame in range(1, 13)))
        write_video(release / f'2F01_{task}.avi', 12)
    path = release / '2F01_T2.avi'
    path.write_bytes(spoil(path.read_bytes()))
    return release


@pytest.mark.parametrize('spoil, reason', [
    (lambda data: cut_off(data, 9), 'truncated video'),
    (lambda data: lose(data, 4), 'damaged video'), (lambda data: bytes(50), 'unreadable video')])
def test_spoilt_videos(tmp_path, spoil, reason):
    release = release_with(tmp_path, spoil)
    convert_bp4d(str(release), str(tmp_path / 'out'), Options(image_format='png'))
    got = Result(tmp_path / 'out')
    rows = got.rows(1)
    assert [r[2] for r in rows if r[1] == 'T1'] == [str(n) for n in range(1, 13)]
    assert got.pictured() == [int(r[2]) for r in rows]  # every label on its own picture
    kept = sum(r[1] == 'T2' for r in rows)
    assert (7 <= kept <= 8) if reason == 'truncated video' else kept == 0
    assert [s[0] for s in got.reasons() if s[2] == '2F01_T2.avi'] == [reason]
    missing = [s for s in got.reasons() if s[0] == 'labelled frame without image']
    assert [s[3] for s in missing] == [str(n + 1) for n in range(kept + 1, 13)]
    images = sorted((tmp_path / 'out/images').rglob('*.png'))
    assert len(images) == len(rows)


def test_damaged_videos_on_request(tmp_path):
    release = release_with(tmp_path, lambda data: lose(data, 4))
    convert_bp4d(str(release), str(tmp_path / 'out'), Options(damaged='keep'))
    assert sum(r[1] == 'T2' for r in Result(tmp_path / 'out').rows(1)) > 6


def test_images_win_over_the_video_unless_told(tmp_path):
    release = tmp_path / 'release'
    write_text(release / 'AU_OCC/F001_T1.csv', '0,1', '1,1')
    write_video(release / '2F01_T1.avi', 1, first=7)
    write_picture(release / 'F001/T1/1.jpg', 3)
    for source, number in (('auto', 3), ('images', 3), ('videos', 7)):
        out = tmp_path / source
        convert_bp4d(str(release), str(out), Options(source=source, image_format='png'))
        assert Result(out).pictured() == [number]
