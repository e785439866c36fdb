# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Parts: nothing finished is repeated, and processes or interruptions change no byte."""

import os
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image

from fmae_iat_plugin.faces import DetectorSpec
from fmae_iat_plugin.inference import batch, streams
from fmae_iat_plugin.inference.inputs import find_inputs
from fmae_iat_plugin.inference.predict import main

pytestmark = pytest.mark.slow

pytest.importorskip('av', reason="pip install 'fmae_iat_plugin[face]'")
VIDEOS = 4


@pytest.fixture
def run(repo, tmp_path, torch_threads, monkeypatch):
    """Function (options) -> command line on four videos, two images and a broken one."""
    torch_threads(1)  # here as in other processes, or the last digit differs
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    config = repo / 'configs/custom/own_table_tiny_48px.py'
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    torch.nn.init.normal_(model.head.fc.weight, std=.1)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'w.pth')
    folder, rng = tmp_path / 'in', np.random.default_rng(0)
    folder.mkdir()
    for k in range(VIDEOS):
        writer = cv2.VideoWriter(str(folder / f'v{k}.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10,
                                 (48, 48))
        for _ in range(5 + k):
            writer.write(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8))
        writer.release()
    for name in 'ab':
        cv2.imwrite(str(folder / f'{name}.png'), rng.integers(0, 255, (48, 48, 3), dtype=np.uint8))
    (folder / 'c.jpg').write_text('broken')
    return lambda out, *options: [
        str(folder), '--model', str(config), '--weights', str(tmp_path / 'w.pth'), '--detector',
        'none', '--device', 'cpu', '--format', 'openface,json,pyfeat', '--out-dir',
        str(tmp_path / out), *options]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_processes_change_no_byte(run, tmp_path, capsys):
    assert main(run('one')) == 1
    said = capsys.readouterr().out.replace(str(tmp_path / 'one'), '')
    assert '\n28 frames, 28 faces' in said and '1 inputs not' in said
    assert main(run('two', '--workers', '2')) == 1
    assert capsys.readouterr().out.replace(str(tmp_path / 'two'), '') == said
    one, two = contents(tmp_path / 'one'), contents(tmp_path / 'two')
    assert one == two and len(one) == VIDEOS + 2 + 4  # no trace of the parts


def test_what_is_finished_is_not_repeated(run, tmp_path, monkeypatch):
    assert main(run('whole')) == 1
    done, original = [], batch.AUInferencer.predict

    def predict(self, items, *options):
        done.append(items[0].unit.name[-6:])
        if len(done) == 3:
            raise KeyboardInterrupt
        return original(self, items, *options)

    monkeypatch.setattr(batch.AUInferencer, 'predict', predict)
    assert main(run('cut')) == 130
    assert not any(path.suffix for path in (tmp_path / 'cut').iterdir())  # no output yet
    assert main(run('cut')) == 1
    assert done[3:] == done[2:3] + ['v2.avi', 'v3.avi'] and len(set(done)) == 5
    assert contents(tmp_path / 'whole') == contents(tmp_path / 'cut')
    done[:] = [0] * 9
    assert main(run('cut', '--stride', '2')) == 1  # nothing of the old options is left
    assert len(done) == 9 + 5


def test_other_options_or_files_are_other_parts(run, tmp_path):
    items = find_inputs(str(tmp_path / 'in' / 'v0.avi'))
    job = batch.Job('model', str(tmp_path / 'w.pth'))

    def name(job):
        part, = batch.split(items, job, tmp_path)
        return part.path.name

    first = name(job)
    assert name(job._replace(devices=('cuda:0', ))) == first
    assert name(job._replace(stride=2)) != first and name(job._replace(smoothing=.1)) != first
    os.utime(tmp_path / 'w.pth', (1, 1))
    second = name(job)
    assert second != first
    with open(tmp_path / 'in' / 'v0.avi', 'ab') as file:
        file.write(b'more')
    assert name(job) not in (first, second)


def test_another_content_of_a_detector_or_config_makes_other_parts(tmp_path):
    """Under the same name, of the same size, at the same time."""
    Image.new('RGB', (4, 4)).save(tmp_path / 'a.png')
    items = find_inputs(tmp_path / 'a.png')
    base, config, weights = (tmp_path / name for name in ('base.py', 'config.py', 'detector.pth'))
    base.write_text('value = 1')
    config.write_text("_base_ = ['base.py']")
    weights.write_bytes(b'one')
    os.utime(weights, (1, 1))
    job = batch.Job(str(config), None, DetectorSpec('detector.py', str(weights)))
    names = set()
    for change in (lambda: None, lambda: weights.write_bytes(b'two'),
                   lambda: base.write_text('value = 2')):
        change()
        os.utime(weights, (1, 1))
        names.add(batch.split(items, job, tmp_path)[0].path.name)
    assert len(names) == 3
    assert batch.split(items, job, tmp_path)[0].path.name in names


def test_parts_are_dealt_out_to_the_devices(tmp_path):
    image = np.zeros((4, 4, 3), np.uint8)
    for name in 'abc':
        cv2.imwrite(str(tmp_path / f'{name}.png'), image)
    paths = [tmp_path / f'{name}.png' for name in 'abc' for _ in range(50)]
    for name in 'de':
        (tmp_path / f'{name}.mp4').write_bytes(b'')
    items = find_inputs([*paths[:70], tmp_path / 'd.mp4', *paths[70:], tmp_path / 'e.mp4'])
    parts = batch.split(items, batch.Job('m', None, devices=('cuda:0', 'cuda:1')), tmp_path)
    assert [len(part.items) for part in parts] == [64, 6, 1, 64, 16, 1]
    assert [item for part in parts for item in part.items] == items
    assert [part.device[-1] for part in parts] == list('010101')


HEARD = threading.Event()


class Camera:
    """Ctrl-C is pressed, and heard, while it takes its 20th frame."""

    def __init__(self, number):
        self.rng, self.shown = np.random.default_rng(number), 0

    def read(self):
        self.shown += 1
        if self.shown == 20:
            os.kill(os.getpid(), signal.SIGINT)
            assert HEARD.wait(60)
        return self.shown < 400, self.rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)

    def release(self):
        pass


def test_ctrl_c_ends_a_camera_and_nothing_it_saw_is_lost(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(streams.cv2, 'VideoCapture', Camera)
    end = batch.AUInferencer.end
    monkeypatch.setattr(batch.AUInferencer, 'end', lambda self: (end(self), HEARD.set()))
    _, *options = run('out', '--batch-size', '8')
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # may have been ignored
    try:
        assert main(['webcam', *options]) == 0
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    said = capsys.readouterr()
    assert said.out.startswith('20 frames, 20 faces') and 'Ctrl-C again' in said.err
    table = pd.read_csv(tmp_path / 'out' / 'webcam:0.csv')
    assert table.frame.tolist() == list(range(1, 21)) and table.success.all()


def test_killed_and_run_again(run, tmp_path):
    """SIGKILL as soon as the first part is there; the second run ends with the same bytes."""
    assert main(run('whole')) == 1
    command = [sys.executable, '-m', 'fmae_iat_plugin.inference.predict', *run('killed')]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    parts, end = tmp_path / 'killed' / '.parts', time.monotonic() + 120
    while process.poll() is None and not list(parts.glob('[!.]*.jsonl')):
        assert time.monotonic() < end
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert main(run('killed')) == 1
    assert contents(tmp_path / 'whole') == contents(tmp_path / 'killed')
