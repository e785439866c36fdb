# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Results over processes are those of a loop; errors arrive; Ray gives what loky gives."""

import argparse
import os
import sys
from types import SimpleNamespace

import pytest

from fmae_iat_plugin import parallel
from fmae_iat_plugin.converters import ConversionError, convert_bp4d
from fmae_iat_plugin.parallel import (
    BACKENDS,
    ParallelError,
    Workers,
    add_parallel_arguments,
    parallel_arguments,
    run_parallel,
    usable_cores,
)
from fmae_iat_plugin.synthfacs.releases import write_bp4d


def make_work():
    """A function that travels by value: other processes cannot import the tests."""

    def work(number):
        if number < 0:
            raise ConversionError(f'{number} is negative')
        return number**2, os.getpid(), os.getcwd()

    return work


@pytest.mark.parametrize('workers', [1, 2, Workers(2), 0])
def test_results_stand_in_the_order_of_the_units(workers):
    results = run_parallel(make_work(), range(9), workers)
    assert [square for square, _, _ in results] == [k * k for k in range(9)]
    number = workers.number if isinstance(workers, Workers) else workers or usable_cores()
    here = {pid == os.getpid() for _, pid, _ in results}
    assert here == {number == 1}  # one worker is this process, two are others


@pytest.mark.parametrize('backend', ['loky', 'ray'])
def test_no_units_need_no_processes(backend):
    assert run_parallel(make_work(), [], 2, backend=backend) == []


def test_the_bar_counts_on_stderr(capsys):
    run_parallel(make_work(), range(5), title='Squaring')
    captured = capsys.readouterr()
    assert 'Squaring' in captured.err and '5/5' in captured.err and captured.out == ''


def test_wrong_numbers_and_backends_are_refused():
    with pytest.raises(ValueError, match='-1 workers'):
        run_parallel(make_work(), [1], -1)
    with pytest.raises(ValueError, match="'dask' is none of loky, ray"):
        run_parallel(make_work(), [1], 1, backend='dask')


def test_without_ray_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ParallelError, match=r"pip install 'fmae_iat_plugin\[ray\]'"):
        run_parallel(make_work(), [1], 2, backend='ray')


@pytest.mark.parametrize('line, wanted', [
    ('', Workers()), ('--workers 4', Workers(4)), ('--workers all', Workers(0)),
    ('--workers 0 --backend ray --address auto', Workers(0, 'ray', 'auto'))])
def test_the_command_line(line, wanted):
    parser = argparse.ArgumentParser()
    add_parallel_arguments(parser)
    assert parallel_arguments(parser.parse_args(line.split())) == wanted


@pytest.mark.parametrize('text', ['-1', 'two', '1.5', '²'])
def test_a_wrong_number_on_the_command_line(text, capsys):
    parser = argparse.ArgumentParser()
    add_parallel_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([f'--workers={text}'])
    assert 'neither a number of processes' in capsys.readouterr().err


def test_usable_cores_respects_the_affinity(monkeypatch):
    monkeypatch.setattr(parallel.os, 'sched_getaffinity', lambda _: {3, 5, 6}, raising=False)
    assert usable_cores() == 3


def test_a_cluster_that_is_not_there(monkeypatch):
    def init(**kwargs):
        raise ConnectionError(f'nobody answers {kwargs["address"]}')

    monkeypatch.setitem(sys.modules, 'ray', SimpleNamespace(is_initialized=lambda: False,
                                                           init=init))
    with pytest.raises(ParallelError, match="no Ray cluster at 'head:6379': nobody .*ray start"):
        run_parallel(make_work(), [1], 2, backend='ray', address='head:6379')


@pytest.fixture(scope='module')
def cluster():
    """A Ray of two workers on this machine, as ``--backend ray --workers 2`` starts it."""
    ray = pytest.importorskip('ray', reason='Ray is not installed (the extra `ray`)')
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv('RAY_ADDRESS', raising=False)
        patch.setenv('RAY_USAGE_STATS_ENABLED', '0')
        parallel._start_ray(ray, 2, None)
        yield ray
        ray.shutdown()


@pytest.mark.slow
def test_ray_keeps_the_order_and_the_folder(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = run_parallel(make_work(), range(9), 2, backend='ray')
    assert [(square, folder) for square, _, folder in results] == [
        (k * k, str(tmp_path)) for k in range(9)]
    assert os.getpid() not in {pid for _, pid, _ in results}


@pytest.mark.slow
def test_ray_hands_the_error_on(cluster):
    with pytest.raises(ConversionError, match='^-3 is negative$'):
        run_parallel(make_work(), [1, 2, -3, 4], 2, backend='ray')
    with pytest.raises(ParallelError, match='3 workers, but the Ray cluster has 2 CPUs'):
        run_parallel(make_work(), [1, 2, 3], 3, backend='ray')


@pytest.mark.slow
def test_ray_and_loky_convert_to_the_same_bytes(cluster, tmp_path):
    write_bp4d(tmp_path / 'release', subjects=2, tasks=['T1', 'T7'], frames=8, size=64, seed=2,
               frames_as='videos', workers=1)
    contents = []
    for backend in BACKENDS:
        out = tmp_path / backend
        convert_bp4d(str(tmp_path / 'release'), str(out), workers=Workers(2, backend))
        contents.append({str(path.relative_to(out)): path.read_bytes()
                         for path in out.rglob('*') if path.is_file()})
    assert contents[0] == contents[1]
    assert sum(name.endswith('.jpg') for name in contents[0]) > 24


@pytest.mark.parametrize('workers', [1, 2])
def test_an_error_in_a_unit_is_the_error_of_the_run(workers):
    with pytest.raises(ConversionError, match='-3 is negative'):
        run_parallel(make_work(), [1, 2, -3, 4], workers)
