# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Inputs that are no files: addresses give the frames of the file behind them, cameras theirs."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin.inference import streams
from fmae_iat_plugin.inference.inputs import find_inputs, read_items


@pytest.fixture
def server(tmp_path):
    """(folder, address) of a web server on this machine."""
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    (tmp_path / 'www').mkdir()
    handler = partial(Quiet, directory=str(tmp_path / 'www'))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield tmp_path / 'www', f'http://127.0.0.1:{web.server_port}'
        web.shutdown()


def read(inputs, stride=1):
    problems = []
    return [frame for _, frame in read_items(find_inputs(inputs), stride, problems)], problems


def test_an_image_of_the_network(server):
    folder, address = server
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / 'a b.png'), image)
    (folder / 'c.jpg').write_text('no image')
    frames, problems = read([f'{address}/a%20b.png?size=1', f'{address}/c.jpg', f'{address}/d.png'])
    assert len(frames) == 1 and (frames[0].image == image).all()
    assert frames[0].source == f'{address}/a%20b.png?size=1' and frames[0].timestamp is None
    assert [entry.item for entry in problems] == [f'{address}/c.jpg', f'{address}/d.png']
    assert {entry.reason for entry in problems} == {'unreadable image'}
    assert '404' in problems[1].detail


def test_of_an_animation_of_the_network_it_is_said_what_was_left_out(server):
    folder, address = server
    frames = [Image.new('RGB', (8, 8), (60 * k, 0, 0)) for k in range(4)]
    frames[0].save(folder / 'a.gif', save_all=True, append_images=frames[1:])
    frames, (problem, ) = read(f'{address}/a.gif')
    assert len(frames) == 1 and problem.detail.startswith('3 further frames')


def test_a_huge_image_of_the_network_is_refused(server, monkeypatch):
    folder, address = server
    monkeypatch.setattr(streams, 'LARGEST', 2**20)
    (folder / 'a.jpg').write_bytes(bytes(2**20 + 1))
    frames, (problem, ) = read(f'{address}/a.jpg')
    assert not frames and 'larger than 1 MiB' in problem.detail


def test_a_video_of_the_network_is_the_file(server):
    pytest.importorskip('av')
    folder, address = server
    writer = cv2.VideoWriter(str(folder / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 20, (64, 48))
    for k in range(7):
        writer.write(np.full((48, 64, 3), 30 * k, dtype=np.uint8))
    writer.release()
    frames, problems = read([f'{address}/v.avi', f'{address}/none.mp4'], stride=2)
    local, _ = read(folder / 'v.avi', stride=2)
    assert [frame.number for frame in frames] == [1, 3, 5, 7]
    for here, there in zip(local, frames):
        assert (here.image == there.image).all() and here.timestamp == there.timestamp
    assert [(entry.item, entry.reason) for entry in problems] == [
        (f'{address}/none.mp4', 'unreadable video')]


@pytest.mark.parametrize('value,number', [
    (0, 0), (3, 3), ('webcam', 0), ('Webcam:2', 2), ('webcam:', None), ('a.jpg', None),
    (True, None), (None, None)])
def test_names_of_cameras(value, number):
    assert streams.camera_number(value) == number


def test_what_has_no_end_of_its_own(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'')
    for value, live in (('webcam', True), (1, True), ('RTSP://host/live', True),
                        ('udp://host:1', True), ('https://host/clip.mp4', False),
                        ('http://host/a.jpg', False), (tmp_path / 'a.mp4', False),
                        (np.zeros((4, 4, 3), np.uint8), False)):
        item, = find_inputs(value)
        assert item.live is live, value


def test_a_camera(monkeypatch):
    class Camera:
        released = []

        def __init__(self, number):
            self.number, self.left = number, 3

        def read(self):
            self.left -= 1
            return (True, np.full((4, 4, 3), self.left, np.uint8)) if self.left >= 0 else (False, 0)

        def release(self):
            self.released.append(self.number)

    clock = iter((100., 100.04, 100.1))
    monkeypatch.setattr(streams.cv2, 'VideoCapture', Camera)
    monkeypatch.setattr(streams.time, 'monotonic', lambda: next(clock))
    frames, problems = read('webcam:1')
    assert problems == [] and Camera.released == [1]
    assert [frame.timestamp for frame in frames] == [0, .04, .1]
    assert [frame.image[0, 0, 0] for frame in frames] == [2, 1, 0]
    assert {frame.source for frame in frames} == {'webcam:1'}


def test_no_camera(capfd):
    frames, (problem, ) = read('webcam:97')
    assert not frames and problem.reason == 'unreadable camera' and problem.item == 'webcam:97'
    assert 'no camera of this number' in problem.detail
