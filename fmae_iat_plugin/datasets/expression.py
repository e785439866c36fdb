# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What RAF-DB and AffectNet share: images with one expression, read from the release as it is.

One reader for each release (:func:`.rafdb.read_rafdb`, :func:`.affectnet.read_affectnet`) serves
the data set, which stops at what is wrong, and :mod:`.verify_expressions`, which lists all of it.
"""

from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from mmpretrain.datasets import BaseDataset

from fmae_iat_plugin.media import listed
from fmae_iat_plugin.skipped import Skip, report_skipped

#: reasons, the fixed phrases of the list of what is wrong
BAD_LINE = 'unreadable line'
BAD_LABEL_FILE = 'unreadable label file'
DUPLICATE = 'duplicate image'
CONTRADICTION = 'contradictory labels of one image'
NO_IMAGE = 'missing image'
EMPTY_IMAGE = 'empty image file'
NO_LABEL = 'no annotation'
NO_CLASS = 'the folder is no label code'
NOT_AN_IMAGE = 'not an image file'

#: the label of these images is not known: a data set stops at them
WRONG_LABELS = (BAD_LINE, BAD_LABEL_FILE, DUPLICATE, CONTRADICTION)


class ExpressionImage(NamedTuple):
    """One labelled image of a release.

    Attributes:
        path (Path): Of the image.
        code (int): The label, 0 = the first class.
        split (str): Such as ``'train'``.
        where (str): File, and line if it has lines, that names the label.
        missing (bool): Whether there is no such image.
    """

    path: Path
    code: int
    split: str
    where: str
    missing: bool = False


class ExpressionRelease(NamedTuple):
    """Images in the order of the release, and what is wrong with it beside missing images."""

    images: List[ExpressionImage]
    problems: List[Skip]


def check_choice(name: str, value: object, choices: tuple) -> None:
    """Raises:
        ValueError: If ``value`` is none of ``choices``.
    """
    if value not in choices:
        raise ValueError(f'{name}={value!r} is not one of {choices}')


def file_names(folder: Path) -> set:
    """The names in a folder, read once, which is much faster than a check of every image.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'the image folder {folder} does not exist; check data_root, and '
                                'whether the archive of the images was unpacked there')
    return {path.name for path in listed(folder)}


class ExpressionDataset(BaseDataset):
    """The options and the treatment of missing images that the two data sets share."""

    def __init__(self, data_root: str, split: str, missing: str, skip_file: Optional[str],
                 **kwargs) -> None:
        check_choice('missing', missing, ('error', 'skip'))
        self.split = split
        self.missing = missing
        self.skip_file = skip_file
        kwargs.setdefault('ann_file', '')
        super().__init__(data_root=str(Path(data_root).expanduser()), **kwargs)

    def _samples(self, release: ExpressionRelease, skipped: List[Tuple[str, str]]) -> List[dict]:
        """``img_path`` and ``gt_label`` of the images of the split.

        Args:
            release: What the reader found.
            skipped: Pairs (path, reason) that are left out already; gets the missing images.
        """
        wrong = next((problem for problem in release.problems if problem.reason in WRONG_LABELS),
                     None)
        if wrong is not None:
            line = f', line {wrong.line}' if wrong.line else ''
            raise ValueError(f'{wrong.file}{line}: {wrong.detail}')
        samples = []
        for image in release.images:
            if image.split != self.split:
                continue
            if not image.missing:
                samples.append(dict(img_path=str(image.path), gt_label=image.code))
            elif self.missing == 'error':
                raise FileNotFoundError(
                    f'{image.where}: the image {image.path} does not exist; restore it, or set '
                    "missing='skip' to leave such images out")
            else:
                skipped.append((str(image.path), NO_IMAGE))
        report_skipped(f'{type(self).__name__} {self.split}', skipped, self.skip_file)
        if not samples:
            raise ValueError(f'{type(self).__name__}: no image of split {self.split!r} remains in '
                             f'{self.data_root} ({len(skipped)} left out)')
        return samples
