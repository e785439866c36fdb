# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What a curation says about itself: the manifest and the list of rejects."""

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

import cv2
import numpy as np
import PIL

from fmae_iat_plugin.files import file_sha256, whole_file, write_whole
from fmae_iat_plugin.version import __version__

from .duplicates import import_imagehash
from .listing import Listing
from .outcome import Outcome
from .parts import TEST_SET
from .structures import Container, CurationError, Options, Part, Reject

MANIFEST, REJECTS, SHARDS, SHEET = 'manifest.json', 'rejects.csv', 'shards', 'contact_sheet.jpg'


def versions(options: Options) -> dict:
    """Versions of what decides the bytes of a shard."""
    found = dict(fmae_iat_plugin=__version__, opencv=cv2.__version__, pillow=PIL.__version__,
                 numpy=np.__version__)
    if options.hashes:
        found['imagehash'] = import_imagehash().__version__
    return found


def read_manifest(out: Path) -> dict:
    """The manifest of a complete curation."""
    return json.loads((out / MANIFEST).read_text(encoding='utf-8'))


def write_manifest(out: Path, work: Path, containers: Sequence[Container],
                   listings: Sequence[Listing], outcome: Outcome, options: Options,
                   shards: Sequence[Tuple[Part, Path, str]], sheet: Callable) -> None:
    """Write the list of rejects, the contact sheet, and at last the manifest.

    Args:
        out, work: Output folder, and that of the files of this curation.
        containers, listings: What the sources hold.
        outcome: What became of it.
        options: The rules.
        shards: Part, path and SHA-256 of each.
        sheet: Called with (outcome); writes the contact sheet.

    Raises:
        CurationError: If no image is left; the list of rejects is written before.
    """
    sources: Dict[str, dict] = {}
    for container, listing in zip(containers, listings):
        counts = sources.setdefault(container.source, dict(
            paths=[], containers=0, found=0, kept=0, rejected=Counter()))
        counts['paths'] += [] if container.label else [container.path]
        counts['containers'] += 1
        counts['found'] += listing.members + sum(row.number for row in listing.rejects)
    for place, part in enumerate(outcome.parts):
        sources[part.container.source]['kept'] += outcome.images(place)
    _write_rejects(out / REJECTS, work, listings, outcome, sources)
    test_sets = sources.pop(TEST_SET, None)
    total = dict(found=sum(s['found'] for s in sources.values()),
                 kept=sum(s['kept'] for s in sources.values()),
                 rejected=dict(sum((s['rejected'] for s in sources.values()), Counter())))
    if not total['kept']:
        raise CurationError(f'no image is left of {total["found"]} files: {total["rejected"]}. '
                            f'{out / REJECTS} says why of each. Remedy: other sources or rules.')
    sheet(outcome)
    places = {part: place for place, part in enumerate(outcome.parts)}
    manifest = dict(
        **total, sources=sources, test_sets=test_sets,
        rejects=dict(file=REJECTS, sha256=file_sha256(out / REJECTS)), contact_sheet=SHEET,
        shards=[dict(file=path.relative_to(out).as_posix(), sha256=checksum,
                     bytes=path.stat().st_size, images=outcome.images(places[part]),
                     source=part.container.source, container=part.container.label)
                for part, path, checksum in shards],
        options=options.record(), versions=versions(options))
    write_whole(out / MANIFEST, (json.dumps(manifest, indent=2) + '\n').encode())


def _write_rejects(path: Path, work: Path, listings: Sequence[Listing], outcome: Outcome,
                   sources: Dict[str, dict]) -> None:
    """Row by row, because there may be millions; counts them by rule in ``sources``."""
    with whole_file(path) as partial, open(partial, 'wb') as file:
        def write(rows: List[Reject]) -> None:
            text = io.StringIO()
            csv.writer(text, lineterminator='\n').writerows(rows)
            file.write(text.getvalue().encode('utf-8', 'surrogateescape'))
            for row in rows:
                sources[row.source]['rejected'][row.rule] += row.number

        file.write(f'{",".join(Reject._fields)}\n'.encode())
        place = 0
        for listing in listings:
            write(listing.rejects)
            for _ in range(listing.parts):
                write(outcome.rejects(place, work))
                place += 1
