# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How a command ends: one line and a code, whatever stopped it; nothing half-written stays."""

import errno
import os
import runpy

import cv2
import pytest

from fmae_iat_plugin.errors import STOPPED, ends_in_words, exit_code
from fmae_iat_plugin.files import whole_file, write_whole
from fmae_iat_plugin.synthfacs.releases import write_bp4d


def test_an_error_of_the_system_is_one_line():
    with pytest.raises(SystemExit) as end, ends_in_words(KeyError):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'a\nb')
    assert end.value.code == "error: [Errno 28] No space left on device: 'a\\nb'"
    with pytest.raises(SystemExit) as end, ends_in_words(KeyError):
        raise KeyError('x')
    assert end.value.code == "error: 'x'"
    with pytest.raises(ValueError), ends_in_words(KeyError):
        raise ValueError('of the program')


def test_ctrl_c(capsys):
    with pytest.raises(SystemExit) as end, ends_in_words():
        raise KeyboardInterrupt
    assert end.value.code == 130 and capsys.readouterr().err.startswith('Stopped. ')


def test_exit_codes_of_a_command(capsys):
    def ends(error):
        raise error

    assert exit_code(lambda: 1) == 1
    assert exit_code(lambda: ends(KeyError('x')), KeyError) == 2
    assert exit_code(lambda: ends(FileNotFoundError('no\nfile'))) == 2
    assert exit_code(lambda: ends(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "error: 'x'\nerror: no file\n" + STOPPED
    with pytest.raises(ValueError, match='unexpected'):
        exit_code(lambda: ends(ValueError('unexpected')), KeyError)


@pytest.mark.parametrize('error', [OSError(errno.ENOSPC, 'No space left on device'),
                                   KeyboardInterrupt(), ValueError('x')])
def test_what_stops_a_write_leaves_the_old_file_and_names_it(tmp_path, error):
    write_whole(tmp_path / 'a.csv', b'old')
    with pytest.raises(type(error)) as raised, whole_file(tmp_path / 'a.csv') as partial:
        partial.write_bytes(b'half')
        raise error
    assert (tmp_path / 'a.csv').read_bytes() == b'old' and os.listdir(tmp_path) == ['a.csv']
    if isinstance(error, OSError):
        assert raised.value.filename == str(tmp_path / 'a.csv') and '.part' not in str(raised.value)


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match='source.jpg'), whole_file(tmp_path / 'a'):
        (tmp_path / 'source.jpg').read_bytes()


def test_a_converter_on_a_disk_that_is_too_small(repo, tmp_path, monkeypatch, small_files):
    """Pictures of a video are written whole or not at all."""
    write_bp4d(tmp_path / 'release', subjects=2, size=64, workers=1, frames=4, tasks=['T1'],
               frames_as='videos')
    monkeypatch.setattr('sys.argv', ['bp4d.py', str(tmp_path / 'release'), str(tmp_path / 'out'),
                                     '--image-format', 'png'])
    with small_files(1500), pytest.raises(SystemExit) as end:
        runpy.run_path(str(repo / 'tools/dataset_converters/bp4d.py'), run_name='__main__')
    assert 'File too large' in end.value.code and str(tmp_path / 'out') in end.value.code
    assert not [path for path in (tmp_path / 'out').rglob('*.part')]
    assert all(cv2.imread(str(path)) is not None for path in (tmp_path / 'out').rglob('*.png'))
    assert not (tmp_path / 'out/annotation.csv').exists()


@pytest.mark.parametrize('tool', ['crop_faces', 'dataset_converters/widerface',
                                  'dataset_converters/csv_table'])
def test_an_output_that_cannot_be_made(repo, tmp_path, monkeypatch, tool):
    (tmp_path / 'file').touch()
    for name in ('in/a.jpg', 'in/a.csv'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('image,subject,AU1\na.jpg,A,1\n')
    for part in ('train', 'val'):
        for name in (f'wider_face_split/wider_face_{part}_bbx_gt.txt', f'WIDER_{part}/images/x'):
            (tmp_path / 'in' / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / 'in' / name).touch()
    monkeypatch.setattr('sys.argv', [tool, str(tmp_path / 'in'), str(tmp_path / 'file/out')])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(repo / f'tools/{tool}.py'), run_name='__main__')
    assert str(end.value.code).startswith('error: ') and 'file' in end.value.code
