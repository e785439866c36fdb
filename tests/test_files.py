# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Folders that one process holds at a time."""

import errno
import subprocess
import sys

import filelock
import pytest

from fmae_iat_plugin import files
from fmae_iat_plugin.files import hold_folder

HOLD = '''
import runpy
import sys
hold_folder = runpy.run_path(sys.argv[1])['hold_folder']  # without the package, which loads long
with hold_folder(sys.argv[2], 'a long job'):
    print('held', flush=True)
    sys.stdin.read()
'''


@pytest.fixture
def holder(tmp_path):
    """Function (folder): another process that holds it until its stdin is closed."""
    running = []

    def start(folder):
        process = subprocess.Popen([sys.executable, '-c', HOLD, files.__file__, str(folder)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout.readline() == 'held\n'
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_second_process_is_told_who_holds_the_folder(tmp_path, holder):
    process = holder(tmp_path / 'out')
    with pytest.raises(ValueError) as error:
        with hold_folder(tmp_path / 'out', 'mine'):
            pytest.fail('the folder was held twice')
    assert f'{tmp_path / "out"} is in use: a long job (process {process.pid} on ' in \
        str(error.value)
    process.stdin.close()
    process.wait()
    with hold_folder(tmp_path / 'out', 'mine'):
        pass


def test_what_a_killed_process_left_does_not_lock(tmp_path, holder):
    process = holder(tmp_path / 'out')
    process.kill()
    process.wait()
    assert list((tmp_path / 'out').iterdir())
    with hold_folder(tmp_path / 'out', 'mine'):
        (tmp_path / 'out' / 'result').touch()
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['result']


def test_two_calls_of_one_process(tmp_path):
    with hold_folder(tmp_path, 'the first'), pytest.raises(OSError, match='in use: the first'):
        with hold_folder(tmp_path, 'the second', OSError):
            pytest.fail('the folder was held twice')
    assert not list(tmp_path.iterdir())


def test_a_folder_that_stays_empty_is_not_left(tmp_path):
    with pytest.raises(KeyboardInterrupt), hold_folder(tmp_path / 'a' / 'b', 'a job'):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.rglob('*')] == ['a']


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(filelock.FileLock, 'acquire', refuse)
    with hold_folder(tmp_path, 'the first'), pytest.raises(ValueError, match='in use: the first'):
        with hold_folder(tmp_path, 'the second'):
            pytest.fail('the folder was held twice')
    assert not list(tmp_path.iterdir())
