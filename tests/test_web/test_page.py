# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The web page as a process: only this machine reaches it, no file of the server leaves by it."""

import contextlib
import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from fmae_iat_plugin.inference import default_model
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.web import page as web_page
from fmae_iat_plugin.web.page import main

pytestmark = pytest.mark.slow

CONFIG = 'configs/custom/own_table_tiny_48px.py'


class Server:
    """A page of two models; every image is one face. The limit is 1 MB."""

    def __init__(self, repo, folder):
        self.folder, self.weights = folder, []
        for seed in (0, 1):
            torch.manual_seed(seed)
            model = MODELS.build(Config.fromfile(repo / CONFIG).model)
            torch.nn.init.normal_(model.head.fc.weight, std=.2)
            self.weights.append(str(folder / f'w{seed}.pth'))
            torch.save(dict(state_dict=model.state_dict()), self.weights[-1])
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        (folder / 'tmp').mkdir()
        hostile = dict(GRADIO_ALLOWED_PATHS='/', GRADIO_SERVER_NAME='0.0.0.0', GRADIO_SHARE='True')
        self.url, self.log = f'http://127.0.0.1:{self.port}', open(folder / 'log', 'w+')
        self.process = subprocess.Popen(
            [sys.executable, str(repo / 'tools/demo/web.py'), '--model', str(repo / CONFIG),
             '--weights', self.weights[0], '--compare-model', str(repo / CONFIG),
             '--compare-weights', self.weights[1], '--detector', 'none', '--device', 'cpu',
             '--port', str(self.port), '--max-mb', '1'],
            stdout=self.log, stderr=self.log, cwd=folder,
            env={**os.environ, **hostile, 'TMPDIR': str(folder / 'tmp'), 'OMP_NUM_THREADS': '1',
                 'PYTHONPATH': str(repo)})
        for _ in range(4000):
            if f'{self.url}\n' in self.said() or self.process.poll() is not None:
                break
            self.process_waits()
        assert self.process.poll() is None, self.said()

    def said(self):
        return Path(self.log.name).read_text()

    def process_waits(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(.1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.log.close()
        return self.process.wait(60)


@pytest.fixture(scope='module')
def server(repo, tmp_path_factory):
    pytest.importorskip('gradio')
    server = Server(repo, tmp_path_factory.mktemp('web'))
    yield server
    assert server.stop() == 0
    left = [path for path in (server.folder / 'tmp').iterdir() if 'fmae_iat' in path.name]
    assert left == []  # nothing of a visitor stays


@pytest.fixture(scope='module')
def face(server):
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    path = server.folder / 'a face.png'
    cv2.imwrite(str(path), cv2.resize(small, (96, 96), interpolation=cv2.INTER_CUBIC))
    return path


def get(url):
    httpx = pytest.importorskip('httpx')
    return httpx.get(url, timeout=60)


def test_it_listens_to_this_machine_alone(server):
    assert get(server.url).status_code == 200
    wanted, listening = f':{server.port:04X}', []
    for table in ('/proc/net/tcp', '/proc/net/tcp6'):
        if not Path(table).is_file():
            pytest.skip('no /proc/net to see what listens')
        for line in Path(table).read_text().splitlines()[1:]:
            local, _, state = line.split()[1:4]
            if local.endswith(wanted) and state == '0A':
                listening.append(local)
    assert listening == [f'0100007F{wanted}']


@pytest.mark.parametrize('path', [
    '/etc/passwd', '/etc/../etc/passwd', '/proc/self/environ', 'w0.pth', 'w1.pth', 'HERE/w0.pth',
    'REPO/README.md', 'REPO/setup.py', '../../../../../../../../etc/passwd', '%2Fetc%2Fpasswd',
    'HERE/tmp', 'HERE/a face.png'])
def test_no_path_of_the_server_can_be_read(server, face, repo, path):
    path = path.replace('HERE', str(server.folder)).replace('REPO', str(repo))
    for route in ('gradio_api/file=', 'file=', 'gradio_api/file/', 'static/', 'assets/', 'theme/',
                  'gradio_api/stream/', 'custom_component/'):
        answer = get(f'{server.url}/{route}{path}')
        assert answer.status_code in (400, 403, 404, 405, 500), (route, answer.text[:200])
        assert 'root:' not in answer.text and 'FMAE' not in answer.text


def upload(server, data, name='x.png'):
    httpx = pytest.importorskip('httpx')
    return httpx.post(f'{server.url}/gradio_api/upload', files=dict(files=(name, data)),
                      timeout=60)


def predict(server, path, session):
    """What the queue answers when the page's first function is called with this path."""
    httpx = pytest.importorskip('httpx')
    data = [dict(path=str(path), meta={'_type': 'gradio.FileData'})]
    answer = httpx.post(f'{server.url}/gradio_api/queue/join', timeout=60, json=dict(
        data=data, fn_index=0, session_hash=session))
    assert answer.status_code == 200, answer.text
    with httpx.stream('GET', f'{server.url}/gradio_api/queue/data?session_hash={session}',
                      timeout=120) as stream:
        for line in stream.iter_lines():
            if line.startswith('data:'):
                message = json.loads(line[5:])
                if message['msg'] == 'process_completed':
                    return message
    raise AssertionError('no answer')


def test_a_visitor_cannot_name_a_file_of_the_server(server, face):
    message = predict(server, face, 'outside')  # an image, but not an upload
    assert not message['success']
    assert str(face) not in json.dumps(message['output'].get('data', ''))
    inside = upload(server, face.read_bytes()).json()[0]
    assert predict(server, inside, 'inside')['success']  # so the refusal was of the path


def test_uploads_have_a_limit(server):
    assert upload(server, bytes(2**20 + 2**17)).status_code == 413
    assert upload(server, bytes(2**19)).status_code == 200


@pytest.fixture(scope='module')
def browser():
    api = pytest.importorskip('playwright.sync_api')
    names = ('chromium', 'chromium-browser', 'google-chrome')
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f'none of {", ".join(names)} is installed')
    with api.sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=program, args=[
            '--no-sandbox', '--use-fake-device-for-media-stream',
            '--use-fake-ui-for-media-stream'])
        yield chrome
        chrome.close()


