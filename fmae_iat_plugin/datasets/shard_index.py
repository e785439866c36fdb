# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The file that says where millions of images lie; read in place, never loaded.

Layout, little-endian::

    8 bytes           b'FACEIDX1'
    uint64            length of the header
    header            JSON: suffixes, records, and per shard its name, size, stamp, sha256, count
    records [N]       uint64 offset, uint32 size, uint32 number of the shard
    crc32   [N]       uint32, of the record's bytes; 0 in a shard without sha256
    ends    [N]       uint64 end of the record's name in `names`
    names             UTF-8, one after the other

The records of a shard stand together, sorted by name; the shards too. A process keeps the header
alone: it is as long as the list of shards, whatever the number of images. A look-up reads 16 bytes,
and for a name 16 more and the name, from the system's page cache, which all processes share. Mapped
memory would show the same pages, but they count as the process's own until another one maps them,
and with large pages a few thousand look-ups at random map the whole file.
"""

import json
import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple, Union

import numpy as np

from fmae_iat_plugin.files import whole_file

from .byte_ranges import read_at

MAGIC = b'FACEIDX1'
RECORD = np.dtype([('offset', '<u8'), ('size', '<u4'), ('shard', '<u4')])
WHOLE = 2**32 - 1  #: size of a record that is a file of its own
_RECORD, _CRC, _END, _ENDS = (struct.Struct(form) for form in ('<QII', '<I', '<Q', '<QQ'))


class BrokenIndexError(ValueError):
    """A file that is no index, or an incomplete one."""


class Shard(NamedTuple):
    """A shard as it was when it was indexed.

    Attributes:
        name (str): File name beside the index.
        size (int): Bytes.
        stamp (str): ``mtime:NANOSECONDS`` or what a store gives, ``ETag:...``; ``''`` = unknown.
        sha256 (str): Of the file; ``''`` = not computed, and the records have no CRC-32 then.
        count (int): Number of images.
    """

    name: str
    size: int
    stamp: str
    sha256: str
    count: int


class Members(NamedTuple):
    """The images of one shard, sorted by name.

    Attributes:
        shard (Shard): The shard.
        offset, size, crc32 (np.ndarray): Integers ``[count]``.
        ends (np.ndarray): uint64 ``[count]``, ends of the names in ``names``.
        names (bytes): UTF-8.
    """

    shard: Shard
    offset: np.ndarray
    size: np.ndarray
    crc32: np.ndarray
    ends: np.ndarray
    names: bytes

    def same_layout(self, other: 'Members') -> bool:
        """Whether the same names lie at the same places."""
        return self.names == other.names and all(
            np.array_equal(mine, others) for mine, others in zip(
                (self.offset, self.size, self.ends), (other.offset, other.size, other.ends)))


def write_index_file(path: Union[str, Path], members: Sequence[Members],
                     suffixes: Sequence[str]) -> None:
    """Write an index; it never appears half-written.

    Args:
        path: The file.
        members: Of each shard, in the order of the index.
        suffixes: Endings of names that make an image.

    Raises:
        OSError: If the file cannot be written.
    """
    count = sum(part.shard.count for part in members)
    header = json.dumps(dict(suffixes=list(suffixes), records=count, names=sum(
        len(part.names) for part in members), shards=[part.shard for part in members])).encode()
    header += b' ' * (-(len(MAGIC) + 8 + len(header)) % 16)
    with whole_file(path) as partial, open(partial, 'wb') as file:
        file.write(MAGIC + _END.pack(len(header)) + header)
        for number, part in enumerate(members):
            records = np.empty(part.shard.count, RECORD)
            records['offset'], records['size'], records['shard'] = part.offset, part.size, number
            file.write(records)
        for part in members:
            file.write(np.ascontiguousarray(part.crc32, '<u4'))
        place = 0
        for part in members:
            file.write(np.ascontiguousarray(part.ends, '<u8') + np.uint64(place))
            place += len(part.names)
        for part in members:
            file.write(part.names)
        file.flush()
        os.fsync(file.fileno())


class ShardIndex:
    """An index, kept open; pickled as its path.

    Args:
        path: File that :func:`write_index_file` wrote.

    Raises:
        FileNotFoundError: If there is none.
        BrokenIndexError: If it is not a complete index.
    """

    def __init__(self, path: Union[str, Path]):
        self.path = str(path)
        with open(path, 'rb') as file:
            start = file.read(len(MAGIC) + 8)
            if start[:len(MAGIC)] != MAGIC or len(start) < len(MAGIC) + 8:
                raise BrokenIndexError(f'{path} is not an index of this version')
            text = file.read(_END.unpack(start[len(MAGIC):])[0])
            try:
                header = json.loads(text)
                self.shards: List[Shard] = [Shard(*shard) for shard in header['shards']]
                self.suffixes = tuple(header['suffixes'])
                self._count, names = int(header['records']), int(header['names'])
            except (ValueError, KeyError, TypeError) as error:
                raise BrokenIndexError(f'{path} has no readable header ({error})') from error
            self._records = len(start) + len(text)
            self._crc32 = self._records + RECORD.itemsize * self._count
            self._ends = self._crc32 + 4 * self._count
            self._names = self._ends + 8 * self._count
            self._size = self._names + names
            self._start = zlib.crc32(start + text)
            counts = [shard.count for shard in self.shards]
            if os.fstat(file.fileno()).st_size != self._size or sum(counts) != self._count:
                raise BrokenIndexError(f'{path} is not complete')
            self._file = os.dup(file.fileno())
        self.first = [0, *np.cumsum(counts, dtype=np.int64).tolist()]  #: row of each shard

    def __del__(self) -> None:
        with suppress(OSError, AttributeError):
            os.close(self._file)

    def __getstate__(self) -> Dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != '_file'}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        with open(self.path, 'rb') as file:
            same = zlib.crc32(file.read(self._records)) == self._start
            if not same or os.fstat(file.fileno()).st_size != self._size:
                raise BrokenIndexError(f'{self.path} was written again since this process was told '
                                       'of it. Remedy: start the run again')
            self._file = os.dup(file.fileno())

    def __len__(self) -> int:
        """Number of records."""
        return self._count

    def _read(self, place: int, size: int) -> bytes:
        data = read_at(self._file, size, place)
        if len(data) != size:
            raise BrokenIndexError(f'{self.path} is not complete any more. Remedy: remove it; it '
                                   'is made again')
        return data

    def record(self, row: int) -> Tuple[int, int, int]:
        """``(offset, size, number of the shard)`` of a record."""
        return _RECORD.unpack(self._read(self._records + RECORD.itemsize * row, RECORD.itemsize))

    def name(self, row: int) -> str:
        """Name of a record in its shard."""
        start, end = _ENDS.unpack(self._read(self._ends + 8 * (row - 1), 16)) if row else (
            0, *_END.unpack(self._read(self._ends, 8)))
        return self._read(self._names + start, end - start).decode('utf-8', 'surrogateescape')

    def crc32(self, row: int) -> int:
        """CRC-32 of a record's bytes; only where its shard has a sha256."""
        return _CRC.unpack(self._read(self._crc32 + 4 * row, 4))[0]

    def names(self, first: int, count: int) -> Iterator[str]:
        """Names of ``count`` records from ``first`` on."""
        for start in range(first, first + count, 65536):
            ends, names = self._names_of(start, min(65536, first + count - start))
            begin = 0
            for end in ends.tolist():
                yield names[begin:end].decode('utf-8', 'surrogateescape')
                begin = end

    def _names_of(self, first: int, count: int) -> Tuple[np.ndarray, bytes]:
        """Ends (from 0 on) and names of some records."""
        before = self._part(self._ends + 8 * (first - 1), 1, '<u8')[0] if first else np.uint64(0)
        ends = self._part(self._ends + 8 * first, count, '<u8')
        last = ends[-1] if count else before
        return ends - before, self._read(self._names + int(before), int(last - before))

    def _part(self, place: int, count: int, kind: Any) -> np.ndarray:
        return np.frombuffer(self._read(place, np.dtype(kind).itemsize * count), kind)

    def members(self, number: int) -> Members:
        """Everything about one shard."""
        first, count = self.first[number], self.shards[number].count
        ends, names = self._names_of(first, count)
        records = self._part(self._records + RECORD.itemsize * first, count, RECORD)
        crc32 = self._part(self._crc32 + 4 * first, count, '<u4')
        return Members(self.shards[number], records['offset'], records['size'], crc32, ends, names)
