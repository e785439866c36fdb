# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Downloads from a real server on this machine: whole or not there, resumed, checked."""

import hashlib
import random
import sys

import pytest
from filelock import FileLock

from fmae_iat_plugin.weights.download import fetch

pytest.importorskip('gdown', reason="pip install 'fmae_iat_plugin[zoo]'")
DATA = random.Random(0).randbytes(3 * 2**20 + 77)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server(file_server):
    file_server.files['/weights.pth'] = DATA
    return file_server


def left(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith('.lock'))


@pytest.mark.parametrize('sha256', [None, SHA256, SHA256.upper()])
def test_full_download(server, tmp_path, sha256):
    target = tmp_path / 'new' / 'weights.pth'
    assert fetch(server.url + '/weights.pth', target, sha256) == SHA256
    assert target.read_bytes() == DATA
    assert left(target.parent) == ['weights.pth']
    assert server.ranges == []


def test_interrupted_is_resumed(server, tmp_path):
    target = tmp_path / 'weights.pth'
    server.cut = 2 * 2**20 + 5
    with pytest.raises(ConnectionError, match='give the same command again'):
        fetch(server.url + '/weights.pth', target, SHA256, retries=0)
    part, = left(tmp_path)
    assert part.endswith('.part')
    have = (tmp_path / part).stat().st_size
    assert 0 < have <= server.cut and (tmp_path / part).read_bytes() == DATA[:have]
    server.cut = None
    assert fetch(server.url + '/weights.pth', target, SHA256, retries=0) == SHA256
    assert server.ranges == [f'bytes={have}-']
    assert target.read_bytes() == DATA
    assert left(tmp_path) == ['weights.pth']


def test_what_is_resumed_came_from_the_same_address(server, tmp_path):
    """Half of one file and half of another would have the right length."""
    other = DATA[::-1]
    server.files['/other/weights.pth'], server.cut = other, 2**20
    with pytest.raises(ConnectionError):
        fetch(server.url + '/weights.pth', tmp_path / 'weights.pth', retries=0)
    server.cut = None
    fetch(server.url + '/other/weights.pth', tmp_path / 'weights.pth', retries=0)
    assert (tmp_path / 'weights.pth').read_bytes() == other


def test_a_server_that_cannot_resume_spoils_nothing(server, tmp_path):
    target = tmp_path / 'weights.pth'
    server.cut = 2 * 2**20
    with pytest.raises(ConnectionError):
        fetch(server.url + '/weights.pth', target, retries=0)
    server.cut, server.resumes = None, False
    with pytest.raises(ConnectionError, match=r'to start anew, remove .*\.unchecked\*\.part'):
        fetch(server.url + '/weights.pth', target, retries=0)
    assert not target.exists()


def test_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(ValueError, match=f'SHA-256 {SHA256} instead of {"0" * 64}'):
        fetch(server.url + '/weights.pth', tmp_path / 'weights.pth', '0' * 64)
    assert left(tmp_path) == []


def test_missing_file_and_no_server(server, tmp_path):
    with pytest.raises(ConnectionError, match='/no.pth: the server answers 404 Not Found. Remedy'):
        fetch(server.url + '/no.pth', tmp_path / 'no.pth')
    assert left(tmp_path) == []
    server.close()
    with pytest.raises(ConnectionError, match='Remedy'):
        fetch(server.url + '/weights.pth', tmp_path / 'weights.pth', retries=0)
    assert left(tmp_path) == []


def test_google_drive(server, tmp_path, google_drive):
    """The page that warns of a file too large for the virus scan, then the file, then a resume."""
    google_drive['1abc'] = DATA
    url, target = 'https://drive.google.com/uc?id=1abc', tmp_path / 'weights.pth'
    server.cut = 2**20 + 2**19
    with pytest.raises(ConnectionError):
        fetch(url, target, SHA256, retries=0)
    have = (tmp_path / left(tmp_path)[0]).stat().st_size
    server.cut = None
    assert fetch(url, target, SHA256, retries=0) == SHA256
    assert server.ranges == [f'bytes={have}-'] and have > 0
    assert target.read_bytes() == DATA


def test_google_drive_refuses(server, tmp_path, google_drive):
    with pytest.raises(ConnectionError, match='Google Drive refuses .*--file FILE'):
        fetch('https://drive.google.com/uc?id=unknown', tmp_path / 'weights.pth')
    assert left(tmp_path) == []


def test_one_process_at_a_time(server, tmp_path):
    with FileLock(tmp_path / '.weights.pth.lock'):
        with pytest.raises(ConnectionError, match='another process is downloading'):
            fetch(server.url + '/weights.pth', tmp_path / 'weights.pth')


def test_without_gdown(server, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gdown', None)
    with pytest.raises(ImportError, match=r"'fmae_iat_plugin\[zoo\]'"):
        fetch(server.url + '/weights.pth', tmp_path / 'weights.pth')
