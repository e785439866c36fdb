# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Facial expression data sets with one label an image: RAF-DB and AffectNet.

Both read the folders as the authors of the data release them. RAF-DB: Li et al., CVPR 2017;
AffectNet: Mollahosseini et al., IEEE TAC 2019.
"""

from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from mmengine.logging import MMLogger
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.media import IMAGE_SUFFIXES, listed
from fmae_iat_plugin.skipped import report_skipped

from .affectnet_code import read_code


def _check_choice(name: str, value: object, choices: tuple) -> None:
    if value not in choices:
        raise ValueError(f'{name}={value!r} is not one of {choices}')


def _file_names(folder: Path) -> set:
    """The names in a folder, read once: much cheaper than asking for every image."""
    if not folder.is_dir():
        raise FileNotFoundError(f'the image folder {folder} does not exist; check data_root, and '
                                'that the archive of the images was unpacked there')
    return {path.name for path in listed(folder)}


class _ExpressionDataset(BaseDataset):
    """What the two data sets share: options and the treatment of missing images."""

    def __init__(self, data_root: str, split: str, missing: str, skip_file: Optional[str],
                 **kwargs) -> None:
        _check_choice('missing', missing, ('error', 'skip'))
        self.split = split
        self.missing = missing
        self.skip_file = skip_file
        self._skipped: List[Tuple[str, str]] = []
        kwargs.setdefault('ann_file', '')
        super().__init__(data_root=str(Path(data_root).expanduser()), **kwargs)

    def _missing_image(self, image: Path, named_by: str) -> None:
        if self.missing == 'error':
            raise FileNotFoundError(f'{named_by}: the image {image} does not exist; restore it, '
                                    "or set missing='skip' to leave such images out")
        self._skipped.append((str(image), 'missing image'))

    def _finish(self, data_list: List[dict]) -> List[dict]:
        report_skipped(f'{type(self).__name__} {self.split}', self._skipped, self.skip_file)
        if not data_list:
            raise ValueError(f'{type(self).__name__}: no image of split {self.split!r} is left in '
                             f'{self.data_root} ({len(self._skipped)} left out)')
        return data_list


@DATASETS.register_module()
class RAFDB(_ExpressionDataset):
    """RAF-DB, basic emotions: 7 classes, 12,271 training and 3,068 test images.

    ::

        data_root/basic/EmoLabel/list_patition_label.txt    (the misspelling is the release's)
        data_root/basic/Image/aligned/train_00001_aligned.jpg
        data_root/basic/Image/original/train_00001.jpg

    ``data_root`` may also be the folder ``basic`` itself. The label file's 1..7 become
    ``gt_label`` 0..6, in the release's order.

    Args:
        data_root: Folder of the release.
        split: ``'train'`` or ``'test'``.
        aligned: Read ``Image/aligned`` (100x100 faces), else ``Image/original``.
        missing: ``'error'``, or ``'skip'`` to leave out, count and list missing images.
        skip_file: File that lists what was left out, one ``path<TAB>reason`` a line.
        **kwargs: Arguments of :class:`mmpretrain.datasets.BaseDataset`. ``ann_file`` replaces
            the label file.

    Raises:
        FileNotFoundError: If the label file or an image is missing.
        ValueError: If a line of the label file cannot be understood.
    """

    METAINFO = dict(
        classes=('surprise', 'fear', 'disgust', 'happiness', 'sadness', 'anger', 'neutral'))

    def __init__(self,
                 data_root: str,
                 split: str = 'train',
                 aligned: bool = True,
                 missing: str = 'error',
                 skip_file: Optional[str] = None,
                 **kwargs) -> None:
        _check_choice('split', split, ('train', 'test'))
        root = Path(data_root).expanduser()
        self.basic = root / 'basic' if (root / 'basic').is_dir() else root
        self.aligned = aligned
        if not kwargs.get('ann_file'):
            kwargs['ann_file'] = str((self.basic / 'EmoLabel/list_patition_label.txt').absolute())
        super().__init__(data_root, split, missing, skip_file, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Returns a list of dicts with ``img_path`` and ``gt_label`` in the file's order."""
        ann_file = Path(self.ann_file)
        if not ann_file.is_file():
            raise FileNotFoundError(f'the label file {ann_file} does not exist; data_root must be '
                                    'the folder that holds basic/EmoLabel and basic/Image')
        folder = self.basic / 'Image' / ('aligned' if self.aligned else 'original')
        present = _file_names(folder)
        self._skipped = []
        data_list, seen = [], {}
        for number, line in enumerate(ann_file.read_text(encoding='utf-8-sig').splitlines(), 1):
            if not line.strip():
                continue
            where = f'{ann_file}, line {number}'
            name, label = self._parse(line, where)
            if name in seen:
                raise ValueError(f'{where}: {name} was already given on line {seen[name]}; keep '
                                 'one of the two lines')
            seen[name] = number
            if not name.startswith(f'{self.split}_'):
                continue
            stem, dot, suffix = name.rpartition('.')
            image = f'{stem}_aligned{dot}{suffix}' if self.aligned else name
            if image in present:
                data_list.append(dict(img_path=str(folder / image), gt_label=label))
            else:
                self._missing_image(folder / image, where)
        return self._finish(data_list)

    @staticmethod
    def _parse(line: str, where: str) -> Tuple[str, int]:
        fields = line.split()
        if len(fields) != 2 or fields[1] not in '1 2 3 4 5 6 7'.split() or \
                '.' not in fields[0] or not fields[0].startswith(('train_', 'test_')):
            raise ValueError(f'{where}: cannot read {line.strip()!r}; expected '
                             "'train_00001.jpg 5' or 'test_0001.jpg 5' with a label of 1..7")
        return fields[0], int(fields[1]) - 1


@DATASETS.register_module()
class AffectNet(_ExpressionDataset):
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
        layout: ``'annotations'``, ``'folders'``, or ``'auto'`` for the one that is there, the
            annotations if both are.
        missing: ``'error'``, or ``'skip'`` to leave out, count and list missing images.
        skip_file: File that lists what was left out, one ``path<TAB>reason`` a line.
        **kwargs: Arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        FileNotFoundError: If neither layout or an image is missing.
        ValueError: If a label is not one of 0..10.
    """

    CLASSES_8 = ('neutral', 'happy', 'sad', 'surprise', 'fear', 'disgust', 'anger', 'contempt')
    OTHER_CODES = {8: 'none', 9: 'uncertain', 10: 'non-face'}
    METAINFO = dict(classes=CLASSES_8)

    def __init__(self,
                 data_root: str,
                 split: str = 'train',
                 num_classes: int = 8,
                 layout: str = 'auto',
                 missing: str = 'error',
                 skip_file: Optional[str] = None,
                 **kwargs) -> None:
        _check_choice('split', split, ('train', 'val', 'test'))
        _check_choice('num_classes', num_classes, (7, 8))
        _check_choice('layout', layout, ('auto', 'annotations', 'folders'))
        self.num_classes = num_classes
        self.layout = layout
        metainfo = dict(classes=self.CLASSES_8[:num_classes])
        metainfo.update(kwargs.pop('metainfo', None) or {})
        split = 'val' if split == 'test' else split
        super().__init__(data_root, split, missing, skip_file, metainfo=metainfo, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Returns a list of dicts with ``img_path`` and ``gt_label``, sorted by path."""
        layout, folder = self._find()
        MMLogger.get_current_instance().info(
            f'AffectNet {self.split}: reading the {layout} of {folder}')
        self._skipped = []
        data_list = []
        items = self._annotations(folder) if layout == 'annotations' else self._folders(folder)
        for image, code in items:
            if code < self.num_classes:
                data_list.append(dict(img_path=str(image), gt_label=code))
            else:
                name = self.OTHER_CODES.get(code) or self.CLASSES_8[code]
                self._skipped.append((str(image), f'label {code} ({name})'))
        return self._finish(data_list)

    def _find(self) -> Tuple[str, Path]:
        root = Path(self.data_root)
        folders = [root / f'{self.split}{end}' for end in ('_set', '_class', '')]
        if self.layout != 'folders':
            for folder in folders:
                if (folder / 'annotations').is_dir():
                    return 'annotations', folder
        if self.layout != 'annotations':
            for folder in folders:
                if any((folder / str(code)).is_dir() for code in range(11)):
                    return 'folders', folder
        raise FileNotFoundError(
            f'no AffectNet {self.split} set (layout={self.layout!r}) below {root}: looked for '
            f'annotations/ and for class folders 0..7 in {[str(f) for f in folders]}; check '
            'data_root')

    def _annotations(self, folder: Path) -> Iterator[Tuple[Path, int]]:
        present = _file_names(folder / 'images')
        labelled = set()
        for file in listed(folder / 'annotations'):
            if not file.name.endswith('_exp.npy'):
                continue
            stem = file.name[:-len('_exp.npy')]
            labelled.add(stem)
            code = read_code(file)
            name = next((stem + s for s in IMAGE_SUFFIXES if stem + s in present), None)
            if name is None and code < self.num_classes:
                self._missing_image(folder / 'images' / f'{stem}.jpg', str(file))
            else:
                yield folder / 'images' / (name or f'{stem}.jpg'), code
        for name in sorted(present):
            if Path(name).stem not in labelled:
                self._skipped.append((str(folder / 'images' / name), 'no annotation'))

    def _folders(self, folder: Path) -> Iterator[Tuple[Path, int]]:
        lacking = [code for code in range(self.num_classes) if not (folder / str(code)).is_dir()]
        if lacking:
            raise FileNotFoundError(f'{folder} has no class folders {lacking}; all of '
                                    f'0..{self.num_classes - 1} must be there')
        for code in range(11):
            if (folder / str(code)).is_dir():
                for file in listed(folder / str(code)):
                    if file.suffix.lower() in IMAGE_SUFFIXES:
                        yield file, code
                    else:
                        self._skipped.append((str(file), 'not an image file'))
