# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Tar shards of images: expands their names, indexes them once, and opens millions at once.

A shard is an uncompressed tar file (the WebDataset layout qualifies), on a disk or behind an
address that fsspec reads (``s3://bucket/0000.tar``). The index says where each image begins and how
long it is, so that images are read at random without unpacking. One index serves all shards of a
folder: ``shards.index`` beside them.
"""

import glob
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from braceexpand import braceexpand

from fmae_iat_plugin.files import whole_file
from fmae_iat_plugin.logs import logger
from fmae_iat_plugin.media import IMAGE_SUFFIXES, of_the_system
from fmae_iat_plugin.parallel import Processes, run_parallel

from .byte_ranges import file_system, forget, is_url
from .scratch import one_at_a_time, scratch_file
from .shard_index import BrokenIndexError, Members, ShardIndex, write_index_file
from .tar_members import read_members

INDEX_NAME = 'shards.index'
_FEW = 8  # shards whose headers are read at once


class Span(NamedTuple):
    """Records that stand together in an index, such as those of a shard.

    Attributes:
        index (ShardIndex): The index.
        folder (str): Path or address of the folder of the shards.
        first, count (int): First row and number of rows.
    """

    index: ShardIndex
    folder: str
    first: int
    count: int


def expand_shards(pattern: str) -> List[str]:
    """The sorted tar files that a pattern names, with braces as in a shell or wildcards.

    Args:
        pattern: Of paths or addresses.

    Raises:
        FileNotFoundError: If a file that braces name is missing, or a wildcard matches no file.
            Whether what an address with braces names is there is asked when it is opened.
        ValueError: If a brace is not closed.
    """
    paths: List[str] = []
    try:
        names = list(braceexpand(pattern))
    except ValueError:
        raise ValueError(f'the shards {pattern!r} have a brace without its other half. Remedy: '
                         'write a range as name-{000..012}.tar') from None
    for name in names:
        found = _glob(name) if glob.has_magic(name) else \
            [name] if is_url(name) or os.path.isfile(name) else []
        if not found:
            raise FileNotFoundError(f'no shard {name!r} (from {pattern!r}); check the range or '
                                    'the pattern, and whether the shard was copied')
        paths.extend(found)
    return sorted(set(paths))


def _glob(pattern: str) -> List[str]:
    if not is_url(pattern):
        return glob.glob(pattern, recursive=True)
    system, inner = file_system(pattern)
    kind = pattern.split('://')[0]  # with what stands before, such as simplecache::s3
    return [path if is_url(path) else f'{kind}://{path.lstrip("/")}' for path in system.glob(inner)]


def index_path(folder: str, index_dir: Optional[str] = None) -> Path:
    """Where the index of a folder of shards lies.

    Args:
        folder: Path or address.
        index_dir: Folder of indices. Defaults to the folder itself, and for an address to
            ``~/.cache/fmae_iat_plugin/indices`` (``$XDG_CACHE_HOME``).
    """
    if index_dir is None and not is_url(folder):
        return Path(folder) / INDEX_NAME
    if index_dir is None:
        cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
        index_dir = os.path.join(cache, 'fmae_iat_plugin', 'indices')
    full = folder if is_url(folder) else os.path.abspath(folder)
    name = os.path.basename(full.rstrip('/')) or 'root'
    digest = hashlib.sha256(os.fsencode(full)).hexdigest()[:10]
    return Path(index_dir).expanduser() / f'{name}.{digest}.index'


def write_index(shards: Sequence[Union[str, Path]], out_dir: Union[str, Path, None] = None,
                checksums: bool = True, workers: Processes = 1) -> Path:
    """Index the shards of one folder; replaces an index that is there.

    Call it once all shards are complete: an index remembers the size and the time of modification
    of each.

    Args:
        shards: Tar files in one folder, paths or addresses. Their order does not matter.
        out_dir: Folder of the index. Defaults to that of the shards, where every reader finds it;
            it is then ``shards.index``.
        checksums: Whether to read the shards completely, for the sha256 of each and the CRC-32 of
            each image, by which ``tools/face9m/verify.py`` finds what was altered.
        workers: Number of processes.

    Returns:
        Path: The index.

    Raises:
        ValueError: If the shards lie in several folders, or one is not a complete tar file.
        FileNotFoundError, OSError: If one cannot be read, or the index not be written.
    """
    paths = sorted({os.fspath(shard) for shard in shards})
    folders = {os.path.dirname(path) for path in paths}
    if len(folders) != 1:
        raise ValueError(f'the shards lie in {len(folders)} folders ({sorted(folders)[:3]}); an '
                         'index belongs to one. Remedy: call this for each folder')
    folder = folders.pop()
    if out_dir is not None and os.path.abspath(out_dir) == os.path.abspath(folder):
        out_dir = None
    path = index_path(folder, None if out_dir is None else os.fspath(out_dir))
    states = shard_states(paths)
    jobs = [(path, *states[path]) for path in paths]
    members = run_parallel(partial(_read, checksums=checksums), jobs, workers, 'Indexing shards')
    write_index_file(path, members, IMAGE_SUFFIXES)
    return path


def _read(job: Tuple[str, int, str], checksums: bool = False) -> Members:
    path, size, stamp = job
    return read_members(path, IMAGE_SUFFIXES, size, stamp, checksums)


def open_shards(shards: Sequence[str], index_dir: Optional[str] = None) -> Dict[str, Span]:
    """Open shards, with as much memory for millions of images as for a few.

    An index that is missing is made, from the headers of the tar files; of one that no longer
    fits its shards, those that have changed are read again, and the log says which. If it cannot be
    written, it is kept until the process ends, and the log says so.

    Args:
        shards: Paths or addresses of tar files.
        index_dir: Folder for indices. See :func:`index_path`.

    Returns:
        dict: What each shard holds, in the order given.

    Raises:
        FileNotFoundError: If a shard is missing.
        ValueError: If a shard is compressed, truncated, or not a tar file.
    """
    forget()  # a shard may have been replaced
    groups: Dict[str, List[str]] = {}
    for shard in shards:
        groups.setdefault(os.path.dirname(shard), []).append(shard)
    indices = {folder: _fresh_index(folder, own, index_dir) for folder, own in groups.items()}
    numbers = {folder: {shard.name: number for number, shard in enumerate(index.shards)}
               for folder, index in indices.items()}
    opened: Dict[str, Span] = {}
    for shard in shards:
        folder, name = os.path.split(shard)
        index, number = indices[folder], numbers[folder][name]
        opened[shard] = Span(index, folder, index.first[number], index.shards[number].count)
    return opened


def shard_states(paths: Sequence[str]) -> Dict[str, Tuple[int, str]]:
    """Size in bytes and stamp of each shard, see :class:`~.shard_index.Shard`.

    Raises:
        FileNotFoundError: Names the shard that is missing.
    """
    with ThreadPoolExecutor(16) as threads:
        return dict(zip(paths, threads.map(_state, paths)))


def _state(path: str) -> Tuple[int, str]:
    if not is_url(path):
        found = os.stat(path)
        return found.st_size, f'mtime:{found.st_mtime_ns}'
    system, inner = file_system(path)
    try:
        info = system.info(inner)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'no shard {path!r}; check the address') from error
    if info.get('size') is None:
        raise ValueError(f'{path}: the server does not say how long it is. Remedy: copy the shard '
                         'to a disk')
    stamp = next((f'{key}:{info[key]}' for key in ('ETag', 'mtime', 'LastModified', 'updated',
                                                   'created') if info.get(key)), '')
    return int(info['size']), stamp


def _fresh_index(folder: str, paths: Sequence[str], index_dir: Optional[str]) -> ShardIndex:
    states = {os.path.basename(path): state for path, state in shard_states(paths).items()}
    target = index_path(folder, index_dir)
    index, _ = _found_index(folder, states, target)
    if index is not None:
        return index
    with one_at_a_time(str(target)):  # ranks of a machine: the first makes it
        index, old = _found_index(folder, states, target)
        return index or _index_again(folder, states, target, old)


def _found_index(folder: str, states: Dict[str, Tuple[int, str]], target: Path
                 ) -> Tuple[Optional[ShardIndex], Optional[ShardIndex]]:
    """An index that fits, or None, and one that does not fit any more, or None."""
    old = None
    for file in dict.fromkeys((target, *(() if is_url(folder) else (index_path(folder), )))):
        index = _load(file)
        if index is not None and not stale(index, states):
            return index, None
        old = old or index
    if is_url(folder):
        index = _fetched(folder, target)
        if index is not None and not stale(index, states):
            return index, None
        old = index or old
    return None, old


def _load(file: Path) -> Optional[ShardIndex]:
    try:
        index = ShardIndex(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, BrokenIndexError) as error:
        logger().warning(f'{file} is unreadable ({error}) and is rebuilt')
        return None
    return index if index.suffixes == IMAGE_SUFFIXES else None


def _fetched(folder: str, target: Path) -> Optional[ShardIndex]:
    """The index beside the shards of a store, copied to a disk."""
    system, inner = file_system(f'{folder}/{INDEX_NAME}')
    with suppress(FileNotFoundError, OSError), whole_file(target) as partial:
        system.get_file(inner, str(partial))
    return _load(target)


def stale(index: ShardIndex, states: Dict[str, Tuple[int, str]]) -> Dict[str, str]:
    """Which shards an index does not describe as they are, by name, and in which way.

    Stamps count only if both are of one kind: a copy in a store knows no time of modification.
    """
    known = {shard.name: shard for shard in index.shards}
    found = {}
    for name, (size, stamp) in states.items():
        shard = known.get(name)
        if shard is None:
            found[name] = 'not in the index'
        elif shard.size != size:
            found[name] = f'{size} bytes instead of {shard.size}'
        elif shard.stamp != stamp and shard.stamp.split(':')[0] == stamp.split(':')[0]:
            found[name] = f'changed at {stamp}, indexed at {shard.stamp}'
    return found


def _index_again(folder: str, states: Dict[str, Tuple[int, str]], target: Path,
                 old: Optional[ShardIndex]) -> ShardIndex:
    changed = {name: '' for name in states} if old is None else stale(old, states)
    kept: Dict[str, Members] = {}
    if old is not None:
        first = next(iter(changed))
        logger().warning(f'{old.path} does not fit its shards any more: {len(changed)} of '
                         f'{len(states)} are read again, the first is {first} ({changed[first]})')
        there = {*tar_names(folder), *states}
        kept = {shard.name: old.members(number) for number, shard in enumerate(old.shards)
                if shard.name in there}
    jobs = [(os.path.join(folder, name), *states[name]) for name in sorted(changed)]
    for members in map(_read, jobs) if len(jobs) < _FEW else run_parallel(
            _read, jobs, 0, 'Indexing shards'):
        before = kept.get(members.shard.name)
        if before is not None and members.same_layout(before):  # copied, touched, or altered inside
            members = before._replace(shard=before.shard._replace(stamp=members.shard.stamp))
        kept[members.shard.name] = members
    whole = [kept[name] for name in sorted(kept)]
    try:
        write_index_file(target, whole, IMAGE_SUFFIXES)
    except OSError as error:
        logger().warning(
            f'the index {target} cannot be written ({error}); the shards will be read again at '
            'every start unless index_dir names a writable folder')
        target = scratch_file('shards.index')
        write_index_file(target, whole, IMAGE_SUFFIXES)
    return ShardIndex(target)


def tar_names(folder: str) -> List[str]:
    """File names of the tar files in a folder, path or address; sorted."""
    if is_url(folder):
        system, inner = file_system(folder)
        names = [os.path.basename(path) for path in system.ls(inner, detail=False)]
    else:
        names = os.listdir(folder or os.curdir)
    return sorted(name for name in names if name.lower().endswith('.tar')
                  and not of_the_system(name))
