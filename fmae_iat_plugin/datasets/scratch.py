# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files that live as long as this process, and locks among the processes of a machine."""

import atexit
import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Iterator

from filelock import FileLock


@cache
def _folder(process: int) -> str:
    folder = tempfile.mkdtemp(prefix='fmae_iat_')

    def remove() -> None:
        if os.getpid() == process:  # a forked process ends without taking its parent's files along
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def scratch_file(name: str) -> Path:
    """A new path, in a folder that is removed when this process ends."""
    return Path(tempfile.mkdtemp(dir=_folder(os.getpid())), name)


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Let one process of this user and machine at a time into a block.

    Args:
        what: Tells blocks apart.
    """
    user = os.getuid() if hasattr(os, 'getuid') else 0
    digest = hashlib.sha256(os.fsencode(os.path.abspath(what))).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir(), f'fmae_iat_{user}_{digest}.lock'))
    with suppress(OSError):  # the block is right without it, too
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
