# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AffectNet (Mollahosseini et al., IEEE TAC 2019) to an ``image,expression,split`` table.

Two layouts, for the splits ``train`` and ``val``::

    RELEASE/train_set/annotations/{id}_exp.npy   and   RELEASE/train_set/images/{id}.jpg
    RELEASE/train_class/0/*.jpg ... 7/*.jpg      (also train/, val/, val_class/)

Codes 0 neutral, 1 happy, 2 sad, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt; 8 none,
9 uncertain and 10 non-face are no expression and are listed.
"""

from pathlib import Path
from typing import List, Optional, Tuple

from fmae_iat_plugin.datasets.affectnet_code import read_code
from fmae_iat_plugin.datasets.expression import AffectNet
from fmae_iat_plugin.media import IMAGE_SUFFIXES, listed
from fmae_iat_plugin.parallel import Processes
from fmae_iat_plugin.skipped import Skip

from .base import BAD_FILE, EMPTY_IMAGE, NO_IMAGE, NO_LABEL, ConversionError
from .expressions import Face, write_expressions
from .pipeline import start

OTHER_CODE = 'label is no expression'


def _images(folder: Path) -> dict:
    """File stem -> path of the images of a folder, sorted."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in listed(folder)
            if path.suffix.lower() in IMAGE_SUFFIXES}


def _annotated(folder: Path) -> Tuple[List[tuple], List[Skip]]:
    images, pairs, skipped = _images(folder / 'images'), [], []
    for path in listed(folder / 'annotations'):
        if not path.name.endswith('_exp.npy'):
            continue
        stem = path.name[:-len('_exp.npy')]
        image = images.pop(stem, None)
        try:
            code = read_code(path)
        except ValueError as error:
            skipped.append(Skip(stem, BAD_FILE, str(path), 0, str(error)))
            continue
        if image is None:
            skipped.append(Skip(stem, NO_IMAGE, str(path), 0, f'in {folder / "images"}'))
        else:
            pairs.append((image, code, str(path)))
    skipped += [Skip(stem, NO_LABEL, str(path)) for stem, path in images.items()]
    return pairs, skipped


def _foldered(folder: Path) -> Tuple[List[tuple], List[Skip]]:
    pairs, skipped = [], []
    for sub in (path for path in listed(folder) if path.is_dir()):
        images = [p for p in listed(sub) if p.suffix.lower() in IMAGE_SUFFIXES]
        if sub.name in map(str, range(11)):
            pairs += [(path, int(sub.name), str(path)) for path in images]
        else:
            skipped += [Skip(path.name, NO_LABEL, str(path), 0, 'the folder is no label code')
                        for path in images]
    return pairs, skipped


def _split_folder(release: Path, split: str, layout: str) -> Optional[Tuple[str, Path]]:
    folders = [release / f'{split}{end}' for end in ('_set', '_class', '')]
    for kind in ('annotations', 'folders') if layout == 'auto' else (layout,):
        for folder in folders:
            if kind == 'annotations' and (folder / 'annotations').is_dir():
                return kind, folder
            if kind == 'folders' and any((folder / str(c)).is_dir() for c in range(11)):
                return kind, folder
    return None


def convert_affectnet(release: str, out: str, layout: str = 'auto', num_classes: int = 8,
                      place: str = 'link', workers: Processes = 1) -> dict:
    """Convert a release of AffectNet.

    Args:
        release: Folder of the release.
        out: Folder for ``annotation.csv``, ``images``, ``skipped.csv``, ``summary.md``/``.json``.
        layout: ``'annotations'``, ``'folders'``, or ``'auto'`` (the annotations if both exist).
        num_classes: 8, or 7 without contempt.
        place: ``'link'``, ``'copy'`` or ``'symlink'``.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.

    Returns:
        dict: The summary.

    Raises:
        ConversionError: If neither layout is there, or nothing is left.
    """
    release, out = Path(release), Path(out)
    found = {split: _split_folder(release, split, layout) for split in ('train', 'val')}
    if not any(found.values()):
        raise ConversionError(f'{release}: no train or val set (layout {layout!r}): looked for '
                              'train_set/annotations and train_class/0..7. Remedy: check RELEASE.')
    start(out, dict(dataset='affectnet', release=str(release.resolve()), layout=layout,
                    num_classes=num_classes, place=place))
    classes = AffectNet.CLASSES_8[:num_classes]
    names = dict(enumerate(AffectNet.CLASSES_8)) | AffectNet.OTHER_CODES
    faces, skipped = [], []
    for split, where in found.items():
        if where is None:
            continue
        pairs, more = _annotated(where[1]) if where[0] == 'annotations' else _foldered(where[1])
        skipped += more
        for image, code, file in pairs:
            if code >= num_classes:
                skipped.append(Skip(image.name, OTHER_CODE, file, 0, f'{code} ({names[code]})'))
            elif image.stat().st_size == 0:
                skipped.append(Skip(image.name, EMPTY_IMAGE, str(image)))
            else:
                folder = f'{split}/{code}' if where[0] == 'folders' else split
                faces.append(Face(image, f'{folder}/{image.name}', classes[code], split))
    return write_expressions('affectnet', release, out, faces, skipped, classes, {}, place, workers)
