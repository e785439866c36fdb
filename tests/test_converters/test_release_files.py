# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files written whole, placed once; numbers in names."""

import os
from unittest.mock import patch

import pytest

from fmae_iat_plugin.converters.base import ConversionError
from fmae_iat_plugin.converters.release_files import frame_number, place_image, read_lines
from fmae_iat_plugin.files import partial_path, remove_partial, write_whole


@pytest.mark.parametrize('name, number', [
    ('2440.jpg', 2440), ('0012.png', 12), ('012.png', 12), ('frame_12.jpg', 12), ('0.jpg', 0),
    ('SN001_0007.jpg', 7), ('a-3.bmp', 3), ('face.jpg', None), ('12b.jpg', None), ('²_².jpg', None),
    ('F001.jpg', None)])
def test_frame_number(name, number):
    assert frame_number(name) == number


@pytest.mark.parametrize('how', ['link', 'copy', 'symlink'])
def test_place_image_keeps_what_is_there(tmp_path, how):
    source, target = tmp_path / 's.jpg', tmp_path / 'a/b/t.jpg'
    source.write_bytes(b'new')
    place_image(source, target, how)
    place_image(source, target, how)
    assert target.read_bytes() == b'new' and os.listdir(target.parent) == ['t.jpg']
    source.unlink()
    target.unlink()
    target.write_bytes(b'old')
    source.write_bytes(b'newer')
    place_image(source, target, how)
    assert target.read_bytes() == b'old'


def test_without_hard_links_it_copies(tmp_path):
    (tmp_path / 's.jpg').write_bytes(b'data')
    with patch('os.link', side_effect=OSError('no links here')):
        place_image(tmp_path / 's.jpg', tmp_path / 't.jpg', 'link')
    assert (tmp_path / 't.jpg').read_bytes() == b'data'
    assert not (tmp_path / 't.jpg').samefile(tmp_path / 's.jpg')


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    write_whole(tmp_path / 'f', b'old')
    with patch('os.replace', side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / 'f', b'new')
    assert (tmp_path / 'f').read_bytes() == b'old' and os.listdir(tmp_path) == ['f']
    partial_path(tmp_path / 'f').touch()  # as a process leaves it that is killed
    assert len(os.listdir(tmp_path)) == 2
    remove_partial(tmp_path)
    assert os.listdir(tmp_path) == ['f']


def test_lines(tmp_path):
    path = tmp_path / 'f'
    path.write_bytes('\ufeffa\r\n\r\nb\x0bc\u2028d\n'.encode())
    assert read_lines(path) == ['a', '', 'b\x0bc\u2028d']  # only \n ends a line
    path.write_bytes(b'a\nb\xe9\n')
    with pytest.raises(ConversionError, match='f, line 2: byte 0xe9'):
        read_lines(path)
    with pytest.raises(ConversionError, match='cannot be read'):
        read_lines(tmp_path / 'none')
