# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the sources hold, cut into parts: a function of the sources alone, kept for a second run."""

import json
import os
from pathlib import Path
from typing import Iterable, List, NamedTuple, Sequence, Tuple, Union

from fmae_iat_plugin.files import write_whole

from .containers import KINDS, READ_ERRORS, Reader, find_files, kind_of_archive
from .structures import UNREADABLE, Container, CurationError, Member, Part, Reject, Source

CONTAINERS = 'containers.json'


class Listing(NamedTuple):
    """What one container holds.

    Attributes:
        parts (int): Number of parts.
        members (int): What may be images.
        rejects (list[Reject]): What is known to be none.
        state (tuple[int, int]): Size and time of modification of an archive; (0, 0) for a folder.
    """

    parts: int
    members: int
    rejects: List[Reject]
    state: Tuple[int, int]


def _list_path(work: Path, part: Part) -> Path:
    return work / f'{part.name}.list'


def _listing_path(work: Path, container: Container) -> Path:
    return work / f'{container.number:05d}.listing'


def _gzip_index(work: Path, container: Container) -> str:
    return str(work / f'{container.number:05d}.gzidx')


def _state(container: Container) -> Tuple[int, int]:
    if container.kind == 'folder':
        return 0, 0
    stat = os.stat(container.path)
    return stat.st_size, stat.st_mtime_ns


def _cut(found: Iterable[Union[Member, Reject]], container: Container, work: Path,
         images: int) -> None:
    """Write the lists of the parts, then the listing."""
    state = _state(container)
    members, rejects, parts, total = [], [], 0, 0

    def write() -> None:
        nonlocal members, parts, total
        write_whole(_list_path(work, Part(container, parts)), json.dumps(members).encode())
        parts, total, members = parts + 1, total + len(members), []

    for entry in found:
        if isinstance(entry, Member):
            members.append(entry)
            if len(members) == images:
                write()
        else:
            rejects.append(entry._replace(source=container.source, member=_below(
                container, entry.member)))
    if members:
        write()
    write_whole(_listing_path(work, container),
                json.dumps(Listing(parts, total, rejects, state)).encode())


def _below(container: Container, member: str) -> str:
    """Path of a member below its source; the container's for what is counted together."""
    return '/'.join(filter(None, (container.label, member))) or os.path.basename(container.path)


def find_containers(sources: Sequence[Source], work: Path, images: int) -> List[Container]:
    """The containers of all sources; those that are folders are listed at once.

    Args:
        sources: In the order of the shards.
        work: Folder of the files of this curation, where the result is kept.
        images: Members of a part.

    Raises:
        CurationError: If a source is neither a folder nor an archive that is read, or is empty.
    """
    record = work / CONTAINERS
    if record.is_file():
        return [Container(*fields) for fields in json.loads(record.read_text(encoding='utf-8'))]
    containers: List[Container] = []
    for source in sources:
        before = len(containers)
        if os.path.isdir(source.path):
            folder = Container(source.name, before, 'folder', source.path, '')
            archives: List[str] = []
            _cut(_without_archives(source.path, archives), folder, work, images)
            containers.append(folder)
            for name in archives:
                path = os.path.join(source.path, name)
                containers.append(Container(source.name, len(containers),
                                            str(kind_of_archive(path)), path, name))
        elif (kind := kind_of_archive(source.path)) is not None:
            containers.append(Container(source.name, before, kind, source.path, ''))
        else:
            raise CurationError(
                f'the source {source.name}={source.path} is neither a folder nor an archive that '
                f'is read ({", ".join(s for k in KINDS.values() for s in k.suffixes)}; a .tsv with '
                'images in base64 in its last column). Remedy: unpack it, and name the folder.')
    write_whole(record, json.dumps(containers).encode())
    return containers


def _without_archives(path: str, archives: List[str]):
    for entry in find_files(path):
        if isinstance(entry, str):
            archives.append(entry)
        else:
            yield entry


def find_parts(container: Container, work: Path, images: int) -> None:
    """List an archive, unless it is listed already.

    A damaged archive is listed as far as it can be read, and its rejects say so.
    """
    if _listing_path(work, container).is_file():
        return
    kind = KINDS[container.kind]

    def found():
        try:
            yield from kind.find(container.path, *_more(container, work))
        except CurationError:
            raise
        except READ_ERRORS as error:
            yield Reject('', '', UNREADABLE, 'the rest of the archive: '
                         f'{type(error).__name__}: {error}'.replace('\n', ' '))

    _cut(found(), container, work, images)


def _more(container: Container, work: Path) -> tuple:
    return (_gzip_index(work, container), ) if container.kind == 'tgz' else ()


def read_listing(container: Container, work: Path) -> Listing:
    """What :func:`find_parts` found.

    Raises:
        CurationError: If the archive has changed since.
    """
    parts, members, rejects, state = json.loads(
        _listing_path(work, container).read_text(encoding='utf-8'))
    if tuple(state) != _state(container):
        raise CurationError(f'{container.path} has changed since this curation began. Remedy: '
                            f'delete {work.parent} and begin again.')
    return Listing(parts, members, [Reject(*row) for row in rejects], tuple(state))


def read_members(part: Part, work: Path) -> List[Member]:
    """The members of a part."""
    text = _list_path(work, part).read_text(encoding='utf-8')
    return [Member(*fields) for fields in json.loads(text)]


def open_container(container: Container, work: Path) -> Reader:
    """A function that reads members of a container."""
    return KINDS[container.kind].open(container.path, *_more(container, work))
