# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Addresses that end alike do not share a file; a file that changed is fetched anew."""

import pytest
import torch
from mmengine.logging import MMLogger

from fmae_iat_plugin.weights.checkpoint import read_state_dict
from fmae_iat_plugin.weights.url_cache import cached


@pytest.fixture
def server(file_server, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    return file_server


def parts(tmp_path):
    return sorted(path.name for path in (tmp_path / 'hub/checkpoints').glob('.*'))


def test_the_whole_address_tells_files_apart(server, tmp_path):
    """Each repository of a hub has a model.safetensors."""
    for number, path in enumerate(('/one/resolve/model.pth', '/two/resolve/model.pth')):
        torch.save(dict(w=torch.full((2, ), float(number))), tmp_path / 'w.pth')
        server.files[path] = (tmp_path / 'w.pth').read_bytes()
    for _ in range(2):
        for number, repository in enumerate(('one', 'two')):
            found = read_state_dict(f'{server.url}/{repository}/resolve/model.pth')
            assert found['w'].tolist() == [number, number]
    assert server.sent == ['/one/resolve/model.pth', '/two/resolve/model.pth']  # once each
    server.files['/download'], server.files['/x'] = b'1', b'2'
    assert cached(f'{server.url}/x?id=1') != cached(f'{server.url}/x?id=2')


def test_a_new_version_is_fetched_and_the_same_one_is_not(server):
    url = f'{server.url}/model.pth'
    server.files['/model.pth'], server.etags['/model.pth'] = b'first', '"1"'
    first = cached(url)
    assert cached(url) == first and first.read_bytes() == b'first'
    server.files['/model.pth'], server.etags['/model.pth'] = b'second', '"2"'
    assert cached(url).read_bytes() == b'second' and cached(url) != first
    assert server.sent == ['/model.pth'] * 2


@pytest.mark.parametrize('how', ['gone', 'no server', 'broken off'])
def test_what_is_there_is_used_where_nobody_can_be_asked(server, tmp_path, monkeypatch, how):
    lines = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, text, *args: lines.append(text % args))
    url = f'{server.url}/model.pth'
    server.files['/model.pth'], server.etags['/model.pth'] = b'first', '"1"'
    first = cached(url)
    if how == 'gone':
        del server.files['/model.pth']
    elif how == 'no server':
        server.close()
    else:
        server.files['/model.pth'], server.etags['/model.pth'] = b'second', '"2"'
        server.cut = 3
    assert cached(url) == first and first.read_bytes() == b'first'
    assert len(lines) == 1 and url in lines[0] and str(first) in lines[0]
    assert parts(tmp_path) == []


def test_half_a_file_is_no_file(server, tmp_path):
    server.files['/model.pth'] = b'0123456789'
    server.cut = 4
    with pytest.raises(ConnectionError, match='model.pth: broken off after 4 of 10 bytes'):
        cached(f'{server.url}/model.pth')
    assert list((tmp_path / 'hub/checkpoints').iterdir()) == []
    server.cut = None
    assert cached(f'{server.url}/model.pth').read_bytes() == b'0123456789'
    with pytest.raises(ConnectionError, match='no.pth: the server answers 404'):
        cached(f'{server.url}/no.pth')
