# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Tar shards of images: expands their names and indexes them once.

A shard is an uncompressed tar file (the WebDataset layout qualifies). Its index says where
each image begins and how long it is, so that images are read at random without unpacking.
"""

import glob
import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from braceexpand import braceexpand
from mmengine.logging import MMLogger

from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.media import of_the_system

INDEX_VERSION = 1
Member = Tuple[str, int, int]


def expand_shards(pattern: str) -> List[str]:
    """The sorted tar files that a pattern names, with braces as in a shell or wildcards.

    Raises:
        FileNotFoundError: If a file that braces name is missing, or a wildcard matches no file.
        ValueError: If a brace is not closed.
    """
    paths: List[str] = []
    try:
        names = list(braceexpand(pattern))
    except ValueError:
        raise ValueError(f'the shards {pattern!r} have a brace without its other half. Remedy: '
                         'write a range as name-{000..012}.tar') from None
    for name in names:
        found = glob.glob(name, recursive=True) if glob.has_magic(name) else \
            [name] if os.path.isfile(name) else []
        if not found:
            raise FileNotFoundError(f'no shard {name!r} (from {pattern!r}); check the range or '
                                    'the pattern, and whether the shard was copied')
        paths.extend(found)
    return sorted(set(paths))


def index_tar(path: str, suffixes: Sequence[str], index_dir: Optional[str] = None) -> List[Member]:
    """Find where the images of a tar file are.

    The index is kept in ``{path}.index.json`` beside the tar file, or in ``index_dir``. It is used
    again while the tar file has the same size and time of modification. It is written atomically,
    so several ranks may write it at once. If the folder is not writable, the tar file is read
    again at every start, and the log says so.

    Args:
        path: An uncompressed tar file.
        suffixes: Lower-case endings that make a member an image, for example ``('.jpg',)``.
        index_dir: Folder for the index. Defaults to the tar file's.

    Returns:
        list: ``(name, offset, size)`` of each image in bytes, sorted by name.

    Raises:
        ValueError: If the file is compressed, truncated, or not a tar file.
    """
    path = os.path.abspath(path)
    stat = os.stat(path)
    key = dict(version=INDEX_VERSION, tar_size=stat.st_size, tar_mtime_ns=stat.st_mtime_ns)
    if index_dir is None:
        file = Path(f'{path}.index.json')
    else:
        digest = hashlib.sha1(path.encode()).hexdigest()[:10]
        file = Path(index_dir).expanduser() / f'{os.path.basename(path)}.{digest}.index.json'
    members = _load_index(file, key)
    if members is None:
        members = _read_members(path, stat.st_size)
        _save_index(file, dict(key, members=members))
    return sorted((name, offset, size) for name, offset, size in members
                  if name.lower().endswith(tuple(suffixes))
                  and not any(map(of_the_system, name.removeprefix('./').split('/'))))


def _read_members(path: str, tar_size: int) -> List[Member]:
    members = []
    try:
        with tarfile.open(path, 'r:') as tar:
            for member in tar:
                if member.isreg() and not member.issparse():
                    members.append((member.name, member.offset_data, member.size))
                # tarfile keeps every header it has seen
                tar.members = []  # type: ignore[attr-defined]  # public, but not in the stub
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f'{path} cannot be indexed ({error}); a shard must be a complete, '
                         'uncompressed tar file: unpack .tar.gz with gunzip, copy a truncated one '
                         'again') from error
    for name, offset, size in members:
        if offset + size > tar_size:
            raise ValueError(f'{path} is truncated inside {name}; copy it again')
    return members


def _load_index(file: Path, key: dict) -> Optional[List[Member]]:
    try:
        index = json.loads(file.read_text())
        if all(index[name] == value for name, value in key.items()):
            return index['members']
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        MMLogger.get_current_instance().warning(f'{file} is unreadable ({error}) and is rebuilt')
    return None


def _save_index(file: Path, index: dict) -> None:
    try:
        write_whole(file, json.dumps(index).encode())
    except OSError as error:
        MMLogger.get_current_instance().warning(
            f'the index {file} cannot be written ({error}); the shard will be read again at every '
            'start unless index_dir names a writable folder')