@pytest.mark.parametrize('width', [1366, 390])
def test_an_upload_in_a_browser(server, face, browser, repo, width, tmp_path):
    page = browser.new_page(viewport=dict(width=width, height=800))
    asked, errors = [], []
    page.on('request', lambda request: asked.append(request.url))
    page.on('pageerror', lambda error: errors.append(str(error)))
    page.goto(server.url)
    page.set_input_files('#image-in input[type=file]', str(face), timeout=60000)
    page.wait_for_selector('#image-in img')
    page.click('#image-go')
    page.wait_for_selector('#image-bars .au-face', timeout=120000)
    page.wait_for_selector('#image-files a')
    rows = [AUInferencer(repo / CONFIG, weights, 'cpu', None)(face)[0]['aus']
            for weights in server.weights]
    lines = page.query_selector_all('#image-bars .au-row:not(.au-head)')
    assert len(lines) == len(rows[0])
    for line, au in zip(lines, sorted(rows[0], key=lambda name: int(name[2:]))):
        assert line.inner_text().startswith(f'{au} ')
        for bar, row in zip(line.query_selector_all('.au-bar'), rows, strict=True):
            part = bar.query_selector('i').bounding_box()['width'] / bar.bounding_box()['width']
            assert abs(part - row[au]['probability']) < .005
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    with page.expect_download() as download:
        page.click('#image-files a >> nth=0')
    download.value.save_as(tmp_path / 'd.csv')
    with open(tmp_path / 'd.csv') as file:
        found = next(csv.DictReader(file))
    assert abs(float(found['AU12_p']) - rows[0]['AU12']['probability']) < 2e-6
    local = re.compile(rf'(http://127\.0\.0\.1:{server.port}/|blob:|data:)')
    assert [url for url in asked if not local.match(url)] == [] and errors == []
    page.close()


thorough = pytest.mark.skipif(
    os.environ.get('FMAE_BROWSER') != 'all', reason='takes minutes on a busy machine; set '
    'FMAE_BROWSER=all')


@thorough
@pytest.mark.parametrize('width', [1366, 390])
def test_a_video_in_a_browser(server, face, browser, width, tmp_path):
    av = pytest.importorskip('av')
    image = cv2.imread(str(face))
    writer = cv2.VideoWriter(str(tmp_path / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (96, 96))
    for shift in range(4):
        writer.write(np.roll(image, 9 * shift, axis=1))
    writer.release()
    page = browser.new_page(viewport=dict(width=width, height=800))
    page.goto(server.url)
    page.get_by_role('tab', name='Video').click()
    page.set_input_files('#video-in input[type=file]', str(tmp_path / 'v.avi'), timeout=60000)
    page.wait_for_selector('#video-in video', state='attached', timeout=60000)
    page.click('#video-go')
    for number in (0, 1):
        page.wait_for_selector(f'#timeline-{number} img', timeout=120000)
        assert page.query_selector(f'#timeline-{number} img').bounding_box()['width'] >= 500
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    links = page.query_selector_all('#video-files a')
    names = [link.get_attribute('download') for link in links]
    assert len(names) == 8 and names[4].endswith('_annotated.mp4')
    with page.expect_download() as download:
        links[4].click()
    download.value.save_as(tmp_path / 'd.mp4')
    with av.open(str(tmp_path / 'd.mp4')) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    np.testing.assert_allclose(times, [0, .1, .2, .3], atol=1e-4)
    page.close()


@thorough
def test_the_camera_in_a_browser(server, browser):
    page = browser.new_page(viewport=dict(width=1366, height=800))
    page.goto(server.url)
    page.get_by_role('tab', name='Webcam').click()
    page.get_by_text('Click to Access Webcam').click()
    page.click('#camera-in button:has-text("Record")', timeout=60000)
    page.wait_for_selector('#camera-bars .au-face', timeout=120000)
    assert page.query_selector('#camera-out img') is not None
    page.close()


def test_without_a_model_or_with_half_of_one_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('QUICKSTART_DIR', raising=False)
    assert main(['--quickstart']) == 2
    assert 'bash tools/quickstart.sh' in capsys.readouterr().err
    assert main(['--compare-model', 'x.py']) == 2
    assert 'x.py needs --weights' in capsys.readouterr().err
    for half in (['--weights', 'x.pth'], ['--quickstart', '--model', 'x.py']):
        with pytest.raises(SystemExit):
            main(half)


def test_without_a_model_it_shows_the_packages_and_says_what_it_is(tiny_onnx, monkeypatch):
    served = []
    monkeypatch.setattr(default_model, 'PATH', tiny_onnx)
    monkeypatch.setattr(web_page, 'serve', lambda *arguments: served.append(arguments))
    assert main(['--detector', 'none']) == 0
    (models, _, _, note), = served
    infer, = models.values()
    assert list(models) == ['default model'] and infer.aus == (12, 1, 4)
    assert 'trained on three colours; licence Apache-2.0' in note
