# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AffectNet (Mollahosseini et al., IEEE TAC 2019), read as it is released."""

from pathlib import Path
from typing import List, Optional, Tuple, Union

from mmengine.logging import MMLogger
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.media import IMAGE_SUFFIXES, listed
from fmae_iat_plugin.skipped import Skip

from .affectnet_code import read_code
from .expression import (
    BAD_LABEL_FILE,
    NO_CLASS,
    NO_LABEL,
    NOT_AN_IMAGE,
    ExpressionDataset,
    ExpressionImage,
    ExpressionRelease,
    check_choice,
    file_names,
)

#: label code -> name; the last three are no expression
CODES = ('neutral', 'happy', 'sad', 'surprise', 'fear', 'disgust', 'anger', 'contempt',
         'none', 'uncertain', 'non-face')


def find_split(root: Path, split: str, layout: str = 'auto') -> Tuple[str, Path]:
    """The layout and the folder of a split.

    Args:
        root: Folder of the release.
        split: ``'train'`` or ``'val'``.
        layout: ``'annotations'``, ``'folders'``, or ``'auto'`` (the annotations if both exist).

    Raises:
        FileNotFoundError: If there is none.
    """
    folders = [root / f'{split}{end}' for end in ('_set', '_class', '')]
    for kind in ('annotations', 'folders') if layout == 'auto' else (layout, ):
        inside = ('annotations', ) if kind == 'annotations' else map(str, range(len(CODES)))
        names = tuple(inside)
        for folder in folders:
            if any((folder / name).is_dir() for name in names):
                return kind, folder
    raise FileNotFoundError(
        f'no AffectNet {split} set (layout={layout!r}) below {root}: looked for annotations/ and '
        f'for class folders 0..7 in {[str(f) for f in folders]}; check data_root')


def read_affectnet(root: Union[str, Path], split: str = 'train',
                   layout: str = 'auto') -> ExpressionRelease:
    """Read one split of a release of AffectNet.

    Args:
        root, split, layout: See :func:`find_split`.

    Returns:
        ExpressionRelease: All codes 0..10, see ``CODES``. Problems are unreadable label files,
        images without a label, and files that are no image.

    Raises:
        FileNotFoundError: If the split is not there.
    """
    kind, folder = find_split(Path(root), split, layout)
    return (_annotations if kind == 'annotations' else _folders)(folder, split)


def _annotations(folder: Path, split: str) -> ExpressionRelease:
    """Labels from ``annotations/{id}_exp.npy``, images ``images/{id}.jpg``."""
    present = file_names(folder / 'images')
    images, problems, labelled = [], [], set()
    for file in listed(folder / 'annotations'):
        if not file.name.endswith('_exp.npy'):
            continue
        stem = file.name[:-len('_exp.npy')]
        labelled.add(stem)
        try:
            code = read_code(file)
        except ValueError as error:
            problems.append(Skip(stem, BAD_LABEL_FILE, str(file), 0,
                                 str(error).removeprefix(f'{file}: ')))
            continue
        name = next((stem + suffix for suffix in IMAGE_SUFFIXES if stem + suffix in present), None)
        images.append(ExpressionImage(folder / 'images' / (name or f'{stem}.jpg'), code, split,
                                      str(file), name is None))
    problems += [Skip(str(folder / 'images' / name), NO_LABEL) for name in sorted(present)
                 if Path(name).stem not in labelled]
    return ExpressionRelease(images, problems)


def _folders(folder: Path, split: str) -> ExpressionRelease:
    """Labels from the names of the folders, ``0/*.jpg`` and so on."""
    images, problems = [], []
    names = {str(code): code for code in range(len(CODES))}
    for sub in sorted((sub for sub in listed(folder) if sub.is_dir()),
                      key=lambda sub: (names.get(sub.name, len(CODES)), sub.name)):
        for name in sorted(file_names(sub)):
            path = sub / name
            if sub.name not in names:
                problems.append(Skip(str(path), NO_CLASS))
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                images.append(ExpressionImage(path, names[sub.name], split, str(sub)))
            else:
                problems.append(Skip(str(path), NOT_AN_IMAGE))
    return ExpressionRelease(images, problems)


@DATASETS.register_module()
class AffectNet(ExpressionDataset):
    """AffectNet with 8 classes, or 7 (without contempt).

    Two layouts are recognised, the release's ::

        data_root/train_set/annotations/{id}_exp.npy
        data_root/train_set/images/{id}.jpg

    and class folders named by the label code, ::

        data_root/train_class/0/*.jpg ... data_root/train_class/7/*.jpg

    where the folder of a split is ``train_set``, ``train_class`` or ``train``, and
    ``val_set``, ``val_class`` or ``val``. Codes beyond the classes (7 contempt with 7 classes;
    8 none, 9 uncertain, 10 non-face) are left out, counted and listed.

    Args:
        data_root: Folder of the release.
        split: ``'train'``, or ``'val'``, also called ``'test'``: AffectNet's own test set was
            never released, so the literature tests on its validation set.
        num_classes: 8 or 7.
        layout: ``'annotations'``, ``'folders'``, or ``'auto'`` for the one that exists; the
            annotations if both do.
        missing: ``'error'``, or ``'skip'`` to leave out, count and list missing images.
        skip_file: File that lists what was left out, one ``path<TAB>reason`` per line.
        **kwargs: Arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        FileNotFoundError: If neither layout or an image is missing.
        ValueError: If a label is not one of 0..10.
    """

    METAINFO = dict(classes=CODES[:8])

    def __init__(self,
                 data_root: str,
                 split: str = 'train',
                 num_classes: int = 8,
                 layout: str = 'auto',
                 missing: str = 'error',
                 skip_file: Optional[str] = None,
                 **kwargs) -> None:
        check_choice('split', split, ('train', 'val', 'test'))
        check_choice('num_classes', num_classes, (7, 8))
        check_choice('layout', layout, ('auto', 'annotations', 'folders'))
        self.num_classes = num_classes
        self.layout = layout
        metainfo = dict(classes=CODES[:num_classes])
        metainfo.update(kwargs.pop('metainfo', None) or {})
        split = 'val' if split == 'test' else split
        super().__init__(data_root, split, missing, skip_file, metainfo=metainfo, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Returns a list of dicts with ``img_path`` and ``gt_label``, sorted by path."""
        layout, folder = find_split(Path(self.data_root), self.split, self.layout)
        MMLogger.get_current_instance().info(
            f'AffectNet {self.split}: reading the {layout} of {folder}')
        if layout == 'folders':
            lacking = [code for code in range(self.num_classes)
                       if not (folder / str(code)).is_dir()]
            if lacking:
                raise FileNotFoundError(f'{folder} has no class folders {lacking}; all of '
                                        f'0..{self.num_classes - 1} must be there')
        release = read_affectnet(self.data_root, self.split, layout)
        skipped = [(str(image.path), f'label {image.code} ({CODES[image.code]})')
                   for image in release.images if image.code >= self.num_classes]
        skipped += [(problem.item, problem.reason) for problem in release.problems
                    if problem.reason in (NO_LABEL, NOT_AN_IMAGE, NO_CLASS)]
        return self._samples(release._replace(images=[
            image for image in release.images if image.code < self.num_classes]), skipped)
