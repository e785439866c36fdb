# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A signal is noted and ends nothing; data workers outlive it, and end when their training does."""

import os
import re
import signal
import threading
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from fmae_iat_plugin.engine.stopping import (
    STOPPED_CODE,
    Shielded,
    StopRequest,
    leave,
    shield_workers,
)

pytestmark = pytest.mark.skipif(not hasattr(signal, 'sigwaitinfo'), reason='no such signals here')


def test_a_signal_is_noted():
    before = signal.getsignal(signal.SIGUSR1)
    request = StopRequest(['SIGUSR1'])
    request.listen()
    assert not request.agreed()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert request.agreed() and request.came == 'SIGUSR1'
    request.close()
    assert signal.getsignal(signal.SIGUSR1) == before
    with pytest.raises(ValueError, match="'SIGSOMETHING' is no signal.*Remedy"):
        StopRequest(['SIGSOMETHING'])


class Numbers(Dataset):

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.tensor([index, os.getpid()])


THREAD = []  # what a thread of each child process is to run
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=lambda: [
        threading.Thread(target=target, daemon=True).start() for target in THREAD])


def threads_that_block(process, number):
    """Of each thread of a process, from Linux' table of processes."""
    masks = [re.search(r'SigBlk:\s*(\w+)', file.read_text())[1]
             for file in Path(f'/proc/{process}/task').glob('*/status')]
    return [bool(int(mask, 16) >> (number - 1) & 1) for mask in masks]


@pytest.fixture
def thread_in_children():
    """A forked process has a thread from its start, as PyTorch starts those of its pool again."""
    THREAD.append(threading.Event().wait)
    yield
    THREAD.clear()


@pytest.mark.parametrize('with_a_thread', [False, True])
def test_workers_live_through_the_signal_of_another_process(with_a_thread, request):
    if with_a_thread:
        request.getfixturevalue('thread_in_children')
    loader = DataLoader(Numbers(), batch_size=1, num_workers=2, persistent_workers=True)
    noted = []
    loader.worker_init_fn = noted.append
    shield_workers(loader, ['SIGTERM'])
    shield_workers(loader, ['SIGTERM'])  # once is enough
    assert isinstance(loader.worker_init_fn, Shielded)
    assert not isinstance(loader.worker_init_fn.inner, Shielded)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    workers = sorted({int(row[0, 1]) for row in loader})
    assert len(workers) == 2 and signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    for worker in workers:  # no thread takes the signal but the one that waits for it
        blocked = threads_that_block(worker, signal.SIGTERM)
        assert len(blocked) >= 2 + with_a_thread and blocked.count(False) <= 1
    other = os.fork()
    if other == 0:  # as Slurm signals all processes of a job
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
        os._exit(0)
    os.waitpid(other, 0)
    rows = torch.cat(list(loader))
    assert rows[:, 0].tolist() == list(range(8)) and set(rows[:, 1].tolist()) == set(workers)
    processes = loader._iterator._workers
    processes[0].terminate()  # a signal of the parent ends it
    processes[0].join()
    assert processes[0].exitcode == 0
    processes[1].kill()
    with pytest.raises(RuntimeError, match='worker'):
        list(loader)


def test_leaving_asks_slurm_only_in_a_job_of_slurm(monkeypatch, tmp_path):
    stub, noted = tmp_path / 'scontrol', tmp_path / 'noted'
    stub.write_text(f'#!/bin/sh\necho "$@" >> {noted}\n')
    stub.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    monkeypatch.delenv('SLURM_JOB_ID', raising=False)
    for requeue in (True, False):
        with pytest.raises(SystemExit) as left:
            leave(StopRequest(), requeue)
        assert left.value.code == STOPPED_CODE == os.EX_TEMPFAIL and not noted.exists()
    monkeypatch.setenv('SLURM_JOB_ID', '4711')
    for requeue in (False, True):
        with pytest.raises(SystemExit):
            leave(StopRequest(), requeue)
        assert noted.exists() is requeue
    assert noted.read_text() == 'requeue 4711\n'
    stub.unlink()
    with pytest.raises(SystemExit):  # without the program it stops all the same
        leave(StopRequest(), True)
