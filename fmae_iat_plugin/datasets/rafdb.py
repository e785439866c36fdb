# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RAF-DB, basic emotions (Li et al., CVPR 2017), read as it is released."""

import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

from mmpretrain.registry import DATASETS

from fmae_iat_plugin.files import read_lines
from fmae_iat_plugin.skipped import Skip

from .expression import (
    BAD_LINE,
    CONTRADICTION,
    DUPLICATE,
    NO_LABEL,
    ExpressionDataset,
    ExpressionImage,
    ExpressionRelease,
    check_choice,
    file_names,
)

_LINE = re.compile(r'\s*((?:train|test)_[0-9]+\.[A-Za-z]+)\s+([1-7])\s*')
LABEL_FILES = ('list_patition_label.txt', 'list_partition_label.txt')


def _basic(root: Path) -> Path:
    return root / 'basic' if (root / 'basic').is_dir() else root


def label_file(root: Path) -> Path:
    """The label file of a release, whose misspelt name some copies have mended."""
    files = [_basic(root) / 'EmoLabel' / name for name in LABEL_FILES]
    return next((path for path in files if path.is_file()), files[0])


def read_labels(file: Path) -> Tuple[Dict[str, Tuple[int, int]], List[Skip]]:
    """Image name -> (line, label 0..6), and the lines that cannot be used.

    Raises:
        ValueError: If the file is no UTF-8 text.
    """
    found: Dict[str, Tuple[int, int]] = {}
    problems, wrong = [], set()
    for number, line in enumerate(read_lines(file), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            if line.strip():
                problems.append(Skip(
                    f'line {number}', BAD_LINE, str(file), number,
                    f"cannot read {line.strip()!r:.80}; expected 'train_00001.jpg 5' or "
                    "'test_0001.jpg 5' with a label of 1..7"))
            continue
        name, code = match[1], int(match[2]) - 1
        first, other = found.setdefault(name, (number, code))
        if first == number:
            continue
        if code != other:
            wrong.add(name)
        problems.append(Skip(
            name, DUPLICATE if code == other else CONTRADICTION, str(file), number,
            f'{name} was already given on line {first}; keep one of the two lines'))
    for name in sorted(wrong):
        problems.append(Skip(name, CONTRADICTION, str(file), found.pop(name)[0],
                             f'a later line gives {name} another label; keep one of them'))
    return found, problems


def read_rafdb(root: Union[str, Path], aligned: bool = True,
               ann_file: Union[str, Path, None] = None) -> ExpressionRelease:
    """Read a release of RAF-DB, both splits.

    Args:
        root: Folder that holds ``basic``, or ``basic`` itself.
        aligned: The aligned 100x100 faces, else the original images.
        ann_file: Replaces the label file.

    Returns:
        ExpressionRelease: Problems are unreadable, repeated and contradictory lines, each with its
        line, and images without a label.

    Raises:
        FileNotFoundError: If the label file or the image folder does not exist.
        ValueError: If the label file is no UTF-8 text.
    """
    root = Path(root)
    file = Path(ann_file) if ann_file else label_file(root)
    if not file.is_file():
        raise FileNotFoundError(f'the label file {file} does not exist; data_root must be '
                                'the folder that holds basic/EmoLabel and basic/Image')
    folder = _basic(root) / 'Image' / ('aligned' if aligned else 'original')
    present = file_names(folder)
    found, problems = read_labels(file)
    images, labelled = [], set()
    for name, (number, code) in found.items():
        stem, dot, suffix = name.rpartition('.')
        image = f'{stem}_aligned{dot}{suffix}' if aligned else name
        labelled.add(image)
        images.append(ExpressionImage(folder / image, code, name.partition('_')[0],
                                      f'{file}, line {number}', image not in present))
    problems += [Skip(str(folder / name), NO_LABEL) for name in sorted(present - labelled)]
    return ExpressionRelease(images, problems)


@DATASETS.register_module()
class RAFDB(ExpressionDataset):
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
        skip_file: File that lists what was left out, one ``path<TAB>reason`` per line.
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
        check_choice('split', split, ('train', 'test'))
        self.aligned = aligned
        if not kwargs.get('ann_file'):
            kwargs['ann_file'] = str(label_file(Path(data_root).expanduser()).absolute())
        super().__init__(data_root, split, missing, skip_file, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Returns a list of dicts with ``img_path`` and ``gt_label`` in the file's order."""
        return self._samples(read_rafdb(self.data_root, self.aligned, self.ann_file), [])
