# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Millions of images as one sequence, without an object for each."""

import os
from bisect import bisect_right
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from .scratch import scratch_file
from .shard_index import WHOLE, Shard, ShardIndex, write_index_file
from .shards import Span
from .tar_members import pack_members


class Record(NamedTuple):
    """Where an image is.

    Attributes:
        base (str): Folder, or path or address of a shard.
        name (str): Path below ``base``.
        offset, size (int): Bytes in the shard; ``size`` is -1 for a file of its own.
    """

    base: str
    name: str
    offset: int = 0
    size: int = -1

    @property
    def path(self) -> str:
        """Names the image, below the shard if it is in one."""
        return os.path.join(self.base, self.name)


def list_files(folder: str, names: Sequence[str]) -> Span:
    """Images that are files, below a folder, as an index of this process.

    Args:
        folder: The folder; ``''`` for names that are complete.
        names: Their paths below it, in the order wanted.
    """
    path = scratch_file('files.index')
    ends = np.cumsum([len(name.encode('utf-8', 'surrogateescape')) for name in names],
                     dtype=np.uint64)
    members = pack_members(Shard(folder, 0, '', '', 0), [])
    count, zero = len(names), np.zeros(len(names), np.uint32)
    members = members._replace(
        shard=members.shard._replace(count=count), offset=zero, size=zero + np.uint32(WHOLE),
        crc32=zero, ends=ends, names=''.join(names).encode('utf-8', 'surrogateescape'))
    write_index_file(path, [members], ())
    return Span(ShardIndex(path), folder, 0, count)


class Records:
    """A sequence of :class:`Record`.

    What it keeps in memory does not grow with its length: the rest stays in files. Pickled as the
    names of these files.

    Args:
        spans: Files and shards, in order.
    """

    def __init__(self, spans: Iterable[Span]):
        self._spans: List[Span] = []
        self._starts = [0]
        self._chosen: Optional[Path] = None
        self._rows: Optional[np.ndarray] = None
        for span in spans:
            self._add(span)
        self._length = self._starts[-1]

    def _add(self, span: Span) -> None:
        if self._spans:
            last = self._spans[-1]
            if last.index is span.index and last.first + last.count == span.first:
                self._spans[-1] = last._replace(count=last.count + span.count)
                self._starts[-1] += span.count
                return
        self._spans.append(span)
        self._starts.append(self._starts[-1] + span.count)

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_rows': None}

    def __len__(self) -> int:
        """Number of images."""
        return self._length

    def _place(self, number: int) -> Tuple[ShardIndex, str, int]:
        if not -self._length <= number < self._length:
            raise IndexError(f'image {number} of {self._length}')
        if number < 0:
            number += self._length
        if self._chosen is not None:
            if self._rows is None:
                self._rows = np.load(self._chosen, mmap_mode='r')
            number = int(self._rows[number])
        part = bisect_right(self._starts, number) - 1
        span = self._spans[part]
        return span.index, span.folder, span.first + number - self._starts[part]

    def __getitem__(self, number: int) -> Record:
        """Where image ``number`` is."""
        index, folder, row = self._place(number)
        offset, size, shard = index.record(row)
        if size == WHOLE:
            return Record(folder, index.name(row))
        return Record(os.path.join(folder, index.shards[shard].name), index.name(row), offset, size)

    def __iter__(self) -> Iterator[Record]:
        return (self[number] for number in range(len(self)))

    def subset(self, numbers: Union[int, Sequence[int], np.ndarray]) -> 'Records':
        """Some of the images.

        Args:
            numbers: Their numbers; or, as in MMEngine, the number of first ones, or, negative, of
                last ones.

        Raises:
            IndexError: If there is no such image.
        """
        if isinstance(numbers, (int, np.integer)):
            numbers = np.arange(self._length)[:numbers] if numbers >= 0 else \
                np.arange(self._length)[numbers:]
        rows = np.asarray(numbers, np.int64).reshape(-1)
        wrong = rows[(rows < -self._length) | (rows >= self._length)]
        if len(wrong):
            raise IndexError(f'image {wrong[0]} of {self._length}')
        rows = np.where(rows < 0, rows + self._length, rows)
        if self._chosen is not None:
            rows = np.load(self._chosen, mmap_mode='r')[rows]
        other = Records(())
        other._spans, other._starts, other._length = self._spans, self._starts, len(rows)
        other._chosen = scratch_file('rows.npy')
        np.save(other._chosen, rows.astype(np.uint32 if self._starts[-1] < 2**32 else np.int64))
        return other

    def without(self, left_out: Callable[[str, str], bool]) -> 'Records':
        """The images that a rule does not leave out.

        Args:
            left_out: Is given the path below the source (``0007.tar/a.jpg`` in a shard) and the
                full path.
        """
        kept = []
        for number, record in enumerate(self):
            inner = record.name if record.size < 0 else os.path.join(
                os.path.basename(record.base), record.name)
            if not left_out(inner, record.path):
                kept.append(number)
        return self if len(kept) == len(self) else self.subset(np.array(kept, np.int64))
