# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Raw collections of faces to shards: the way through.

The work is cut into parts by the sources alone; each is done by one process, in the order of its
members, and its files appear when they are complete. So the shards are the same bytes for any
number of processes, on one machine or many, and after any number of kills.
"""

import os
import re
import shutil
from functools import partial
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Union

from fmae_iat_plugin.datasets.shards import write_index
from fmae_iat_plugin.files import claim_folder, file_sha256, hold_folder
from fmae_iat_plugin.logs import logger
from fmae_iat_plugin.parallel import Processes, run_parallel

from .contact_sheet import write_sheet
from .duplicates import import_imagehash
from .listing import Listing, find_containers, find_parts, read_listing
from .manifest import MANIFEST, SHARDS, SHEET, read_manifest, versions, write_manifest
from .outcome import Outcome, decide
from .parts import TEST_SET, shard_path, work_on
from .shard_files import copy_shard
from .structures import Container, CurationError, Options, Part, Source

SETTINGS, WORK = 'curation.json', '.parts'
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]*')


class _Shard(NamedTuple):
    """A shard that is to be made final: its part, its path, its checksum if nothing is taken out of
    it, and the places that are."""

    part: Part
    path: Path
    sha256: str
    without: List[int]


def curate(sources: Sequence[Source], out: Union[str, Path], options: Optional[Options] = None,
           workers: Processes = 1) -> dict:
    """Curate collections of faces; see docs/en/datasets/face9m.md.

    Writes ``out/shards/*.tar`` with an index, ``out/rejects.csv``, ``out/contact_sheet.jpg`` and
    at last ``out/manifest.json``. The sources are only read.

    Args:
        sources: In the order of the shards. Several may have one name.
        out: Output folder; it belongs to these sources and options.
        options: The rules. Defaults to those of the paper.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.

    Returns:
        dict: The manifest.

    Raises:
        CurationError: If a source or option cannot be used, nothing is left, or ``out`` is taken.
    """
    out, options = Path(out), options or Options()
    options.check()
    test_sets = [Source(TEST_SET, path) for path in options.test_sets]
    _check(sources, test_sets, out)
    if options.hashes:
        import_imagehash()
    with hold_folder(out, 'a curation', CurationError):
        settings = dict(sources=[[s.name, os.path.realpath(s.path)] for s in sources],
                        versions=versions(options), **options.record())
        claim_folder(out, SETTINGS, settings, 'a curation', foreign=(MANIFEST, SHARDS),
                     error=CurationError)
        if (out / MANIFEST).is_file():
            logger().info('%s is already complete', out)
        else:
            _curate([*test_sets, *sources], out, options, workers)
        shutil.rmtree(out / WORK, ignore_errors=True)
        return read_manifest(out)


def _check(sources: Sequence[Source], test_sets: Sequence[Source], out: Path) -> None:
    if not sources:
        raise CurationError('there is no source. Remedy: name at least one, NAME=PATH.')
    for source in (*test_sets, *sources):
        if source.name != TEST_SET and not _NAME.fullmatch(source.name):
            raise CurationError(f'the source is named {source.name!r}. Remedy: letters, digits, '
                                '"-" and "_".')
        if not os.path.exists(source.path):
            raise CurationError(f'{source.path} (of {source.name or "the test sets"}) does not '
                                'exist. Remedy: check the path.')
        place, inside = Path(os.path.realpath(source.path)), Path(os.path.realpath(out))
        if place == inside or place in inside.parents:
            raise CurationError(f'the output folder {out} lies in the source {source.path}, which '
                                'is not to be changed. Remedy: choose another output folder.')
    real = sorted(Path(os.path.realpath(source.path)) for source in sources)
    for outer, inner in zip(real, real[1:]):
        if outer == inner or outer in inner.parents:
            raise CurationError(f'the sources {outer} and {inner} overlap, so images would count '
                                'twice. Remedy: name only the outer one.')


def _curate(sources: Sequence[Source], out: Path, options: Options, workers: Processes) -> None:
    work = out / WORK
    work.mkdir(exist_ok=True)
    containers = find_containers(sources, work, options.shard_images)
    archives = [container for container in containers if container.kind != 'folder']
    run_parallel(partial(find_parts, work=work, images=options.shard_images), archives, workers,
                 'Listing archives')
    listings = [read_listing(container, work) for container in containers]
    parts = [Part(container, number) for container, listing in zip(containers, listings)
             for number in range(listing.parts)]
    results = run_parallel(partial(work_on, work=work, options=options), parts, workers,
                           f'Curating, {options.shard_images} images each')
    outcome = decide(parts, results, work, options)
    _finish(containers, listings, outcome, out, options, workers)


def _finish(containers: List[Container], listings: List[Listing], outcome: Outcome, out: Path,
            options: Options, workers: Processes) -> None:
    work, shards = out / WORK, []
    for part, result, without in zip(outcome.parts, outcome.results, outcome.without):
        if result.kept > len(without) and part.container.source != TEST_SET:
            shards.append(_Shard(part, out / SHARDS / f'{len(shards):06d}.tar', result.sha256,
                                 without))
    sums = run_parallel(partial(_make_final, work=work), shards, workers, 'Writing shards')
    if shards:
        write_index([shard.path for shard in shards], workers=workers)
    write_manifest(out, work, containers, listings, outcome, options,
                   [(shard.part, shard.path, checksum) for shard, checksum in zip(shards, sums)],
                   partial(write_sheet, path=out / SHEET, work=work, options=options))


def _make_final(shard: _Shard, work: Path) -> str:
    """Move or copy a shard of the work folder to its place; its SHA-256."""
    made, checksum = shard_path(work, shard.part), shard.sha256
    shard.path.parent.mkdir(parents=True, exist_ok=True)
    if not made.is_file():  # a killed run has done it
        checksum = file_sha256(shard.path) if shard.without else checksum
    elif shard.without:
        checksum = copy_shard(made, shard.path, set(shard.without))
        made.unlink()
    else:
        os.replace(made, shard.path)
    return checksum
