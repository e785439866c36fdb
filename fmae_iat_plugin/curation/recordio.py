# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RecordIO, the format of MXNet, as InsightFace distributes CASIA-WebFace and MS1M (.rec, .idx).

A record is the magic number, a word with 3 bits for the part of a record and 29 for its length, the
content, and zeros up to a multiple of 4 bytes. A content that holds the magic number is split
there. The content begins with flag, label, id, id2 and, where the flag is not 0, as many float32
labels. Record 0 of InsightFace's files says which of the others are images: its label is (first
record that is none, last of these); those hold the records of an identity instead.
Source: https://mxnet.apache.org/versions/1.9.1/api/architecture/note_data_loading
"""

import os
import struct
from typing import BinaryIO, Iterator, List, NamedTuple, Optional, Tuple, Union

from .structures import NOT_IMAGE, UNREADABLE, Member, Reject

MAGIC = 0xced7230a
_HEAD, _ITEM = struct.Struct('<II'), struct.Struct('<IfQQ')


class Record(NamedTuple):
    """One record: its labels, float32, and what follows them."""

    labels: Tuple[float, ...]
    content: bytes


def _chunk(file: BinaryIO) -> Optional[Tuple[int, bytes]]:
    """(part, content) at the file's place; None at its end."""
    head = file.read(_HEAD.size)
    if not head:
        return None
    if len(head) < _HEAD.size:
        raise EOFError('the file ends inside a record')
    magic, word = _HEAD.unpack(head)
    if magic != MAGIC:
        raise ValueError(f'no record begins at byte {file.tell() - _HEAD.size}')
    part, length = word >> 29, word & (1 << 29) - 1
    data = file.read(length)
    if len(data) < length:
        raise EOFError(f'the file ends after {len(data)} of {length} bytes of a record')
    file.seek(-length % 4, os.SEEK_CUR)
    return part, data


def next_record(file: BinaryIO) -> Optional[Record]:
    """The record at the file's place; None at its end.

    Raises:
        EOFError, ValueError: If there is none, or it is cut.
    """
    first = _chunk(file)
    if first is None:
        return None
    part, data = first
    while part not in (0, 3):  # whole, or the last piece
        following = _chunk(file)
        if following is None:
            raise EOFError('the file ends inside a record')
        part, more = following
        data += struct.pack('<I', MAGIC) + more
    if len(data) < _ITEM.size:
        raise ValueError(f'a record of {len(data)} bytes')
    flag, label, _, _ = _ITEM.unpack_from(data)
    start = _ITEM.size + 4 * flag
    if start > len(data):
        raise ValueError(f'a record of {len(data)} bytes with {flag} labels')
    labels = struct.unpack_from(f'<{flag}f', data, _ITEM.size) if flag else (label, )
    return Record(labels, data[start:])


def _offsets(path: str) -> Tuple[List[Tuple[int, int]], str]:
    """(key, offset) of the records, by offset, from the .idx file or from the headers; and what is
    wrong with the rest of the file, '' = nothing."""
    index = f'{path[:-len(".rec")]}.idx'
    if os.path.isfile(index):
        with open(index, encoding='ascii') as file:
            pairs = [line.split() for line in file if line.strip()]
        return sorted(((int(key), int(place)) for key, place in pairs),
                      key=lambda pair: pair[1]), ''
    found, key, place, size = [], 0, 0, os.path.getsize(path)
    with open(path, 'rb') as file:
        while place < size:
            file.seek(place)
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size or _HEAD.unpack(head)[0] != MAGIC:
                return found, f'no record begins at byte {place}'
            word = _HEAD.unpack(head)[1]
            if word >> 29 in (0, 1):
                found.append((key, place))
                key += 1
            place += _HEAD.size + ((word & (1 << 29) - 1) + 3) // 4 * 4
    return found, ''


def find_records(path: str) -> Iterator[Union[Member, Reject]]:
    """Records that may be images; those of identities are counted."""
    images, others = None, 0
    offsets, fault = _offsets(path)
    with open(path, 'rb') as file:
        for key, place in offsets:
            if key == 0:
                file.seek(place)
                first = next_record(file)
                if first is not None and not first.content and len(first.labels) == 2:
                    images = int(first.labels[0])
                    others += 1
                    continue
            if images is not None and key >= images:
                others += 1
            else:
                yield Member(f'{key:09d}', place)
    if others:
        yield Reject('', '', NOT_IMAGE, 'records of identities', others)
    if fault or not offsets:
        yield Reject('', '', UNREADABLE, fault or 'no record')


def read_record(file: BinaryIO, member: Member) -> Tuple[str, bytes]:
    """(label/key, image file) of a record.

    Raises:
        EOFError, ValueError: If it is cut, or no record is there.
    """
    file.seek(member.offset)
    record = next_record(file)
    if record is None:
        raise EOFError('the file ends before the record')
    return f'{int(record.labels[0]):07d}/{member.name}', record.content
