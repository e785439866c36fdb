# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Rendered, unlabelled faces from mixed sources, as in a collection like Face9M.

::

    images/celeba/img_align_celeba/000003.jpg    not square
    images/ffhq/00000/00004.png
    images/vggface2/n000007/0005_01.jpg
    shards/00000.tar                             members 00000/000000006.jpg

``manifest.csv`` describes every file and member. Face9M drops images with an aspect
ratio above 1.5 (FMAE paper, Section 3.1).
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import List, NamedTuple, Union

import numpy as np
from PIL import Image

from fmae_iat_plugin.parallel import Processes

from ..renderer import AUS
from .acting import Recording, check_options
from .emotions import PROTOTYPES, Portrait, cast, label_row
from .face9m_kinds import DUPLICATES, ODD, PLAIN
from .labels import stream
from .release_folder import PARTIAL, ReleaseFolder, run

SHARD = 'shards/00000.tar'
SOURCES = ('celeba', 'ffhq', 'vggface2', 'shard')
MAX_ASPECT = 1.5
COLUMNS = ('path', 'source', 'kind', 'readable', 'kept', 'format', 'mode', 'width', 'height',
           'aspect', 'duplicate', 'duplicate_of', 'subject', 'bytes', 'sha256')


class Item(NamedTuple):
    """One file; the ``path`` of a member is the shard's path, a slash and its name."""

    path: str
    source: str
    kind: str
    portrait: Portrait
    duplicate_of: str = ''


def _path(source: str, number: int, suffix: str, portrait: Portrait) -> str:
    return dict(celeba=f'images/celeba/img_align_celeba/{number:06d}{suffix}',
                ffhq=f'images/ffhq/{number // 1000 * 1000:05d}/{number:05d}{suffix}',
                vggface2=f'images/vggface2/n{portrait.subject[1:]:0>6}/{number:04d}_01{suffix}',
                shard=f'{SHARD}/{number // 1000:05d}/{number:09d}{suffix}')[source]


def plan_collection(subjects: int, frames: int, seed: int) -> List[Item]:
    """Plan the files: first one of each odd kind, then one odd file in three.

    Raises:
        ValueError: If there are fewer images than kinds.
    """
    portraits = [p for own in cast(seed, subjects, frames, tuple(PROTOTYPES)) for p in own]
    odd = list(ODD)
    if len(portraits) < len(odd) + len(SOURCES):
        raise ValueError(f'{len(portraits)} images (subjects x frames) cannot hold the {len(odd)} '
                         f'kinds of files; choose at least {len(odd) + len(SOURCES)}')
    items = []
    for number, portrait in enumerate(portraits):
        turn = number % (3 * len(odd))
        source = SOURCES[int(stream(seed, 'source', number).integers(len(SOURCES)))]
        if turn < len(odd):
            kind, suffix = odd[turn], ODD[odd[turn]][0]
        else:
            source = SOURCES[turn % len(SOURCES)]
            kind = 'png' if source == 'ffhq' else 'jpeg'
            suffix = PLAIN[kind][0]
        items.append(Item(_path(source, number, suffix, portrait), source, kind, portrait))
    originals = [i for i in items if i.kind == 'jpeg' and i.source != 'celeba']
    for number, item in enumerate(items):
        if item.kind in DUPLICATES:
            first = originals[int(stream(seed, 'copy', number).integers(len(originals)))]
            items[number] = item._replace(portrait=first.portrait, duplicate_of=first.path)
    return items


def _make(item: Item, seed: int, size: int):
    take = Recording(seed, item.portrait.subject, item.portrait.key, size, 'portrait')
    picture = Image.fromarray(take.picture(0, item.portrait.shown))
    if item.source == 'celeba' and item.kind in PLAIN:
        edge = round(size * (1 - 178 / 218) / 2)
        picture = picture.crop((edge, 0, size - edge, size))
    maker = {**PLAIN, **ODD}[item.kind][1]
    return maker(picture, stream(seed, item.path, 'bytes'))


