# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A release in the layout of RAF-DB (basic emotions), with rendered faces.

::

    basic/EmoLabel/list_patition_label.txt        unsorted lines "train_00001.jpg 5"
    basic/Image/aligned/train_00001_aligned.jpg   100x100
    basic/Image/original/train_00001.jpg

Layout: Li et al., RAF-DB (CVPR 2017); the misspelling is the release's. Codes 1..7 are surprise,
fear, disgust, happiness, sadness, anger, neutral.
"""

from pathlib import Path
from typing import List, Tuple, Union

from fmae_iat_plugin.parallel import Processes

from ..renderer import AUS
from .acting import Recording, check_options
from .emotions import Portrait, cast_split, label_row
from .labels import stream
from .release_folder import ReleaseFolder, encode, run

EXPRESSIONS = ('surprise', 'fear', 'disgust', 'happiness', 'sadness', 'anger', 'neutral')
LIST = 'basic/EmoLabel/list_patition_label.txt'
ALIGNED = 100


def aligned_name(stem: str) -> str:
    """``basic/Image/aligned/train_00001_aligned.jpg``."""
    return f'basic/Image/aligned/{stem}_aligned.jpg'


def write_person(root: str, seed: int, size: int, portraits: List[Tuple[str, Portrait]]) -> None:
    """Write both pictures of each portrait of one person."""
    folder = ReleaseFolder(root)
    for stem, portrait in portraits:
        for name, side, framing in ((aligned_name(stem), ALIGNED, 'crop'),
                                    (f'basic/Image/original/{stem}.jpg', size, 'portrait')):
            if not folder.has(name):
                take = Recording(seed, portrait.subject, portrait.key, side, framing)
                folder.write(name, encode(take.picture(0, portrait.shown)))


def write_rafdb(out: Union[str, Path], workers: Processes = 0, subjects: int = 30,
                frames: int = 7, size: int = 224, seed: int = 0) -> Path:
    """Write the release; continues after a kill.

    ``truth.csv`` is an annotation table of the intensities that were rendered. ``image`` is the
    aligned image's path below ``out``; further columns: split, expression, code (1..7, as
    released).

    Args:
        out: Folder of the release.
        workers: Number of processes; 0 = the cores.
        subjects: Number of people, at least 2; the last fifth is the test set.
        frames: Number of images of each.
        size: Side of the original images; the aligned ones are 100x100.
        seed: Seed of everything.

    Returns:
        Path: ``truth.csv``.

    Raises:
        ValueError: If an option is out of range, or the folder holds another release.
    """
    check_options(size, 'crop', subjects=subjects, frames=frames)
    casts = cast_split(seed, subjects, frames, EXPRESSIONS)
    folder = ReleaseFolder(out)
    if folder.claim(dict(release='rafdb', subjects=subjects, frames=frames, size=size, seed=seed)):
        return folder.path('truth.csv')
    jobs, rows, labels, lines = [], [], [], []
    for split, people in zip(('train', 'test'), casts):
        own, count = [], 0
        for portraits in people:
            named = []
            for portrait in portraits:
                count += 1
                stem = f'{split}_{count:0{5 if split == "train" else 4}d}'
                code = EXPRESSIONS.index(portrait.expression) + 1
                named.append((stem, portrait))
                own.append(f'{stem}.jpg {code}\n')
                rows.append(dict(image=aligned_name(stem), subject=portrait.subject, split=split,
                                 expression=portrait.expression, code=code))
                labels.append(label_row(portrait.shown))
            jobs.append((str(folder.root), seed, size, named))
        lines += [own[k] for k in stream(seed, split).permutation(len(own))]
    folder.write(LIST, ''.join(lines))
    run('RAF-DB: subjects', write_person, jobs, workers)
    return folder.finish(rows, AUS, labels)
