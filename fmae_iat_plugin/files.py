# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there, and folders that belong to one set of settings."""

import errno
import hashlib
import json
import math
import os
import re
import socket
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterable, Iterator, List, Sequence, Type, Union

from filelock import FileLock, SoftFileLock, Timeout

#: of a folder that is in use, and who uses it
_LOCK, _HOLDER = '.in_use.lock', '.in_use.json'
_PARTIAL = re.compile(r'\.[0-9a-f]{16}\.[0-9]+\.part')


def partial_path(path: Path) -> Path:
    """Hidden name, of this process alone, under which a file is made.

    Its length does not depend on that of the final name, which may be as long as a name can be.
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f'.{digest}.{os.getpid()}.part')


def is_partial(name: str) -> bool:
    """Whether a file of this name was left half-written by a killed process."""
    return _PARTIAL.fullmatch(name) is not None


@contextmanager
def whole_file(path: Union[str, Path]) -> Iterator[Path]:
    """Make a file so that it never appears half-written under its name; makes its folder.

    Yields:
        Path: Where to write. What stands there takes the final name when the block ends, and is
        removed when the block raises.

    Raises:
        OSError: Names the final file, such as of a full disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(partial)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # not the hidden name
    finally:
        with suppress(OSError):  # it may be the error of the block, which is to be seen
            partial.unlink(missing_ok=True)


@contextmanager
def whole_named_file(path: Union[str, Path]) -> Iterator[Path]:
    """Like :func:`whole_file`, for writers that look at the name of the file or add a suffix."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix='.part_') as folder:
        partial = Path(folder) / path.name
        yield partial
        os.replace(partial, path)


def write_whole(path: Path, data: bytes) -> None:
    """Write bytes through :func:`whole_file`."""
    with whole_file(path) as partial:
        partial.write_bytes(data)


def remove_partial(folder: Path) -> None:
    """Remove what a killed run left half-written below ``folder``."""
    for root, _, names in os.walk(folder):
        for name in names:
            if is_partial(name):
                os.unlink(os.path.join(root, name))


def claim_folder(folder: Path, record: str, settings: dict, what: str,
                 remedy: str = 'choose another folder, or delete this one',
                 foreign: Sequence[str] = (), error: Type[Exception] = ValueError) -> None:
    """Take an output folder for one set of settings, and clear what a killed run left half-written.

    Args:
        folder: Made if need be.
        record: Name of the JSON file in it that holds the settings.
        settings: What shapes the output; everything that JSON can hold.
        what: What the folder holds, for the message, such as ``'a conversion'``.
        remedy: For the message.
        foreign: Names that must not be there if the record is not: somebody else wrote them.
        error: What is raised.

    Raises:
        ValueError: Or ``error``, if the folder holds something made with other settings (the
            message names each that differs, with both values), or one of ``foreign``.
    """
    path = folder / record
    text = json.dumps(settings, indent=2, sort_keys=True, default=str) + '\n'
    if path.is_file():
        old, new = json.loads(path.read_text(encoding='utf-8')), json.loads(text)
        if old != new:
            raise error(f'{folder} holds {what} made with other settings ({path}): '
                        f'{differences(old, new)}. Remedy: {remedy}.')
    else:
        taken = next((name for name in foreign if (folder / name).exists()), None)
        if taken is not None:
            raise error(f'{folder} holds {taken}, which this command did not write. Remedy: '
                        'choose another folder.')
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    if not path.is_file():
        write_whole(path, text.encode())


@contextmanager
def hold_folder(folder: Union[str, Path], what: str,
                error: Type[Exception] = ValueError) -> Iterator[None]:
    """Keep every other process, and every other call, out of an output folder during a block.

    The lock is the operating system's (``flock``), so it ends with its process, however that ends:
    a file that a killed process left behind does not lock. Where the file system has no such lock,
    the file itself is the lock, and counts as left behind when its process is gone.

    Args:
        folder: Made if need be, and removed again if it stays empty.
        what: What works there, for the message of those that are kept out, such as
            ``'a prediction'``. Of several processes of one job, one holds the folder for all.
        error: What is raised.

    Raises:
        ValueError: Or ``error``, if the folder is held; the message says by whom and since when.
        OSError: If the folder cannot be made or written.
    """
    folder = Path(folder)
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = _lock(folder / _LOCK)
    except Timeout:
        raise error(f'{folder} is in use: {_holder(folder)}. Remedy: wait for its end, stop it, or '
                    'choose another folder.') from None
    try:
        mine = dict(what=what, process=os.getpid(), host=socket.gethostname(),
                    since=time.strftime('%Y-%m-%d %H:%M:%S'))
        write_whole(folder / _HOLDER, json.dumps(mine).encode())
        yield
    finally:
        with suppress(OSError):
            (folder / _HOLDER).unlink()
        with suppress(OSError):  # while it is held: who opened it before sees that it is gone
            (folder / _LOCK).unlink()
        lock.release()
        if created:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _lock(path: Path) -> Union[FileLock, SoftFileLock]:
    """The lock, held; raises filelock's Timeout if somebody else holds it."""
    try:
        lock = FileLock(path)
        lock.acquire(timeout=0)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP) or isinstance(error, Timeout):
            raise
        lock = SoftFileLock(path)  # a network drive without locks
        lock.acquire(timeout=0)
    return lock


