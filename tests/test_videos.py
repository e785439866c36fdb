# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Videos are read as players show them, and what is damaged is told from what is hidden."""

import os
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from fmae_iat_plugin.videos import Damage, count_frames, import_av, read_video, turned

SIZE = 64, 48


def encode(box, stream, pictures, start=0):
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format='rgb24')
        frame.pts, frame.time_base = start + number, Fraction(1, 25)
        box.mux(stream.encode(frame))
    box.mux(stream.encode(None))


def add_stream(box, codec='mpeg4', size=SIZE, **options):
    stream = box.add_stream(codec, rate=25, options={'g': '10', **options})
    stream.width, stream.height = size
    stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
    stream.codec_context.time_base = Fraction(1, 25)
    return stream


def greys(count, size=SIZE):
    """Picture k is grey, 20 + 8 k."""
    return [np.full((*size[::-1], 3), 20 + 8 * number, np.uint8) for number in range(count)]


def write(path, count=20, start=0, ratio=None, pictures=None, codec='mpeg4', **opening):
    with av.open(str(path), 'w', **opening) as box:
        stream = add_stream(box, codec)
        if ratio:
            stream.codec_context.sample_aspect_ratio = ratio
        encode(box, stream, pictures or greys(count), start)
    return path


def read(path):
    damage = Damage()
    return list(read_video(path, damage)), damage


def numbers(frames):
    """The picture numbers that the grey values carry."""
    return [round((float(frame.image.mean()) - 20) / 8) for frame in frames]


@pytest.mark.parametrize('suffix', ['.mp4', '.mov'])
def test_hidden_frames_of_a_trimmed_video_are_no_damage(tmp_path, suffix):
    """`ffmpeg -ss ... -c copy` and phones leave frames before the edit list's beginning."""
    path = tmp_path / f'trimmed{suffix}'
    with av.open(str(write(tmp_path / 'whole.mp4'))) as source, av.open(str(path), 'w') as box:
        stream = source.streams.video[0]
        copy = box.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                move = round(Fraction(7, 25) / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - move, packet.dts - move, copy
                box.mux(packet)
    with av.open(str(path)) as box:
        assert box.streams.video[0].frames == 20  # the header counts what is hidden
    frames, damage = read(path)
    assert numbers(frames) == list(range(7, 20)) and str(damage) == '' and damage.trusted is None
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(13) / 25, atol=1e-4)
    assert damage.declared == 13 == count_frames(path)


def noise(count):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (count, 6, 8, 3), dtype=np.uint8)
    return [np.kron(picture, np.ones((8, 8, 1), np.uint8)) for picture in coarse]


