# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The work on one part: read its members, apply the rules, write its shard."""

import json
from pathlib import Path
from typing import List, NamedTuple, Set, Tuple

import numpy as np

from fmae_iat_plugin.files import whole_file, write_whole

from .containers import READ_ERRORS
from .duplicates import WORDS, fingerprint
from .listing import open_container, read_members
from .pictures import Picture, curate_picture
from .shard_files import name_in_shard, write_shard
from .structures import FACELESS, UNREADABLE, Options, Part

#: name of the source of test sets, whose images are only compared with
TEST_SET = ''


class PartResult(NamedTuple):
    """What a part gave.

    Attributes:
        kept (int): Images in its shard.
        sha256 (str): Of its shard; '' = none.
        rejected (int): Members that are not in it.
    """

    kept: int
    sha256: str
    rejected: int


class Details(NamedTuple):
    """Every member of a part is in one of the two.

    Attributes:
        kept (list): (place in the list of members, name, name in the shard).
        rejects (list): (place, name, rule, detail).
    """

    kept: List[Tuple[int, str, str]]
    rejects: List[Tuple[int, str, str, str]]


def shard_path(work: Path, part: Part) -> Path:
    """The shard of a part, before near-duplicates are taken out."""
    return work / f'{part.name}.tar'


def read_details(work: Path, part: Part) -> Details:
    """What became of each member of a part."""
    text = (work / f'{part.name}.details').read_text(encoding='utf-8')
    return Details(*json.loads(text))


def read_hashes(work: Path, part: Part) -> np.ndarray:
    """Perceptual hashes of the kept images of a part, uint64 ``[N, 4]``."""
    return np.load(work / f'{part.name}.hashes.npy')


def work_on(part: Part, work: Path, options: Options) -> PartResult:
    """Make the shard of a part, unless that is done.

    Args:
        part: Which.
        work: Folder of the files of this curation.
        options: The rules.

    Raises:
        CurationError: If an optional package is missing.
    """
    done = work / f'{part.name}.result'
    if done.is_file():
        return PartResult(*json.loads(done.read_text(encoding='utf-8')))
    test = part.container.source == TEST_SET
    if test:  # whatever its images are
        options = options._replace(max_aspect=float('inf'), min_side=1, detector=None)
    details, hashes, checksum = Details([], []), [], []
    if test:
        _curate(part, work, options, details, hashes, lambda name, data: None)
    else:
        with write_shard(shard_path(work, part), checksum) as add:
            _curate(part, work, options, details, hashes, add)
    if options.hashes:
        with whole_file(work / f'{part.name}.hashes.npy') as partial, open(partial, 'wb') as file:
            np.save(file, np.array(hashes, np.uint64).reshape(-1, WORDS))
    write_whole(work / f'{part.name}.details', json.dumps(details).encode())
    result = PartResult(len(details.kept), ''.join(checksum), len(details.rejects))
    write_whole(done, json.dumps(result).encode())
    return result


def _curate(part: Part, work: Path, options: Options, details: Details, hashes: list,
            add) -> None:
    detector = options.detector.build() if options.detector else None
    read = open_container(part.container, work)
    taken: Set[str] = set()
    for place, member in enumerate(read_members(part, work)):
        name = member.name
        try:
            name, data = read(member)
        except READ_ERRORS as error:
            reason = f'{type(error).__name__}: {error}'.replace('\n', ' ')
            details.rejects.append((place, name, UNREADABLE, reason))
            continue
        found = curate_picture(data, options)
        if isinstance(found, Picture) and detector is not None and not len(
                detector([found.pixels])[0].boxes):
            found = FACELESS, ''
        if not isinstance(found, Picture):
            details.rejects.append((place, name, *found))
            continue
        if options.hashes:
            hashes.append(fingerprint(found.pixels))
        inside = name_in_shard(part.container, name, taken)
        add(inside, found.data)
        details.kept.append((place, name, inside))