def _holder(folder: Path) -> str:
    """``'a prediction (process 12 on host, since ...)'``."""
    try:
        found = json.loads((folder / _HOLDER).read_text(encoding='utf-8'))
        return '{what} (process {process} on {host}, since {since})'.format(**found)
    except (OSError, ValueError, KeyError):  # it begins, or ends, at this moment
        return 'another process works there'


def differences(old: dict, new: dict) -> str:
    """``'size: 64 there, 224 asked for'`` of every setting that differs."""
    return '; '.join(f'{name}: {old.get(name)!r} there, {new.get(name)!r} asked for'
                     for name in sorted({*old, *new}) if old.get(name) != new.get(name))


def read_lines(path: Union[str, Path]) -> List[str]:
    """Lines of a UTF-8 text file without their ends (``\\n``, ``\\r\\n``) and without a BOM.

    There is no line after the last end.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not UTF-8 text; names file and line.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise type(error)(f'{path}: cannot be read: {error.strerror}') from error
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = data.count(b'\n', 0, error.start) + 1
        raise ValueError(f'{path}, line {line}: byte {data[error.start]:#04x} is not UTF-8 '
                         'text. Remedy: restore the file from the release.') from error
    lines = [line[:-1] if line.endswith('\r') else line for line in text.split('\n')]
    return lines[:-1] if lines[-1] == '' else lines


def short_name(name: str, room: int = 24) -> str:
    """A file name to which ``room`` bytes can be added, within the 255 that file systems take.

    A longer one is cut and told apart from others by a part of its SHA-256.
    """
    data = os.fsencode(name)
    if len(data) <= 255 - room:
        return name
    digest = hashlib.sha256(data).hexdigest()[:8]
    return f'{data[:246 - room].decode(errors="ignore").rstrip()}-{digest}'


class UniqueNames:
    """Names of files made from inputs: video, or video.mp4, video.mp4-2 where that is taken.

    There is room for an ending such as ``_annotated.mp4``.

    Args:
        taken: Names that no input gets.
    """

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = {name.lower() for name in taken}

    def __call__(self, source: str) -> str:
        """A name without suffix that no earlier input got, also where case does not count."""
        base = os.path.basename(source.rstrip('/')) or 'input'
        names = list(dict.fromkeys((short_name(os.path.splitext(base)[0]), short_name(base))))
        number = 1
        while names[0].lower() in self._taken:
            names = names[1:]
            if not names:
                number += 1
                names = [f'{short_name(base)}-{number}']
        self._taken.add(names[0].lower())
        return names[0]


def file_sha256(path: Union[str, Path]) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def without_nan(value):
    """JSON has no NaN: undefined numbers become null."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