def _row(item: Item, made) -> dict:
    aspect = max(made.size) / min(made.size) if made.size else None
    width, height = made.size or ('', '')
    return dict(path=item.path, source=item.source, kind=item.kind, readable=int(bool(made.size)),
                kept=int(aspect is not None and aspect <= MAX_ASPECT), format=made.format or '',
                mode=made.mode or '', width=width, height=height,
                aspect='' if aspect is None else f'{aspect:.4f}',
                duplicate=DUPLICATES.get(item.kind, ''), duplicate_of=item.duplicate_of,
                subject=item.portrait.subject, bytes=len(made.data),
                sha256=hashlib.sha256(made.data).hexdigest())


def write_items(root: str, name: str, seed: int, size: int, items: List[Item]) -> List[dict]:
    """Write files, or members of the shard; returns their rows of the manifest."""
    folder, done = ReleaseFolder(root), f'{PARTIAL}/{name}.json'
    if folder.has(done):
        return json.loads(folder.path(done).read_text(encoding='utf-8'))
    rows, buffer = [], io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.USTAR_FORMAT) as tar:
        for item in items:
            made = _make(item, seed, size)
            rows.append(_row(item, made))
            if item.source == 'shard':
                member = tarfile.TarInfo(item.path[len(SHARD) + 1:])
                member.size = len(made.data)
                tar.addfile(member, io.BytesIO(made.data))
            elif not folder.has(item.path):
                folder.write(item.path, made.data)
    if any(item.source == 'shard' for item in items):
        folder.write(SHARD, buffer.getvalue())
    folder.write(done, json.dumps(rows))
    return rows


def write_face9m(out: Union[str, Path], workers: Processes = 0, subjects: int = 30,
                 frames: int = 10, size: int = 224, seed: int = 0) -> Path:
    """Write the collection with ``manifest.csv`` and ``truth.csv``; continues after a kill.

    ``manifest.csv`` has one row per file or member: its kind, whether it can be decoded
    (``readable``), whether the paper's rule keeps it (``kept``: decodable, aspect ratio at most
    1.5), format, mode, stored width and height, and the file of which it is a duplicate.
    ``truth.csv`` is an annotation table of the intensities in the readable images; ``image`` is the
    path below ``out``, or ``shards/00000.tar/MEMBER`` for a member.

    Args:
        out: Folder of the collection.
        workers: Number of processes; 0 = the cores.
        subjects, frames: Numbers of people and of images of each.
        size: Side of an ordinary image.
        seed: Seed of everything.

    Returns:
        Path: ``truth.csv``.

    Raises:
        ValueError: If an option is out of range, or the folder holds another release.
    """
    check_options(size, 'crop', subjects=subjects, frames=frames)
    items, folder = plan_collection(subjects, frames, seed), ReleaseFolder(out)
    if folder.claim(dict(release='face9m', subjects=subjects, frames=frames, size=size,
                         seed=seed)):
        return folder.path('truth.csv')
    groups = {'shard': [i for i in items if i.source == 'shard']}  # one shard is the longest job
    for item in items:
        if item.source != 'shard':
            groups.setdefault(item.portrait.subject, []).append(item)
    jobs = [(str(folder.root), name, seed, size, group) for name, group in groups.items()]
    manifest = [row for rows in run('Face9M: subjects', write_items, jobs, workers)
                for row in rows]
    manifest.sort(key=lambda row: row['path'])
    folder.write_table('manifest.csv', manifest, COLUMNS)
    shown = {item.path: item.portrait for item in items}
    rows = [dict(image=row['path'], subject=row['subject'], kind=row['kind'],
                 expression=shown[row['path']].expression)
            for row in manifest if row['readable']]
    labels = [label_row(shown[row['image']].shown) for row in rows]
    return folder.finish(rows, AUS, np.array(labels))
