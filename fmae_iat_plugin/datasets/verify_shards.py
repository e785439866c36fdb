# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Compares tar shards with their index: what is missing, truncated or altered, by shard and image.

With checksums in the index (:func:`~fmae_iat_plugin.datasets.shards.write_index`), every byte is
compared; without, the places of the images alone.
"""

import argparse
import hashlib
import json
import os
import sys
import zlib
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.media import IMAGE_SUFFIXES
from fmae_iat_plugin.parallel import (
    ParallelError,
    Processes,
    add_parallel_arguments,
    parallel_arguments,
    run_parallel,
)

from .byte_ranges import is_url, open_binary
from .shard_index import Members, ShardIndex
from .shards import INDEX_NAME, index_path, shard_states, tar_names, write_index
from .tar_members import has_end, read_members

_BLOCK = 2**20
_NAMED = 5  # images of a shard that are named


class Problem(NamedTuple):
    """What is wrong with a shard.

    Attributes:
        shard (str): Path or address.
        what (str): ``missing``, ``unreadable``, ``not in the index``, ``truncated``, ``altered``.
        record (str): The image; ``''`` = the shard as a whole.
        detail (str): Numbers, and what to do.
    """

    shard: str
    what: str
    record: str
    detail: str


def verify_shards(folder: str, index_dir: Optional[str] = None, workers: Processes = 1) -> dict:
    """Check the shards of a folder.

    Args:
        folder: Path or address of the folder that holds the shards and ``shards.index``.
        index_dir: Folder of the index. Defaults to ``folder``.
        workers: Number of processes.

    Returns:
        dict: Ready for JSON: ``folder``, ``index`` (path), ``shards`` and ``records`` (numbers),
        ``compared`` (shards of which every byte was compared), ``problems`` (dicts, fields of
        :class:`Problem`).

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If the index is incomplete.
    """
    path = _index_of(folder, index_dir)
    index = ShardIndex(path)
    known = {shard.name: number for number, shard in enumerate(index.shards)}
    there = set(tar_names(folder))
    jobs = [(os.path.join(folder, name), index.members(known[name]) if name in known else None,
             name in there) for name in sorted({*known, *there})]
    found = run_parallel(_check, jobs, workers, 'Verifying shards')
    return dict(folder=folder, index=str(path), shards=len(there), records=len(index),
                compared=sum(bool(shard.sha256) and shard.name in there for shard in index.shards),
                problems=[problem._asdict() for problems in found for problem in problems])


def _index_of(folder: str, index_dir: Optional[str]) -> str:
    places = [index_path(folder, index_dir)]
    if not is_url(folder):
        places.append(index_path(folder))
    for place in places:
        if place.is_file():
            return str(place)
    raise FileNotFoundError(
        f'no index of {folder} ({", ".join(map(str, places))}). Remedy: write one while the shards '
        f'are known to be good (--write-index makes {INDEX_NAME} with checksums)')


def _check(job: Tuple[str, Optional[Members], bool]) -> List[Problem]:
    path, members, there = job
    if members is None:
        return [Problem(path, 'not in the index', '', 'write the index again if it belongs here')]
    if not there:
        return [Problem(path, 'missing', '', f'{members.shard.count} images; copy it again')]
    try:
        size, _ = shard_states([path])[path]
        if size != members.shard.size:
            return [_wrong_size(path, size, members)]
        if members.shard.sha256:
            return _compare_bytes(path, members)
        return _compare_places(path, size, members)
    except OSError as error:
        return [Problem(path, 'unreadable', '', str(error))]


def _wrong_size(path: str, size: int, members: Members) -> Problem:
    ends = members.offset.astype(np.int64) + members.size
    lost = np.flatnonzero(ends > size)
    detail = f'{size} bytes instead of {members.shard.size}; {len(lost)} of ' \
             f'{members.shard.count} images are not complete; copy it again'
    first = lost[np.argmin(members.offset[lost])] if len(lost) else None
    what = 'truncated' if size < members.shard.size else 'altered'
    return Problem(path, what, '' if first is None else name_of(members, first), detail)


def name_of(members: Members, row: int) -> str:
    """Name of an image of a shard."""
    start = int(members.ends[row - 1]) if row else 0
    return members.names[start:int(members.ends[row])].decode('utf-8', 'surrogateescape')


def _compare_bytes(path: str, members: Members) -> List[Problem]:
    digest, altered, place = hashlib.sha256(), [], 0
    with open_binary(path) as file:
        for row in np.argsort(members.offset, kind='stable').tolist():
            offset, size = int(members.offset[row]), int(members.size[row])
            _pass_on(file, offset - place, digest)
            data = file.read(size)
            digest.update(data)
            place = offset + size
            if zlib.crc32(data) != members.crc32[row]:
                altered.append(row)
        for block in iter(partial(file.read, _BLOCK), b''):
            digest.update(block)
    if digest.hexdigest() == members.shard.sha256:
        return []
    found = [Problem(path, 'altered', name_of(members, row), 'its CRC-32 is another; copy the '
                     'shard again') for row in altered[:_NAMED]]
    if len(altered) > _NAMED:
        found.append(Problem(path, 'altered', '', f'{len(altered) - _NAMED} further images'))
    return found or [Problem(path, 'altered', '', 'its SHA-256 is another, but all images are as '
                             'they were: a header, or what is no image')]


def _pass_on(file: Any, size: int, digest: Any) -> None:
    while size > 0:
        data = file.read(min(size, _BLOCK))
        if not data:
            return
        digest.update(data)
        size -= len(data)


def _compare_places(path: str, size: int, members: Members) -> List[Problem]:
    try:
        now = read_members(path, IMAGE_SUFFIXES, size)
    except ValueError as error:
        return [Problem(path, 'altered', '', str(error))]
    if not now.same_layout(members):
        places: List[Dict[str, Tuple[int, int]]] = [
            {name_of(side, row): (int(side.offset[row]), int(side.size[row]))
             for row in range(side.shard.count)} for side in (members, now)]
        differ = sorted(name for name in {*places[0], *places[1]}
                        if places[0].get(name) != places[1].get(name))
        return [Problem(path, 'altered', differ[0] if differ else '',
                        f'{len(differ)} images lie elsewhere than the index says; write the index '
                        'again, or copy the shard again')]
    if not has_end(path, size):
        return [Problem(path, 'truncated', '', 'the empty blocks at the end of a tar file are '
                        'lacking, and so may be images before them')]
    return []


def report_lines(report: dict) -> List[str]:
    """What :func:`verify_shards` found, for people."""
    lines = [f'{problem["shard"]}: {problem["what"]}'
             + (f' at {problem["record"]}' if problem['record'] else '') + f': {problem["detail"]}'
             for problem in report['problems']]
    bad = len({problem['shard'] for problem in report['problems']})
    lines.append(f'{report["shards"]} shards, {report["records"]} images, {bad} shards with '
                 f'problems; every byte compared in {report["compared"]}')
    if report['compared'] < report['shards']:
        lines.append('The others have no checksums in the index, so only the places of their '
                     'images were compared; --write-index makes them')
    return lines


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The command ``tools/face9m/verify.py``.

    Returns:
        int: 0: no problem, 1: problems, 2: it cannot be checked.
    """
    parser = argparse.ArgumentParser(
        prog='verify.py', description='Find truncated and altered shards. Exit code 0: none, 1: '
        'problems, 2: usage.')
    parser.add_argument('folder', help='folder of the shards, or its address such as s3://...')
    parser.add_argument('--index-dir', help='folder of the index; default: the folder itself')
    parser.add_argument('--write-index', action='store_true', help='first index the shards as they '
                        'are, with checksums')
    parser.add_argument('--json', metavar='FILE', help='the whole report')
    add_parallel_arguments(parser)
    args = parser.parse_args(argv)
    try:
        workers = parallel_arguments(args)
        if args.write_index:
            names = tar_names(args.folder)
            write_index([os.path.join(args.folder, name) for name in names], args.index_dir,
                        workers=workers)
        report = verify_shards(args.folder, args.index_dir, workers)
    except (OSError, ValueError, ImportError, ParallelError) as error:
        return say_error(error)
    sys.stdout.write('\n'.join(report_lines(report)) + '\n')
    if args.json:
        write_whole(Path(args.json), (json.dumps(report, indent=2) + '\n').encode())
    return 1 if report['problems'] else 0
