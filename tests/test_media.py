# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What belongs to a system and not to the data; folders behind links, each once."""

import os

import pytest

from fmae_iat_plugin.media import find_folders, listed, of_the_system, walk


@pytest.mark.parametrize('name', ['._0001.jpg', '.DS_Store', '.hidden', '__MACOSX', '__macosx',
                                  'Thumbs.db', 'desktop.ini', '$RECYCLE.BIN', '@eaDir'])
def test_names_of_a_system(name):
    assert of_the_system(name)


@pytest.mark.parametrize('name', ['0001.jpg', '_0001.jpg', 'a.b', 'MACOSX', 'thumbs', 'x._y.png'])
def test_names_of_the_data(name):
    assert not of_the_system(name)


def test_folders_are_entered_once_and_links_followed(tmp_path):
    for name in ('root/b/2.png', 'root/b/._2.png', 'root/.git/3.png', 'root/__MACOSX/b/2.png',
                 'root/out/4.png', 'disk/5.png', 'root/10.png', 'root/9.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'root/a').symlink_to(tmp_path / 'disk')
    (tmp_path / 'root/c').symlink_to(tmp_path / 'disk')  # the same folder again
    (tmp_path / 'disk/back').symlink_to(tmp_path / 'root')  # a circle
    found = [os.path.relpath(os.path.join(root, name), tmp_path / 'root')
             for root, _, names in walk(tmp_path / 'root', tmp_path / 'root/out') for name in names]
    assert found == ['10.png', '9.png', 'a/5.png', 'b/2.png']
    assert [path.name for path in listed(tmp_path / 'root')] == ['10.png', '9.png', 'a', 'b', 'c',
                                                                 'out']
    assert find_folders(tmp_path / 'root', 'b') == [tmp_path / 'root/b']
    assert find_folders(tmp_path / 'root', 'root') == [tmp_path / 'root']
