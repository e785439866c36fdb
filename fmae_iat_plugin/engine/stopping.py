# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A request to stop that a cluster sends, and what comes after it.

Slurm sends SIGTERM to a job that it preempts, waits, and then kills. It sends the signal to all
processes of the job, PyTorch's data workers too; those must go on until the training has saved.
"""

import os
import signal
import subprocess
import sys
import threading
from typing import Callable, Dict, NoReturn, Optional, Sequence

import torch
from mmengine.dist import all_reduce, get_backend, get_world_size, is_main_process
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from .deferred import Deferred

#: exit code of a training that stopped on request and can be resumed: EX_TEMPFAIL of sysexits.h
STOPPED_CODE = 75


class StopRequest:
    """Whether one of some signals has come.

    Args:
        signals: Their names.

    Raises:
        ValueError: If a name is no signal of this system.
    """

    def __init__(self, signals: Sequence[str] = ('SIGTERM', )):
        for name in signals:
            if name not in signal.Signals.__members__:
                raise ValueError(f'signals: {name!r} is no signal of this system. Remedy: a name '
                                 'such as SIGTERM or SIGUSR1.')
        self.signals = [signal.Signals[name] for name in signals]
        self.came: Optional[str] = None
        self._flags = Deferred()
        self._before: Dict[signal.Signals, object] = {}

    def listen(self) -> None:
        """From now on a signal is noted, and ends nothing. Only the main thread can."""
        if threading.current_thread() is threading.main_thread():
            for number in self.signals:
                self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame) -> None:
        self.came = signal.Signals(number).name

    def close(self) -> None:
        """Signals do again what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}

    def agreed(self) -> bool:
        """Whether it has come to any process of the training; all get the same answer.

        On GPUs the answer is that to the question before, which waits for no device.
        """
        if get_world_size() == 1:
            return self.came is not None
        flag = torch.tensor(float(self.came is not None))
        if get_backend() != 'nccl':
            all_reduce(flag, op='max')
            return bool(flag)
        flag = flag.to(torch.cuda.current_device(), non_blocking=True)
        all_reduce(flag, op='max')
        self._flags.send(dict(came=flag))
        return any(arrived.values['came'] for arrived in self._flags.receive(leave=1))


class Shielded:
    """``worker_init_fn`` of data workers that end only when their own process says so.

    Args:
        inner: The ``worker_init_fn`` that was there, or None.
        signals: Names of the signals.
    """

    def __init__(self, inner: Optional[Callable[[int], None]], signals: Sequence[str]):
        self.inner, self.signals = inner, tuple(signals)

    def __call__(self, worker: int) -> None:
        if hasattr(signal, 'sigwaitinfo'):
            numbers = {signal.Signals[name] for name in self.signals}
            signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
            threading.Thread(target=_obey_parent, args=(numbers, os.getppid()),
                             daemon=True).start()
        if self.inner is not None:
            self.inner(worker)


def _obey_parent(numbers: set, parent: int) -> None:
    """Ends the process at a signal of its parent, as PyTorch's shutdown sends it."""
    while True:
        if signal.sigwaitinfo(numbers).si_pid == parent:
            os._exit(0)


def shield_workers(loader: DataLoader, signals: Sequence[str]) -> None:
    """Have the workers that a loader will start live through ``signals`` of others.

    A worker has threads of PyTorch before its ``worker_init_fn`` runs, and a signal that only its
    main thread blocks comes to one of those. So the signals are blocked where workers are started:
    what they start inherits it.
    """
    if loader.num_workers and not isinstance(loader.worker_init_fn, Shielded):
        loader.worker_init_fn = Shielded(loader.worker_init_fn, signals)
        if hasattr(signal, 'pthread_sigmask'):
            start, numbers = loader._get_iterator, {signal.Signals[name] for name in signals}

            def start_blocked():
                before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
                try:
                    return start()
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)

            loader._get_iterator = start_blocked


def leave(request: StopRequest, requeue: bool) -> NoReturn:
    """End the process with :data:`STOPPED_CODE`, after a checkpoint was written.

    Args:
        request: Its signal is named in the log.
        requeue: Whether a job of Slurm asks to be started again (``scontrol requeue``).
    """
    logger, job = MMLogger.get_current_instance(), os.environ.get('SLURM_JOB_ID')
    logger.warning('%s came: the training is saved and stops; --resume continues it. Exit code %d.',
                   request.came or 'A signal to another process', STOPPED_CODE)
    if requeue and job and is_main_process():
        try:
            done = subprocess.run(['scontrol', 'requeue', job], capture_output=True, text=True,
                                  timeout=60)
            said = done.stderr.strip() or done.stdout.strip() or 'done'
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        logger.warning('scontrol requeue %s: %s', job, said)
    request.close()
    sys.exit(STOPPED_CODE)
