# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A conversion of videos killed by SIGKILL and started again: the bytes of one left in peace."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fmae_iat_plugin.synthfacs.releases import write_bp4d, write_disfa

pytestmark = pytest.mark.slow

SMALL = dict(subjects=2, size=64, workers=1, seed=4)


def content(folder: Path) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*')) if path.is_file()}


def number_of_files(folder: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(folder))


@pytest.fixture(scope='module')
def releases(tmp_path_factory):
    root = tmp_path_factory.mktemp('releases')
    write_bp4d(root / 'bp4d', frames=20, tasks=['T1', 'T7'], frames_as='videos', **SMALL)
    write_disfa(root / 'disfa', frames=40, **SMALL)
    return root


@pytest.fixture(scope='module')
def undisturbed(repo, releases, tmp_path_factory):
    """Data set -> what its whole conversion leaves."""
    out = {name: tmp_path_factory.mktemp('whole') / name for name in ('bp4d', 'disfa')}
    for name, folder in out.items():
        convert(repo, releases, name, folder).join()
    return {name: content(folder) for name, folder in out.items()}


def convert(repo, releases, name, out):
    """Start the command in a process of its own.

    It is forked from a server that has imported the package, so that it need not import everything,
    and not from this process, whose OpenCV may have threads that a fork would leave behind.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['fmae_iat_plugin.converters.command'])
    tool = str(repo / f'tools/dataset_converters/{name}.py')
    command = [tool, str(releases / name), str(out)]
    process = context.Process(target=exec, args=(
        f'import runpy, sys\nsys.argv = {command!r}\nrunpy.run_path({tool!r}, run_name="__main__")',
        ))
    process.start()
    return process


def kill_after(process, out, files: int) -> bool:
    """Kill once ``out`` holds so many files; whether the process was still at work."""
    while process.is_alive() and number_of_files(out) < files:
        process.join(timeout=0.001)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize('moment', range(10))
def test_killed_at_a_random_moment(tmp_path, repo, releases, undisturbed, moment):
    name = ('bp4d', 'disfa')[moment % 2]
    whole = undisturbed[name]
    out, attempt = tmp_path / 'first', 0
    files = random.Random(moment).randrange(len(whole) * 9 // 10)
    while not kill_after(convert(repo, releases, name, out), out, files >> attempt):
        attempt += 1  # it was quicker than we: kill it earlier
        out = tmp_path / str(attempt)
    left = content(out) if out.exists() else {}
    assert len(left) < len(whole) + 1  # at most one half-written file beside those of the whole
    assert all(whole.get(path, data) == data for path, data in left.items())
    kept = {path: (out / path).stat().st_mtime_ns for path in left if path.startswith('images/')
            and path in whole}
    again = convert(repo, releases, name, out)
    again.join()
    assert again.exitcode == 0
    assert content(out) == whole
    assert kept == {path: (out / path).stat().st_mtime_ns for path in kept}  # written once


def living(session: int) -> int:
    """Processes of a session that run; in /proc/PID/stat field 3 is the state, 6 the session."""
    number = 0
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, _, _, owner = path.read_text().rpartition(')')[2].split()[:4]
        except OSError:  # it ended meanwhile
            continue
        number += int(owner) == session and state not in 'ZX'
    return number


@pytest.mark.skipif(not Path('/proc/self/stat').is_file(), reason='no /proc to see processes in')
def test_only_the_command_is_killed_and_its_processes_end(tmp_path, repo, releases, undisturbed):
    """As the system does when memory is short: the two workers are not told."""
    out, whole = tmp_path / 'out', undisturbed['bp4d']
    command = [sys.executable, 'tools/dataset_converters/bp4d.py', str(releases / 'bp4d'), str(out),
               '--workers', '2']
    process = subprocess.Popen(command, cwd=repo, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and number_of_files(out) < len(whole) // 2:
        try:
            process.wait(timeout=0.001)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    assert process.wait() == -signal.SIGKILL
    patience = threading.Event()
    assert any(not living(process.pid) or patience.wait(0.05) for _ in range(1200))
    assert all(whole.get(path, data) == data for path, data in content(out).items())
    convert(repo, releases, 'bp4d', out).join()
    assert content(out) == whole
