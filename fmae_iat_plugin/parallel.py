# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""One way to work on many units in many processes: joblib's loky here, Ray over machines."""

import argparse
import os
import sys
import threading
import time
from collections import deque
from functools import lru_cache, partial
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence, Tuple, Union

from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .extras import needs_extra

BACKENDS = ('loky', 'ray')
_OBJECT_STORE = 256 * 2**20  # bytes of a Ray of our own; the results here are rows of a table


class ParallelError(RuntimeError):
    """The processes cannot be had; the message names the remedy."""


class Workers(NamedTuple):
    """How many processes, and where.

    Attributes:
        number (int): Processes; 0 = all cores this process may use, with Ray all of the cluster.
        backend (str): ``'loky'`` (this machine) or ``'ray'``.
        address (str, optional): Of a running Ray cluster, ``'auto'`` for the one of this machine.
            None: the environment variable ``RAY_ADDRESS``, else a Ray is started here and ended.
    """

    number: int = 1
    backend: str = 'loky'
    address: Optional[str] = None


#: a number, or the whole choice
Processes = Union[int, Workers]


def usable_cores() -> int:
    """Cores this process may use, which a container may have cut down."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def working_threads() -> int:
    """Threads for work on CPUs: PyTorch's where it was imported, else ``OMP_NUM_THREADS``, or as
    many as there are cores."""
    if 'torch' in sys.modules:
        return sys.modules['torch'].get_num_threads()
    asked = os.environ.get('OMP_NUM_THREADS', '').split(',')[0]
    return int(asked) if asked.isdigit() and int(asked) else usable_cores()


def counting_bar() -> Progress:
    """A bar on stderr with the number done, that of all, and the time left."""
    return Progress(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
                    TimeRemainingColumn(), console=Console(stderr=True))


def run_parallel(work: Callable, units: Sequence, workers: Processes = 1,
                 title: str = 'Working', backend: str = 'loky',
                 address: Optional[str] = None) -> list:
    """``[work(unit) for unit in units]`` over processes, with a bar and the time left.

    With Ray on several machines, the files must have the same paths on all of them (a shared file
    system), and this package must be installed there.

    Args:
        work: A function that other processes can import, or a ``functools.partial`` of one.
        units: Its arguments, one call each.
        workers: See :class:`Workers`, which may be given whole instead of the number.
        title: Stands before the bar, which is drawn on stderr.
        backend, address: See :class:`Workers`.

    Returns:
        list: The results in the order of ``units``.

    Raises:
        ParallelError: If Ray is not installed, not reachable, or has fewer CPUs than asked for.
        ValueError: If ``workers`` is negative or the backend unknown.
    """
    number, backend, address = workers if isinstance(workers, Workers) else (
        workers, backend, address)
    if number < 0:
        raise ValueError(f'{number} workers. Remedy: 1 or more, or 0 for all cores.')
    if backend not in BACKENDS:
        raise ValueError(f'backend {backend!r} is none of {", ".join(BACKENDS)}.')
    units = list(units)
    run = _loky if backend == 'loky' else partial(_ray, address=address)
    results: list = [None] * len(units)
    with counting_bar() as progress:
        task = progress.add_task(title, total=len(units))
        for index, result in run(work, units, number) if units else ():
            results[index] = result
            progress.advance(task)
    return results


def _loky(work: Callable, units: list, number: int) -> Iterator[Tuple[int, Any]]:
    number = min(number or usable_cores(), len(units))
    call = work if number == 1 else partial(_end_with_parent, work, os.getpid())
    parallel = Parallel(n_jobs=number, return_as='generator')
    yield from enumerate(parallel(delayed(call)(unit) for unit in units))


@lru_cache(maxsize=1)
def watch_parent(parent: int) -> None:
    """End this process, from a thread, soon after the process ``parent`` has ended."""
    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _end_with_parent(work: Callable, parent: int, unit) -> Any:
    watch_parent(parent)  # else loky's processes work on for minutes after a SIGKILL of the command
    return work(unit)


def _call(work: Callable, folder: str, unit) -> Any:
    os.chdir(folder)  # paths may be relative; a Ray worker starts where Ray was started
    return work(unit)


def _ray(work: Callable, units: list, number: int,
         address: Optional[str]) -> Iterator[Tuple[int, Any]]:
    # ray.util.joblib's backend gives no generator (supports_return_generator is False), so that a
    # bar could not advance, and it replaces the base of joblib's own pool for the whole process
    with needs_extra('ray', "backend 'ray'", '--backend loky', ParallelError):
        import ray
    started = not ray.is_initialized()
    if started:
        _start_ray(ray, number, address)
    running: dict = {}
    try:
        cpus = int(ray.cluster_resources().get('CPU', 0))
        if number > cpus:
            raise ParallelError(f'{number} workers, but the Ray cluster has {cpus} CPUs. Remedy: '
                                f'--workers {cpus}, or 0 for all of them.')
        call, shared, waiting = ray.remote(_call), ray.put(work), deque(enumerate(units))
        while waiting or running:
            while waiting and len(running) < (number or cpus):
                index, unit = waiting.popleft()
                running[call.remote(shared, os.getcwd(), unit)] = index
            for done in ray.wait(list(running))[0]:
                index = running.pop(done)
                try:
                    yield index, ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from error
    finally:
        for reference in running:
            ray.cancel(reference)
        if started:
            ray.shutdown()


def _start_ray(ray, number: int, address: Optional[str]) -> None:
    if address is None and 'RAY_ADDRESS' not in os.environ:
        ray.init(address='local', num_cpus=number or usable_cores(), include_dashboard=False,
                 object_store_memory=_OBJECT_STORE, log_to_driver=False)
        return
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, TimeoutError, ValueError, RuntimeError) as error:
        where = address or os.environ['RAY_ADDRESS']
        raise ParallelError(f'no Ray cluster at {where!r}: {error} Remedy: `ray start --head` on '
                            'this machine, the right --address, or none to start one here.'
                            ) from error


def _number(text: str) -> int:
    if text == 'all':
        return 0
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f'{text!r} is neither a number of processes nor "all"')
    return int(text)


def add_parallel_arguments(parser: argparse.ArgumentParser, workers: int = 1) -> None:
    """Add ``--workers``, ``--backend`` and ``--address``; :func:`parallel_arguments` reads them.

    Args:
        parser: Gets them in a group of their own.
        workers: The default number.
    """
    group = parser.add_argument_group('processes')
    group.add_argument('--workers', type=_number, default=workers, metavar='N',
                       help=f'processes; 0 or all = every usable core (default: '
                       f'{workers or "all"})')
    group.add_argument('--backend', choices=BACKENDS, default='loky',
                       help='ray: over the machines of a cluster that share a file system')
    group.add_argument('--address', default=None, help='of the Ray cluster, such as auto or '
                       'HOST:6379; default: RAY_ADDRESS, or a Ray started here')


def parallel_arguments(args: argparse.Namespace) -> Workers:
    """What :func:`add_parallel_arguments` asked for."""
    return Workers(args.workers, args.backend, args.address)
