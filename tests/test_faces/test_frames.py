# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frames of images and videos: in order, upright, with times; what cannot be read is listed."""

import struct

import cv2
import numpy as np
import pytest

from fmae_iat_plugin.faces.frames import read_frames
from fmae_iat_plugin.faces.structures import FrameFile, Unit

pytest.importorskip('av', reason="pip install 'fmae_iat_plugin[face]'")


def write(path, code, count=5, size=(64, 48), rate=20):
    """A video whose frame k is a horizontal ramp plus k."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), rate, size)
    assert writer.isOpened()
    for k in range(count):
        ramp = np.tile(np.linspace(20, 180, size[0]), (size[1], 1)) + 10 * k
        ramp[:size[1] // 2] /= 2
        writer.write(np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8))
    writer.release()
    return path


def read(path):
    problems = []
    return list(read_frames(Unit(path.name, [], path, related=True), problems)), problems


def opencv(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (got := capture.read())[0]:
        frames.append(got[1])
    return frames


@pytest.mark.parametrize('name,code', [('v.avi', 'MJPG'), ('v.mp4', 'mp4v')])
def test_frames_equal_opencvs_and_times_are_seconds(tmp_path, name, code):
    path = write(tmp_path / name, code)
    frames, problems = read(path)
    assert problems == [] and [frame.number for frame in frames] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose([frame.timestamp for frame in frames], np.arange(5) / 20)
    for frame, expected in zip(frames, opencv(path)):
        assert np.abs(frame.image.astype(int) - expected).mean() < 2
    assert frames[3].stem == f'{name}/000004' and frames[3].source == name


@pytest.mark.parametrize('matrix', [(0, 1, -1, 0), (0, -1, 1, 0), (-1, 0, 0, -1)])
def test_turned_phone_videos_are_upright(tmp_path, matrix):
    """The display matrix of the track header is what a phone held sideways writes."""
    path = write(tmp_path / 'v.mp4', 'mp4v')
    data = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    start = data.index(b'tkhd') + 4 + 40  # version 0: flags, times, layer, volume, then 9 numbers
    assert struct.unpack('>9i', data[start:start + 36]) == (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    data[start:start + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    frames, _ = read(path)
    expected = opencv(path)  # turns by itself
    assert frames[0].image.shape == expected[0].shape
    assert np.abs(frames[0].image.astype(int) - expected[0]).mean() < 2
    assert np.abs(frames[0].image[::-1, ::-1].astype(int) - expected[0]).mean() > 10


@pytest.mark.parametrize('cut', [.5, .8])
def test_a_cut_off_video_gives_its_frames_and_says_so(tmp_path, cut):
    path = write(tmp_path / 'v.avi', 'MJPG', count=60)
    whole, _ = read(path)
    path.write_bytes(path.read_bytes()[:int(path.stat().st_size * cut)])
    frames, (entry, ) = read(path)
    assert 60 * cut - 25 < len(frames) < 60 * cut + 5  # header and index take their part
    for frame, expected in zip(frames[:-1], whole):  # the last may be half a picture
        np.testing.assert_array_equal(frame.image, expected.image)
    assert entry.reason == 'video with fewer frames than declared'
    assert f'{len(frames)} frames can be decoded, the file declares 60' in entry.detail


def test_frames_after_a_damaged_one_are_read(tmp_path):
    path = write(tmp_path / 'v.avi', 'MJPG', count=12)
    whole, _ = read(path)
    data = bytearray(path.read_bytes())
    chunks = [n for n in range(len(data)) if data[n:n + 4] == b'00dc' and n + 8 < len(data)
              and data[n + 8:n + 10] == b'\xff\xd8']
    size = int.from_bytes(data[chunks[4] + 4:chunks[4] + 8], 'little')
    data[chunks[4] + 8:chunks[4] + 8 + size] = bytes(size)  # the fifth picture is zeros
    path.write_bytes(data)
    frames, (entry, ) = read(path)
    assert len(frames) == 11 and 'after 4 frames' in entry.detail
    times = [frame.timestamp for frame in whole]
    assert [frame.timestamp for frame in frames] == times[:4] + times[5:]  # times stay right
    np.testing.assert_array_equal(frames[-1].image, whole[-1].image)


def test_no_video_is_listed(tmp_path):
    path = tmp_path / 'v.mp4'
    path.write_bytes(b'not a video at all')
    frames, problems = read(path)
    assert frames == [] and [entry.reason for entry in problems] == ['unreadable video']


def test_unreadable_images_keep_their_place(tmp_path, paint):
    good = paint((3, 4, 20, 30))
    cv2.imwrite(str(tmp_path / '1.png'), good)
    (tmp_path / '2.png').write_bytes(b'')
    files = [FrameFile(f'{n}.png', tmp_path / f'{n}.png', n, str(n)) for n in (1, 2, 3)]
    problems = []
    frames = list(read_frames(Unit('u', files), problems))
    np.testing.assert_array_equal(frames[0].image, good)
    assert [frame.image is None for frame in frames] == [False, True, True]
    assert problems == [] and frames[0].problem is None
    assert [frame.problem[:3] for frame in frames[1:]] == [
        (f'{n}.png', 'unreadable image', str(tmp_path / f'{n}.png')) for n in (2, 3)]
