# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What a tar shard holds and where: read once, from its headers, at a path or an address."""

import hashlib
import tarfile
import zlib
from functools import partial
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.media import of_the_system

from .byte_ranges import open_binary
from .shard_index import WHOLE, Members, Shard

_BLOCK = 2**20


def pack_members(shard: Shard, found: Sequence[Tuple[str, int, int, int]]) -> Members:
    """The arrays of an index from ``(name, offset, size, crc32)`` of each image, sorted by name."""
    found = sorted(found)
    names = [entry[0].encode('utf-8', 'surrogateescape') for entry in found]
    numbers = np.array([entry[1:] for entry in found], np.int64).reshape(-1, 3)
    return Members(shard._replace(count=len(found)), numbers[:, 0], numbers[:, 1], numbers[:, 2],
                   np.cumsum([len(name) for name in names], dtype=np.uint64), b''.join(names))


def read_members(path: str, suffixes: Sequence[str], size: int, stamp: str = '',
                 checksums: bool = False) -> Members:
    """Find the images of a tar file.

    Args:
        path: An uncompressed tar file, path or address.
        suffixes: Lower-case endings that make a member an image.
        size: Of the file, bytes.
        stamp: See :class:`~fmae_iat_plugin.datasets.shard_index.Shard`.
        checksums: Whether to read everything, for the sha256 and the CRC-32 of each image; else
            only the headers are read.

    Raises:
        ValueError: If the file is compressed, truncated, or not a tar file.
        OSError: If it cannot be read.
    """
    with open_binary(path) as file:
        found = _read_headers(file, path, size)
        images = [member for member in found if _is_image(member[0], suffixes)]
        sha256, crc32 = _checksums(file, images) if checksums else ('', {})
    shard = Shard(path.rsplit('/', 1)[-1], size, stamp, sha256, 0)
    return pack_members(shard, [(*image, crc32.get(image[1:], 0)) for image in images])


def _is_image(name: str, suffixes: Sequence[str]) -> bool:
    return name.lower().endswith(tuple(suffixes)) and not any(
        map(of_the_system, name.removeprefix('./').split('/')))


def _read_headers(file: Any, path: str, tar_size: int) -> List[Tuple[str, int, int]]:
    members = []
    try:
        with tarfile.open(fileobj=file, mode='r:') as tar:
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
        if size >= WHOLE:
            raise ValueError(f'{path}: {name} has {size} bytes; an image has less than 4 GiB. '
                             'Remedy: take it out of the shard')
    return members


def _checksums(file: Any, images: Sequence[Tuple[str, int, int]]) -> Tuple[str, Dict]:
    """SHA-256 of the file, and the CRC-32 of each ``(offset, size)``, in one pass."""
    digest, crc32, place = hashlib.sha256(), {}, 0
    file.seek(0)
    for _, offset, size in sorted(images, key=lambda image: image[1:]):
        while place < offset:
            gap = file.read(min(_BLOCK, offset - place))
            digest.update(gap)
            place += len(gap)
            if not gap:
                break
        data = file.read(size)
        place += len(data)
        digest.update(data)
        crc32[offset, size] = zlib.crc32(data)
    for block in iter(partial(file.read, _BLOCK), b''):
        digest.update(block)
    return digest.hexdigest(), crc32


def has_end(path: str, size: int) -> bool:
    """Whether a tar file ends with the two empty blocks that the format asks for.

    A file that was cut off between two members is lacking them, and only them.
    """
    with open_binary(path) as file:
        file.seek(max(0, size - 1024))
        return file.read() == b'\0' * 1024
