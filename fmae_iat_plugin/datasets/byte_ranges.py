# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Parts of files, on a disk, a network file system, or a store behind an address (fsspec)."""

import os
import re
import threading
from collections import OrderedDict
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Iterator, List, Optional, Tuple

import fsspec

from fmae_iat_plugin.media import of_the_system

_URL = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*(::|://)')
_KEPT = 128  # open files of a thread
_local = threading.local()
_seeking = threading.Lock()


def is_url(path: str) -> bool:
    """Whether a path is an address such as ``s3://bucket/0000.tar``, which fsspec reads."""
    return _URL.match(path) is not None


def file_system(url: str) -> Tuple[Any, str]:
    """The fsspec file system of an address, and the path in it.

    Raises:
        ImportError: If the package that reads such addresses is missing; names it.
        ValueError: If no such kind of address is known.
    """
    try:
        return fsspec.core.url_to_fs(url)
    except ImportError as error:  # fsspec's message: Install s3fs to access S3
        package = re.search(r'[Ii]nstall "?([\w.-]+)', str(error))
        remedy = f'pip install {package[1]}' if package else 'install what it names'
        raise ImportError(f'{url}: {error}. Remedy: {remedy}.') from error
    except ValueError as error:
        raise ValueError(f'{url}: {error}. Remedy: a path, or an address that fsspec knows, such '
                         'as s3://, gs:// or https://') from error


@contextmanager
def open_binary(path: str) -> Iterator[Any]:
    """A file for reading bytes, at a path or an address."""
    if is_url(path):
        system, inner = file_system(path)
        with system.open(inner, 'rb') as file:
            yield file
    else:
        with open(path, 'rb') as file:
            yield file


def read_range(path: str, offset: int = 0, size: Optional[int] = None) -> bytes:
    """Some bytes of a file; one request where it lies behind an address.

    A local file stays open for the next call; :func:`forget` closes it.

    Args:
        path: Path or address.
        offset: Of the first byte.
        size: How many bytes; None = all from ``offset`` on.

    Raises:
        EOFError: If the file ends before.
        OSError: If it cannot be read.
    """
    if is_url(path):
        system, inner = file_system(path)
        # a plain request for whole files: not every server knows ranges
        part = {} if size is None and not offset else dict(
            start=offset, end=None if size is None else offset + size)
        data = system.cat_file(inner, **part)
    elif size is None:
        with open(path, 'rb') as file:
            file.seek(offset)
            return file.read()
    else:
        data = read_at(_opened(path), size, offset)
        while 0 < len(data) < size:  # a network file system may give less at once
            more = read_at(_opened(path), size - len(data), offset + len(data))
            if not more:
                break
            data += more
    if size is not None and len(data) != size:
        raise EOFError(f'{path} gave {len(data)} bytes instead of the {size} from byte {offset} '
                       'on: the shard was truncated or replaced after it was indexed')
    return data


def read_at(file: int, size: int, offset: int) -> bytes:
    """``os.pread`` (file descriptor, bytes, place), also where the system has none."""
    if hasattr(os, 'pread'):
        return os.pread(file, size, offset)
    with _seeking:
        os.lseek(file, offset, os.SEEK_SET)
        return os.read(file, size)


def _opened(path: str) -> int:
    files = getattr(_local, 'files', None)
    if files is None:
        files = _local.files = OrderedDict()
    if path in files:
        files.move_to_end(path)
        return files[path]
    if len(files) >= _KEPT:
        os.close(files.popitem(last=False)[1])
    files[path] = os.open(path, os.O_RDONLY | getattr(os, 'O_BINARY', 0))
    return files[path]


def forget() -> None:
    """Close the files that :func:`read_range` keeps open in this thread."""
    files = getattr(_local, 'files', {})
    while files:
        os.close(files.popitem()[1])


def walk_store(url: str) -> Iterator[Tuple[str, List[str], List[str]]]:
    """:func:`os.walk` below an address, in the order of the names, without hidden ones.

    Raises:
        FileNotFoundError: If nothing is there.
    """
    system, inner = file_system(url)
    paths = sorted(system.find(inner), key=lambda path: (os.path.dirname(path), path))
    if not paths:
        raise FileNotFoundError(f'the source {url} does not exist or is empty; check data_root')
    root = system._strip_protocol(inner).rstrip('/')
    for folder, names in groupby(paths, os.path.dirname):
        below = [part for part in folder.removeprefix(root).split('/') if part]
        if not any(map(of_the_system, below)):
            yield '/'.join([url.rstrip('/'), *below]), [], [
                name for name in map(os.path.basename, names) if not of_the_system(name)]
