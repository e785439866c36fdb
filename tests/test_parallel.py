# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Results over processes are those of a loop; errors arrive; Ray gives what loky gives."""

import argparse
import os
import sys

import pytest

from fmae_iat_plugin import parallel
from fmae_iat_plugin.datasets.converters import ConversionError
from fmae_iat_plugin.parallel import (
    ParallelError,
    Workers,
    add_parallel_arguments,
    parallel_arguments,
    run_parallel,
    usable_cores,
)


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


@pytest.mark.parametrize('workers', [1, 2])
def test_an_error_in_a_unit_is_the_error_of_the_run(workers):
    with pytest.raises(ConversionError, match='-3 is negative'):
        run_parallel(make_work(), [1, 2, -3, 4], workers)


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
    assert 'no number of processes' in capsys.readouterr().err


def test_usable_cores_respects_the_affinity(monkeypatch):
    monkeypatch.setattr(parallel.os, 'sched_getaffinity', lambda _: {3, 5, 6}, raising=False)
    assert usable_cores() == 3
