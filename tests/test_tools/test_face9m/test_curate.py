# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The command: the same bytes by one process, two, Ray, and after kills; help and bad arguments."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fmae_iat_plugin import parallel
from fmae_iat_plugin.synthfacs.releases.face9m_kinds import ODD, PLAIN
from fmae_iat_plugin.synthfacs.releases.face9m_sources import SOURCES, write_face9m_sources

TOOL = 'tools/face9m/curate.py'
OPTIONS = ['--size', '32', '--shard-images', '3', '--duplicates']


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Images of all kinds, some more than once, in the emulated sources."""
    kinds, files = [*ODD, *PLAIN] * 2, []
    for number, kind in enumerate(kinds):
        generator = np.random.default_rng(number % 30)
        pixels = generator.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)
        suffix, make = {**PLAIN, **ODD}[kind]
        files.append((suffix, make(image, generator).data))
    folder = tmp_path_factory.mktemp('sources')
    write_face9m_sources(folder, files)
    return folder


def arguments(root, out, *more):
    sources = [word for name in SOURCES for word in ('--source', f'{name}={root / name}')]
    return [*sources, '--out', str(out), *OPTIONS, *more]


def start(repo, arguments):
    """The command in a process forked from a server that has imported the package."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['fmae_iat_plugin.curation.pipeline'])
    tool = str(repo / TOOL)
    process = context.Process(target=exec, args=(
        f'import runpy, sys\nsys.argv = {[tool, *arguments]!r}\n'
        f'runpy.run_path({tool!r}, run_name="__main__")', ))
    process.start()
    return process


def content(out):
    """All files but the index, which holds times; and none that is hidden."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob('*'))
            if path.is_file() and '.index' not in path.name}


@pytest.fixture(scope='module')
def undisturbed(repo, root, tmp_path_factory):
    out = tmp_path_factory.mktemp('whole') / 'out'
    process = start(repo, arguments(root, out, '--workers', '1'))
    process.join()
    assert process.exitcode == 0
    whole = content(out)
    assert sum(name.endswith('.tar') for name in whole) > 10
    assert b'near-duplicate' in whole['rejects.csv'] and b'unreadable' in whole['rejects.csv']
    return whole


def written(out):
    return sum(len(names) for _, _, names in os.walk(out))


@pytest.mark.slow
def test_the_same_after_five_kills(tmp_path, repo, root, undisturbed):
    """Each run is killed when it has written a random number of files more than it found."""
    out, generator, kills = tmp_path / 'out', random.Random(0), 0
    while kills < 5:
        process = start(repo, arguments(root, out, '--workers', '1'))
        until = written(out) + generator.randrange(2, 25)
        while process.is_alive() and written(out) < until:
            process.join(timeout=0.0005)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, 'it was quicker than the kills'
        assert not (out / 'manifest.json').exists()
        kills += 1
    last = start(repo, arguments(root, out, '--workers', '1'))
    last.join()
    assert last.exitcode == 0 and content(out) == undisturbed


@pytest.mark.slow
def test_the_same_by_two_processes(tmp_path, repo, root, undisturbed):
    done = subprocess.run(
        [sys.executable, TOOL, *arguments(root, tmp_path / 'out', '--workers', '2')],
        cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]
    assert content(tmp_path / 'out') == undisturbed


@pytest.mark.slow
def test_the_same_by_ray(tmp_path, repo, root, undisturbed, monkeypatch):
    """One Ray of two workers serves all steps; each would start one of its own."""
    ray = pytest.importorskip('ray', reason='Ray is not installed (the extra `ray`)')
    monkeypatch.delenv('RAY_ADDRESS', raising=False)
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    from fmae_iat_plugin.curation.command import main
    parallel._start_ray(ray, 2, None)
    try:
        assert main(arguments(root, tmp_path / 'out', '--workers', '2', '--backend', 'ray')) == 0
    finally:
        ray.shutdown()
    assert content(tmp_path / 'out') == undisturbed


@pytest.mark.slow
def test_help_needs_neither_torch_nor_opencv(repo):
    code = ('import runpy, sys\nsys.argv = ["curate.py", "--help"]\ntry:\n'
            f'    runpy.run_path({TOOL!r}, run_name="__main__")\nexcept SystemExit:\n'
            '    print("FOUND", sorted({"torch", "mmengine", "cv2", "pandas"} & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-c', code], cwd=repo, capture_output=True, text=True)
    assert '--max-aspect' in done.stdout and 'FOUND []' in done.stdout


def test_it_says_what_was_kept_and_what_is_wrong(tmp_path, root, capsys):
    from fmae_iat_plugin.curation.command import main
    line = arguments(root, tmp_path / 'out', '--workers', '1', '--min-side', '64')
    assert main(line) == 0
    said = capsys.readouterr().out
    assert 'side too short' in said and f'listed in {tmp_path / "out"}/rejects.csv' in said
    with pytest.raises(SystemExit, match='min_side: 64 there, 63 asked for'):
        main([*line[:-1], '63'])
    for wrong, message in ((['--source', 'celeba'], 'is not NAME=PATH'),
                           (['--source', 'a=b', '--workers', 'x'], 'neither a number'),
                           ([], 'are required: --source')):
        with pytest.raises(SystemExit):
            main([*wrong, '--out', 'o'])
        assert message in capsys.readouterr().err
