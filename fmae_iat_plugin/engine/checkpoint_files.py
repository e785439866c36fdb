# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Checkpoint files on a disk: whether one is intact, which is the newest, and how one gets there.

PyTorch writes a zip archive with the CRC-32 of every record, so a file tells by itself whether it
was cut off or altered. Nothing of it is unpickled here.
"""

import os
import re
import zipfile
import zlib
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple, Union

from fmae_iat_plugin.files import is_partial


class Progress(NamedTuple):
    """A checkpoint by its name.

    Attributes:
        iterations (int): Iterations done when it was written.
        path (Path): The file.
    """

    iterations: int
    path: Path


def fault(path: Union[str, Path]) -> str:
    """Why a checkpoint cannot be used, ``''`` if it is intact. Reads the whole file.

    A folder, which sharded strategies write, is taken to be intact.
    """
    path = Path(path)
    if path.is_dir():
        return ''
    try:
        if not path.stat().st_size:
            return 'it is empty'
        with zipfile.ZipFile(path) as archive:
            if not any(name.endswith('data.pkl') for name in archive.namelist()):
                return 'it is no file of PyTorch'
            bad = archive.testzip()
        return f'its record {bad} was altered' if bad else ''
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        return f'it was cut off or altered: {error}'
    except OSError as error:
        return f'it cannot be read: {error.strerror}'


def settle(partial: Path, final: Path) -> None:
    """Give a finished file its name, so that it survives a loss of power from here on.

    Raises:
        OSError: If the disk reports an error, names the final file.
    """
    try:
        if partial.is_file():
            _sync(partial)
        os.replace(partial, final)
        _sync(final.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(final)) from error


def _sync(path: Path) -> None:
    """Have the system write a file, or the names of a folder, to the disk."""
    if os.name == 'nt' and path.is_dir():
        return  # Windows does not open folders
    handle = os.open(path, os.O_RDWR if os.name == 'nt' else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_left_over(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder, not below it."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if is_partial(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def checkpoints(folder: Path, templates: Sequence[Tuple[str, int]]) -> List[Progress]:
    """Checkpoints of a folder, the newest first.

    Args:
        folder: Need not exist.
        templates: Name with ``{}`` for a number, and how many iterations one of that number is:
            ``[('epoch_{}.pth', 100), ('iter_{}.pth', 1)]``.
    """
    found = []
    for name in os.listdir(folder) if folder.is_dir() else ():
        for template, iterations in templates:
            match = re.fullmatch(re.escape(template).replace(r'\{\}', r'(\d+)'), name)
            if match:
                found.append(Progress(int(match[1]) * iterations, folder / name))
    return sorted(found, key=lambda one: (-one.iterations, one.path.name))


def newest_intact(found: Sequence[Progress]) -> Tuple[Union[Path, None], List[Tuple[Path, str]]]:
    """The first checkpoint that is intact, or None.

    Args:
        found: See :func:`checkpoints`.

    Returns:
        tuple: Its path, and path and fault of each that was passed over.
    """
    passed = []
    for one in found:
        reason = fault(one.path)
        if not reason:
            return one.path, passed
        passed.append((one.path, reason))
    return None, passed
