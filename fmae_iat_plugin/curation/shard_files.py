# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Shards that depend on their content alone: tar files without times, owners or process numbers."""

import hashlib
import io
import os
import re
import tarfile
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, List, Set

from fmae_iat_plugin.files import whole_file

from .structures import Container

_SUFFIX = re.compile(r'\.(tar\.gz|tgz|tar|zip|tsv|rec)$', re.IGNORECASE)
Add = Callable[[str, bytes], None]


class _Hashed(io.RawIOBase):
    """Writes to a file, and to a SHA-256."""

    def __init__(self, file):
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self.file.tell()


@contextmanager
def write_shard(path: Path, checksum: List[str]) -> Iterator[Add]:
    """Write a tar file that any WebDataset reader opens.

    Args:
        path: Appears when it is complete.
        checksum: Gets its SHA-256.

    Yields:
        Callable: (name of a member, its bytes) -> None.
    """
    with whole_file(path) as partial, open(partial, 'wb') as file:
        hashed = _Hashed(file)
        with tarfile.open(fileobj=hashed, mode='w', format=tarfile.PAX_FORMAT) as tar:
            def add(name: str, data: bytes) -> None:
                member = tarfile.TarInfo(name)  # its defaults: time, owner and group 0, mode 0644
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
                tar.members = []  # type: ignore[attr-defined]  # it keeps every header
            yield add
        checksum.append(hashed.digest.hexdigest())


def copy_shard(source: Path, path: Path, without: Set[int]) -> str:
    """Copy a shard without the members at some places; returns its SHA-256."""
    checksum: List[str] = []
    with tarfile.open(source, 'r:') as tar, write_shard(path, checksum) as add:
        for place, member in enumerate(tar):
            if place not in without:
                add(member.name, tar.extractfile(member).read())
            tar.members = []  # type: ignore[attr-defined]
    return checksum[0]


def name_in_shard(container: Container, member: str, taken: Set[str]) -> str:
    """Name of a member's image in a shard: source, archive, path, ``.jpg``.

    WebDataset takes what stands before the first dot for the key, so dots become ``_``.

    Args:
        container, member: Where it is.
        taken: Keys of the shard, in lower case; gets the new one.
    """
    folder, stem = os.path.split(member.replace('\\', '/'))
    stem = re.sub(r'\.jpe?g$', '', stem, flags=re.IGNORECASE).replace('.', '_') or '_'
    parts = [container.source, *_SUFFIX.sub('', container.label).split('/'), *folder.split('/')]
    key = '/'.join([p.replace('..', '__') for p in parts if p not in ('', '.')] + [stem])
    unique, number = key, 1
    while unique.lower() in taken:
        number += 1
        unique = f'{key}-{number}'
    taken.add(unique.lower())
    return f'{unique}.jpg'