def test_damaged_packets_inside_are_noticed_to_the_next_key_frame(tmp_path):
    path = write(tmp_path / 'a.avi', pictures=noise(30))
    whole, damage = read(path)
    assert str(damage) == '' and not any(frame.damaged for frame in whole)
    with av.open(str(path)) as box:
        packets = [(packet.pos, packet.size, packet.is_keyframe)
                   for packet in box.demux(video=0) if packet.size]
    place, size, _ = packets[13]
    data = bytearray(path.read_bytes())
    data[place + size // 3:place + size // 3 * 2] = np.random.default_rng(1).bytes(
        size // 3 * 2 - size // 3)
    path.write_bytes(data)
    frames, damage = read(path)
    assert len(frames) == 30 and damage.trusted is None
    same = [np.array_equal(a.image, b.image) for a, b in zip(frames, whole)]
    key = next(number for number in range(14, 31) if number == 30 or packets[number][2])
    assert damage.damaged == list(range(14, key + 1)) and not same[13]
    assert all(same[:13]) and all(same[key:])
    assert f'{key - 13} frames come from damaged data, the first is 14' in str(damage)


def test_lost_packets_of_a_stream_are_noticed(tmp_path):
    path = write(tmp_path / 'a.mts', pictures=noise(30), format='mpegts', codec='mpeg2video')
    data, cut = path.read_bytes(), 188
    middle = len(data) // cut // 2 * cut
    path.write_bytes(data[:middle] + data[middle + 9 * cut:])
    frames, damage = read(path)
    assert damage.lost and damage.damaged and 'data are missing' in str(damage)
    assert damage.trusted < len(frames)


@pytest.mark.parametrize('cover_first', [True, False])
@pytest.mark.parametrize('flagged', [True, False])
def test_the_film_is_read_and_not_its_cover(tmp_path, cover_first, flagged):
    """A cover of more pixels than the film, marked as attached or not."""
    path = tmp_path / 'a.mkv'
    with av.open(str(path), 'w') as box:
        def cover():
            stream = add_stream(box, 'mjpeg', (128, 128))
            if flagged:
                stream.disposition = av.stream.Disposition.attached_pic
            return stream

        first = cover() if cover_first else add_stream(box)
        other = add_stream(box) if cover_first else cover()
        encode(box, first if cover_first else other, greys(1, (128, 128)))
        encode(box, other if cover_first else first, greys(12))
    frames, damage = read(path)
    assert numbers(frames) == list(range(12)) and str(damage) == ''
    assert frames[0].image.shape == (48, 64, 3)


def test_the_larger_of_two_films_is_read(tmp_path):
    path = tmp_path / 'a.mkv'
    with av.open(str(path), 'w') as box:
        preview, film = add_stream(box, size=(32, 24)), add_stream(box)
        encode(box, preview, greys(6, (32, 24)))
        encode(box, film, greys(6))
    assert read(path)[0][0].image.shape == (48, 64, 3)


@pytest.mark.parametrize('ratio,width', [(Fraction(64, 45), 91), (Fraction(8, 9), 57),
                                         (Fraction(1), 64), (Fraction(99), 64)])
def test_pixels_become_square(tmp_path, ratio, width):
    """A ratio that no camera has is no ratio."""
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, 32:] = 255
    frames, _ = read(write(tmp_path / 'a.mp4', ratio=ratio, pictures=[half] * 3))
    image = frames[0].image
    assert image.shape == (48, width, 3)
    assert image[:, :width // 2 - 4].mean() < 20 and image[:, width // 2 + 4:].mean() > 235


ONE = 1 << 16


@pytest.mark.parametrize('matrix', [
    (1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0), (-1, 0, 0, 1), (1, 0, 0, -1),
    (0, 1, 1, 0), (0, -1, -1, 0)])
def test_turned_and_mirrored_as_the_display_matrix_says(tmp_path, matrix):
    """Each corner is found where the matrix puts it: (x, y) -> (a x + c y, b x + d y)."""
    a, b, c, d = matrix
    corners = {(-1, -1): 40, (1, -1): 100, (-1, 1): 160, (1, 1): 220}
    picture = np.zeros((48, 64, 3), np.uint8)
    for (x, y), grey in corners.items():
        picture[24 * (y > 0):, 32 * (x > 0):] = grey
    path = write(tmp_path / 'a.mp4', pictures=[picture] * 2)
    data = bytearray(path.read_bytes())
    place = data.index(b'tkhd') + 4 + 40
    data[place:place + 36] = struct.pack('>9i', a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0,
                                         1 << 30)
    path.write_bytes(data)
    image = read(path)[0][0].image
    height, width = image.shape[:2]
    assert (width, height) == ((64, 48) if a else (48, 64))
    for (x, y), grey in corners.items():
        row, column = (2 + b * x + d * y) * height // 4, (2 + a * x + c * y) * width // 4
        assert abs(float(image[row, column].mean()) - grey) < 12


def test_a_matrix_of_nothing_turns_nothing():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(turned(image, (0, 0, 0, 0)), image)


def test_names_that_look_like_protocols_and_foreign_titles(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = '2024-01-26T20:57:04.avi'
    write('a.avi', 6, options={})
    data = (tmp_path / 'a.avi').read_bytes()
    at = data.index(b'ISFT') + 8  # the name of the writing program, now no UTF-8
    os.replace('a.avi', name)
    (tmp_path / name).write_bytes(data[:at] + b'\xe9\xe8' + data[at + 2:])
    frames, damage = read(name)
    assert numbers(frames) == list(range(6)) and str(damage) == ''
    assert count_frames(name) == 6


@pytest.mark.parametrize('seed', range(20))
def test_nothing_in_a_file_ends_more_than_the_file(tmp_path, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(write(tmp_path / 'a.mp4', 5).read_bytes())
    for place in rng.integers(0, len(data), 30):
        data[place] = rng.integers(0, 256)
    (tmp_path / 'b.mp4').write_bytes(data)
    frames, damage = read(tmp_path / 'b.mp4')
    count_frames(tmp_path / 'b.mp4')
    assert len(frames) == damage.count and (frames or damage.errors)


def test_a_cover_alone_is_no_film(tmp_path):
    """What music files and audio books hold."""
    path = tmp_path / 'song.mp4'
    with av.open(str(path), 'w') as box:
        sound = box.add_stream('aac', rate=8000)
        cover = add_stream(box, 'mjpeg')
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.sample_rate = 8000
        box.mux([*sound.encode(frame), *sound.encode(None)])
        encode(box, cover, greys(1))
    with av.open(str(path)) as box:
        assert box.streams.video[0].disposition & av.stream.Disposition.attached_pic
    frames, damage = read(path)
    assert frames == [] and damage.errors == ['no video stream'] and count_frames(path) == 0


def test_a_version_that_reads_otherwise_is_refused(monkeypatch):
    monkeypatch.setattr(av, '__version__', '19.0.2')
    with pytest.raises(ImportError, match=r"PyAV 19.0.2 .* Remedy: pip install 'av>=14.2,<19'"):
        import_av()
