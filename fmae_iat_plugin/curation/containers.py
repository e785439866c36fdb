# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""In what images are distributed: folders, zip, tar, tar.gz, TSV with base64, RecordIO.

Every kind has two functions. ``find(path)`` yields its content in the order of the file: a
:class:`~.structures.Member` for what may be an image, or a :class:`~.structures.Reject` (without
source) for all else. ``open_KIND(path)`` gives a function that reads a member: (name, bytes).
Nothing is ever written beside or into a source.
"""

import base64
import os
import tarfile
import zipfile
from collections import Counter
from functools import lru_cache, partial
from pathlib import Path
from typing import Callable, Dict, Iterator, NamedTuple, Optional, Tuple, Union

from fmae_iat_plugin.media import IMAGE_SUFFIXES, natural, of_the_system, walk
from fmae_iat_plugin.videos import PICTURE_ERRORS

from .gzipped import GZIP_ERRORS, open_gzip
from .recordio import find_records, read_record
from .structures import NOT_IMAGE, NOT_READ, UNREADABLE, Member, Reject

Found = Iterator[Union[Member, Reject]]
Reader = Callable[[Member], Tuple[str, bytes]]

#: what reading a member of a damaged archive raises, and what decoding a damaged image raises
READ_ERRORS = (*PICTURE_ERRORS, tarfile.TarError, zipfile.BadZipFile, *GZIP_ERRORS)
_NOT_READ = ('.7z', '.rar', '.bz2', '.xz', '.zst', '.gz', '.lz4', '.tfrecord', '.tfrecords',
             '.lmdb', '.mdb', '.h5', '.hdf5', '.z01', '.001')
_BLOCK = 2**20  # bytes read at a time
_NO_PLACE = -2  # offset of what has no content of its own


class Kind(NamedTuple):
    """A kind of archive: the endings of its files, and its two functions."""

    suffixes: Tuple[str, ...]
    find: Callable[..., Found]
    open: Callable[..., Reader]


def kind_of_archive(path: str) -> Optional[str]:
    """The kind of a file that holds images, by its name and, for TSV, its first line."""
    name = os.path.basename(path).lower()
    kind = next((k for k, v in KINDS.items() if name.endswith(v.suffixes or ('/', ))), None)
    if kind == 'tsv' and not _holds_images(path):
        return None
    return kind


def reject(name: str) -> Optional[str]:
    """The rule by which a file or member is no image, by its name; None: it may be one."""
    if name.lower().endswith(IMAGE_SUFFIXES) and not any(map(of_the_system, name.split('/'))):
        return None
    inside = any(name.lower().endswith(kind.suffixes) for kind in KINDS.values() if kind.suffixes)
    return NOT_READ if inside or name.lower().endswith(_NOT_READ) else NOT_IMAGE


def sorted_out(entries: Iterator[Tuple[str, int, int]]) -> Found:
    """Members that may be images; the others are counted by suffix and come last."""
    others: Counter = Counter()
    for name, offset, size in entries:
        rule = reject(name.removeprefix('./'))
        if offset == _NO_PLACE:
            others['link or special file'] += 1
        elif rule is None:
            yield Member(name, offset, size)
        elif rule == NOT_READ:
            yield Reject('', name, rule, 'an archive inside an archive')
        else:
            others[os.path.splitext(name)[1]] += 1
    yield from counted(others)


def counted(others: Counter) -> Iterator[Reject]:
    """One row per suffix, in the order of the suffixes."""
    for suffix, number in sorted(others.items()):
        yield Reject('', '', NOT_IMAGE, suffix or 'no suffix', number)


def find_files(path: str) -> Iterator[Union[Member, Reject, str]]:
    """Files below a folder, folder by folder in the natural order of their names.

    Yields:
        Member: What may be an image. Reject: all else. str: An archive, as a path below ``path``.
    """
    closed: list = []
    others: Counter = Counter()
    for root, folders, names in walk(path, onerror=closed.append):
        folders.sort(key=natural)
        below = os.path.relpath(root, path).replace(os.sep, '/')
        for name in sorted(names, key=natural):
            inner = name if below == '.' else f'{below}/{name}'
            if kind_of_archive(os.path.join(root, name)):
                yield inner
                continue
            rule = reject(inner)
            if rule is None:
                yield Member(inner)
            elif rule == NOT_READ:
                yield Reject('', inner, rule, 'Remedy: unpack it')
            else:
                others[os.path.splitext(name)[1]] += 1
        for entry in os.scandir(root):
            if of_the_system(entry.name):
                others['of the system'] += 1 if not entry.is_dir() else sum(
                    len(files) for _, _, files in os.walk(entry.path))
    yield from (Reject('', os.path.relpath(error.filename, path), UNREADABLE,
                       f'folder: {error.strerror}') for error in closed)
    yield from counted(others)


def open_files(path: str) -> Reader:
    """Reads image files below a folder."""
    return lambda member: (member.name, Path(path, member.name).read_bytes())


def find_zipped(path: str) -> Found:
    """Members of a zip archive; the offset is the place in its table of contents."""
    with zipfile.ZipFile(path) as archive:
        yield from sorted_out((entry.filename, place, entry.file_size)
                              for place, entry in enumerate(archive.infolist())
                              if not entry.is_dir())


@lru_cache(maxsize=2)
def _zip(path: str, _: int) -> Tuple[zipfile.ZipFile, list]:
    archive = zipfile.ZipFile(path)  # stays open: its table of contents may be long
    return archive, archive.infolist()


def open_zipped(path: str) -> Reader:
    """Reads members of a zip archive, and checks their CRC-32."""
    archive, entries = _zip(path, os.getpid())
    return lambda member: (member.name, archive.read(entries[member.offset]))


def _tar_members(tar: tarfile.TarFile) -> Iterator[Tuple[str, int, int]]:
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]  # it keeps every header it has seen
        if not member.isdir():
            plain = member.isreg() and not member.issparse()
            yield member.name, member.offset_data if plain else _NO_PLACE, member.size
    tar.fileobj.seek(tar.offset)  # tarfile takes any end, and anything that is no header, for it
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise EOFError(f'no member and no end mark at byte {tar.offset}; it may be cut')


def find_tarred(path: str) -> Found:
    """Members of an uncompressed tar archive, such as a WebDataset shard."""
    with tarfile.open(path, 'r:') as tar:
        yield from sorted_out(_tar_members(tar))


def open_tarred(path: str) -> Reader:
    """Reads members of a tar archive at their offsets."""
    return partial(_read_at, open(path, 'rb'))


def _read_at(file, member: Member) -> Tuple[str, bytes]:
    file.seek(member.offset)
    data = file.read(member.size)
    if len(data) < member.size:
        raise EOFError(f'the archive ends after {len(data)} of {member.size} bytes')
    return member.name, data


def find_gzipped(path: str, index: str) -> Found:
    """Members of a tar.gz archive; writes where its blocks begin to the file ``index``."""
    with open_gzip(path) as file:
        with tarfile.open(fileobj=file, mode='r:') as tar:
            yield from sorted_out(_tar_members(tar))
        file.export_index(index)


def open_gzipped(path: str, index: str) -> Reader:
    """Reads members of a tar.gz archive; at most some megabytes before each are unpacked."""
    return partial(_read_at, open_gzip(path, index))


def _holds_images(path: str) -> bool:
    """Whether the last column of a table's first line is an image in base64."""
    try:
        with open(path, 'rb') as file:
            first = file.readline(2**26).rstrip(b'\r\n')
        start = base64.b64decode(first.rpartition(b'\t')[2][:16], validate=True)
    except (OSError, ValueError):
        return False
    return b'\t' in first and start.startswith((b'\xff\xd8\xff', b'\x89PNG', b'GIF8', b'BM',
                                                b'RIFF'))


