# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A release in the layout of AffectNet, with rendered faces.

::

    train_set/annotations/12_exp.npy  code, as a string; 12_lnd.npy: 68 landmarks, x and y in turn
    train_set/images/12.jpg           and val_set the same
    train_class/0/12.jpg              instead: folders named by the code; and val_class

Codes: 0 neutral, 1 happy, 2 sad, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt. In the layout
of the release some training images have the codes 8 none, 9 uncertain, 10 no face, and one has no
annotation; they are in ``left_out.csv``. Layout: Mollahosseini et al., AffectNet (IEEE TAC 2019).
"""

import io
from pathlib import Path
from typing import List, NamedTuple, Union

import numpy as np

from fmae_iat_plugin.parallel import Processes

from ..renderer import AUS
from .acting import Recording, check_options
from .emotions import Portrait, cast_split, label_row
from .release_folder import ReleaseFolder, encode, run

EXPRESSIONS = ('neutral', 'happiness', 'sadness', 'surprise', 'fear', 'disgust', 'anger',
               'contempt')
OTHER = {8: 'none', 9: 'uncertain', 10: 'no face'}
LAYOUTS = ('annotations', 'folders')


class Item(NamedTuple):
    """One image; without an annotation, ``annotation`` is '' and ``code`` is -1."""

    image: str
    annotation: str
    code: int
    portrait: Portrait


def _npy(values) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values, dtype=str))
    return buffer.getvalue()


def write_person(root: str, seed: int, size: int, items: List[Item]) -> None:
    """Write images and annotations of one person; a picture with code 10 shows no face."""
    folder = ReleaseFolder(root)
    for item in items:
        landmarks = f'{item.annotation}_lnd.npy'
        if folder.has(item.image) and (not item.annotation or folder.has(landmarks)):
            continue
        take = Recording(seed, item.portrait.subject, item.portrait.key, size, 'crop')
        picture, points = take.draw(0, item.portrait.shown)
        if item.code == 10:
            picture = np.full_like(picture, picture[0, 0])
        folder.write(item.image, encode(picture))
        if item.annotation:
            folder.write(f'{item.annotation}_exp.npy', _npy(item.code))
            folder.write(landmarks, _npy([f'{v:.2f}' for v in points.ravel()]))


def _items(split: str, layout: str, people: list) -> List[List[Item]]:
    out, number = [], 0
    for portraits in people:
        out.append([])
        for portrait in portraits:
            number += 1
            code = EXPRESSIONS.index(portrait.expression)
            if layout == 'folders':
                image, annotation = f'{split}_class/{code}/{number}.jpg', ''
            else:
                image = f'{split}_set/images/{number}.jpg'
                annotation = f'{split}_set/annotations/{number}'
                if split == 'train' and number % 12 in (2, 5, 8):
                    code = {2: 8, 5: 9, 8: 10}[number % 12]
                elif split == 'train' and number == 11:
                    code, annotation = -1, ''
            out[-1].append(Item(image, annotation, code, portrait))
    return out


def write_affectnet(out: Union[str, Path], workers: Processes = 0, subjects: int = 30,
                    frames: int = 8, size: int = 224, seed: int = 0,
                    layout: str = 'annotations') -> Path:
    """Write the release; continues after a kill.

    ``truth.csv`` is an annotation table of the intensities that were rendered, for the images
    with a code of 0..7. ``image`` is the image's path below ``out``; further columns: split,
    expression, code.

    Args:
        out: Folder of the release.
        workers: Number of processes; 0 = the cores.
        subjects: Number of people, at least 2; the last fifth is the validation set.
        frames: Number of images of each.
        size: Side of the images.
        seed: Seed of everything.
        layout: ``'annotations'`` or ``'folders'``.

    Returns:
        Path: ``truth.csv``.

    Raises:
        ValueError: If an option is out of range, or the folder holds another release.
    """
    check_options(size, 'crop', subjects=subjects, frames=frames)
    casts = cast_split(seed, subjects, frames, EXPRESSIONS)
    if layout not in LAYOUTS:
        raise ValueError(f'layout={layout!r} is not one of {LAYOUTS}')
    folder = ReleaseFolder(out)
    if folder.claim(dict(release='affectnet', subjects=subjects, frames=frames, size=size,
                         seed=seed, layout=layout)):
        return folder.path('truth.csv')
    jobs, rows, labels, left_out = [], [], [], []
    for split, people in zip(('train', 'val'), casts):
        for items in _items(split, layout, people):
            jobs.append((str(folder.root), seed, size, items))
            for item in items:
                if 0 <= item.code < len(EXPRESSIONS):
                    rows.append(dict(image=item.image, subject=item.portrait.subject, split=split,
                                     expression=item.portrait.expression, code=item.code))
                    labels.append(label_row(item.portrait.shown))
                else:
                    reason = OTHER.get(item.code, 'no annotation')
                    left_out.append(dict(reason=reason, image=item.image))
    run('AffectNet: subjects', write_person, jobs, workers)
    folder.write_table('left_out.csv', left_out, ('reason', 'image'))
    return folder.finish(rows, AUS, labels)
