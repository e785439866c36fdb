# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Videos: right numbers or none, each decoded once, nothing twice."""

from fractions import Fraction
from unittest.mock import patch

import av
import cv2
import numpy as np
import pytest
from small_releases import cut_off, grey, lose, number_in, write_video

from fmae_iat_plugin.converters.video import extract_frames, is_cut_off


@pytest.fixture
def video(tmp_path):
    """12 frames, and the targets of frames 2, 5 and 12."""
    write_video(tmp_path / 'v.avi', 12)
    return tmp_path / 'v.avi', {n: tmp_path / f'{n}.png' for n in (2, 5, 12)}, tmp_path / 'v.json'


def test_wanted_frames_and_only_these(video, tmp_path):
    path, targets, marker = video
    assert extract_frames(path, targets, marker) == ('whole', 12, 12)
    assert {n: number_in(t) for n, t in targets.items()} == {2: 2, 5: 5, 12: 12}
    assert len(list(tmp_path.glob('*.png'))) == 3 and not is_cut_off(path)


def test_halved(video):
    path, targets, marker = video
    extract_frames(path, targets, marker, halve=True)
    assert cv2.imread(str(targets[5])).shape == (16, 24, 3) and number_in(targets[5]) == 5


def test_finished_images_are_kept_and_the_video_is_not_decoded_again(video):
    path, targets, marker = video
    targets[5].write_bytes(b'mine')
    extract_frames(path, targets, marker)
    assert targets[5].read_bytes() == b'mine' and number_in(targets[2]) == 2
    with patch('fmae_iat_plugin.converters.video.read_video') as capture:
        assert extract_frames(path, targets, marker) == ('whole', 12, 12)
        assert not capture.called
    targets[12].unlink()
    extract_frames(path, targets, marker)
    assert number_in(targets[12]) == 12


def test_cut_off_keeps_the_frames_before_the_cut(video):
    path, targets, marker = video
    path.write_bytes(cut_off(path.read_bytes(), 9))
    report = extract_frames(path, targets, marker)
    assert is_cut_off(path) and report.state == 'truncated' and report.declared == 12
    assert 7 <= report.usable <= 8
    assert [n for n, t in targets.items() if t.exists()] == [2, 5]
    assert [number_in(targets[n]) for n in (2, 5)] == [2, 5]


def test_damage_inside_shifts_the_numbers_and_is_noticed(video):
    path, targets, marker = video
    path.write_bytes(lose(path.read_bytes(), 4))
    report = extract_frames(path, targets, marker)
    assert report.state == 'damaged' and report.usable < report.declared == 12
    assert number_in(targets[5]) != 5  # why it must not be used


def test_bytes_that_are_no_video(tmp_path):
    for name, data in (('a.avi', b''), ('b.avi', b'RIFF'), ('c.mp4', bytes(100)),
                       ('d.avi', np.random.default_rng(0).bytes(500))):
        (tmp_path / name).write_bytes(data)
        report = extract_frames(tmp_path / name, {1: tmp_path / '1.png'}, tmp_path / f'{name}.json')
        assert report.state == 'unreadable' and not (tmp_path / '1.png').exists()


def write_film(path, count=12, hidden=0, noise=False):
    """An MPEG-4 film whose frame k carries k + 1; the edit list hides the first ``hidden``."""
    with av.open(str(path), 'w') as box:
        stream = box.add_stream('mpeg4', rate=25, options={'g': '6'})
        stream.width, stream.height, stream.pix_fmt = 48, 32, 'yuv420p'
        for number in range(count):
            picture = grey(number + 1) if not noise else np.kron(
                np.random.default_rng(number).integers(0, 255, (4, 6, 3), dtype=np.uint8),
                np.ones((8, 8, 1), np.uint8))
            frame = av.VideoFrame.from_ndarray(picture, format='bgr24')
            frame.pts, frame.time_base = number - hidden, Fraction(1, 25)
            for packet in stream.encode(frame):
                box.mux(packet)
        for packet in stream.encode(None):
            box.mux(packet)
    return path


def test_a_trimmed_video_is_whole_and_counts_from_what_is_shown(tmp_path):
    path = write_film(tmp_path / 'v.mp4', hidden=4)
    targets = {n: tmp_path / f'{n}.png' for n in (1, 8)}
    assert extract_frames(path, targets, tmp_path / 'v.json') == ('whole', 8, 8)
    assert [number_in(targets[n]) for n in (1, 8)] == [5, 12]


def test_pictures_of_damaged_data_are_left_out_and_the_numbers_hold(tmp_path):
    path = write_film(tmp_path / 'v.avi', noise=True)
    with av.open(str(path)) as box:
        places = [(packet.pos, packet.size) for packet in box.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    place, size = places[6]  # the second key frame
    data[place + size // 3:place + size // 3 * 2] = np.random.default_rng(4).bytes(
        size // 3 * 2 - size // 3)
    path.write_bytes(data)
    targets = {n: tmp_path / f'{n}.png' for n in range(1, 13)}
    for _ in range(2):  # the second call takes the marker's word
        assert extract_frames(path, targets, tmp_path / 'v.json') == ('whole', 12, 12)
        assert [n for n, target in targets.items() if target.exists()] == list(range(1, 7))


def test_a_name_that_looks_like_a_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_film(tmp_path / 'v.avi').rename('10:20.avi')
    assert extract_frames(path, {1: tmp_path / '1.png'}, tmp_path / 'v.json').usable == 12