def find_lines(path: str) -> Found:
    """Lines of a table with tabs, as MS-Celeb-1M was distributed."""
    offset = empty = 0
    with open(path, 'rb', buffering=_BLOCK) as file:
        for number, line in enumerate(file):
            if line.strip():
                yield Member(f'{number:09d}', offset, len(line))
            else:
                empty += 1
            offset += len(line)
    if empty:
        yield Reject('', '', NOT_IMAGE, 'empty lines', empty)


def open_lines(path: str) -> Reader:
    """Reads images from the last column, in base64; the name is the first column and the line."""
    read = partial(_read_at, open(path, 'rb'))

    def decode(member: Member) -> Tuple[str, bytes]:
        _, line = read(member)
        first, *_, last = line.rstrip(b'\r\n').split(b'\t')
        data = base64.b64decode(last, validate=True)
        return f'{first.decode("utf-8", "replace")}/{member.name}', data

    return decode


def open_records(path: str) -> Reader:
    """Reads images of a RecordIO file."""
    return partial(read_record, open(path, 'rb'))


KINDS: Dict[str, Kind] = dict(
    folder=Kind((), find_files, open_files),
    zip=Kind(('.zip', ), find_zipped, open_zipped),
    tgz=Kind(('.tar.gz', '.tgz'), find_gzipped, open_gzipped),
    tar=Kind(('.tar', ), find_tarred, open_tarred),
    tsv=Kind(('.tsv', ), find_lines, open_lines),
    rec=Kind(('.rec', ), find_records, open_records))
