# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AU data sets: an annotation table, an AU set, and subject-exclusive folds."""

import os
from pathlib import Path
from typing import List, Optional, Sequence, Union

import numpy as np
from mmengine.logging import MMLogger
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.action_units import au_name, parse_aus
from fmae_iat_plugin.skipped import Skip, report_skipped

from .annotation import MAX_INTENSITY, AnnotationError, AnnotationTable, read_annotation
from .beside import Beside
from .cropping import checked_cropping, read_cropping
from .protocol import Protocol, check_whole_number, load_protocol, split_subjects
from .transforms import LoadFace

SPLITS = ('train', 'held_out', 'test', 'all')


@DATASETS.register_module()
class ActionUnitDataset(BaseDataset):
    """Faces with action units, from one annotation table.

    A sample is ``dict(img_path=str, gt_score=float32 [A], subject=int)``. ``gt_score`` is 1, 0 or
    NaN (not coded) for each of ``aus``; an image without any coded AU carries an all-NaN
    ``gt_score``. ``subject`` is the index in ``metainfo['subjects']``, all subjects of the
    protocol, so it is the same in every fold and split. It is absent if the table does not name
    the person.

    Args:
        ann_file (str): The annotation table (CSV or Parquet), relative to ``data_root``.
        aus (Sequence[int], optional): The AUs to learn, in this order. Defaults to the protocol's,
            or else to all columns of the table.
        protocol (str | dict, optional): ``'bp4d'``, ``'bp4dplus'``, ``'disfa'``, a JSON file, or a
            dict of that form. See :func:`~fmae_iat_plugin.datasets.protocol.load_protocol`.
        folds (int, optional): Deals the table's subjects into so many folds, without a protocol.
        fold (int, optional): The fold, from 1. Required unless ``split='all'``.
        split (str): ``'train'`` = all subjects but the fold's, ``'test'`` = the fold's subjects,
            ``'held_out'`` = those that ``held_out`` takes out of the training, ``'all'`` =
            everybody. Defaults to ``'train'``.
        held_out (int | float): Number of training subjects, or share of them (0 to 1, at least
            one), a fixed draw, that are not trained on, so that an epoch can be chosen and
            thresholds tuned on them (:class:`~fmae_iat_plugin.engine.ThresholdHook`).
        absent_ok (bool): Treat AUs of ``aus`` without a column in the table as not coded instead of
            raising an error. This tests a model of other AUs on the AUs that both have.
        intensity_threshold (float | str | None): A cell is positive if it is >= this. None: the
            table holds occurrences, and any value but 0 and 1 is an error. ``'protocol'`` (the
            default): the protocol's threshold, or None without a protocol.
        intensities (Sequence[int], optional): AUs whose intensities are learned too, in this order:
            a sample then has ``gt_intensity`` float32 ``[K]``, 0 to 5, NaN = not coded, and
            ``metainfo`` has ``intensity_aus``. ``'gt_intensity'`` must be in ``algorithm_keys`` of
            ``PackInputs``.
        intensity_file (str, optional): An annotation table of these intensities, relative to
            ``data_root``, where ``ann_file`` holds occurrences (BP4D). Rows belong together by
            ``image``; an image that it lacks is not coded. Defaults to ``ann_file`` (DISFA).
        in_memory (bool): Decode every image once, at the start, and keep it. Use it for few small
            images, whose decoding would take as long as the training.
        check_images (bool): Check at the start that every image file exists. Defaults to True.
        skip_file (str, optional): File that lists the rows without a face, which are left out
            (``face`` is ``none`` in a table that ``tools/crop_faces.py`` wrote). They are counted
            and logged in any case.
        landmarks (str, optional): File of landmarks (``tools/misc/find_landmarks.py``), relative
            to ``data_root``, or ``'table'``: the columns of the table. A sample then has
            ``landmarks`` float32 ``[68, 2]`` in fractions of the image, the mean shape where they
            were not found (these are counted and logged), and ``metainfo`` has ``mean_shape``.
        flow (str, optional): Folder of optical flow (``tools/misc/compute_flow.py``), relative to
            ``data_root``. A sample with a target then has ``flow_target``.
        cropping (dict, optional): How the faces were cropped, for the models that are trained on
            them (see :mod:`~fmae_iat_plugin.datasets.cropping`). Defaults to what
            ``tools/crop_faces.py`` noted beside the table.
        labelled (float): Share of the images, drawn at random, that keep their labels; the others
            become unlabelled. For experiments with few labels. Defaults to 1.
        label_seed (int): Of that draw.
        data_root (str), data_prefix (str), pipeline, **kwargs: See
            :class:`mmpretrain.datasets.BaseDataset`; ``data_prefix`` is the image folder.

    Raises:
        ValueError: If a fold, split or AU is unknown, an argument has another type, a subject is in
            two folds or outside the protocol, values do not fit ``intensity_threshold``, or the
            selection is empty.
        FileNotFoundError: If the table or an image is missing.
    """

    def __init__(self,
                 ann_file: str,
                 aus: Optional[Sequence[int]] = None,
                 protocol: Union[str, dict, None] = None,
                 folds: Optional[int] = None,
                 fold: Optional[int] = None,
                 split: str = 'train',
                 held_out: Union[int, float] = 0,
                 absent_ok: bool = False,
                 intensity_threshold: Union[float, str, None] = 'protocol',
                 intensities: Optional[Sequence[int]] = None,
                 intensity_file: Optional[str] = None,
                 in_memory: bool = False,
                 check_images: bool = True,
                 skip_file: Optional[str] = None,
                 landmarks: Optional[str] = None,
                 flow: Optional[str] = None,
                 cropping: Optional[dict] = None,
                 labelled: float = 1.,
                 label_seed: int = 0,
                 data_root: str = '',
                 data_prefix: Union[str, dict] = '',
                 metainfo: Optional[dict] = None,
                 lazy_init: bool = False,
                 **kwargs):
        if split not in SPLITS:
            raise ValueError(f'split {split!r} is none of {", ".join(SPLITS)}.')
        if split != 'all' and fold is None:
            raise ValueError(f'split={split!r} needs `fold` (from 1). Remedy: set `fold`, or '
                             "split='all' for every subject.")
        if protocol is not None and folds is not None:
            raise ValueError('`protocol` and `folds` were both given. Remedy: a protocol names '
                             'the subjects of each fold, `folds` deals them; choose one.')
        for name, value in (('fold', fold), ('folds', folds)):
            if value is not None:
                check_whole_number(name, value)
        if not (isinstance(held_out, float) and 0 < held_out < 1):
            check_whole_number('held_out', held_out)
        if not isinstance(ann_file, (str, os.PathLike)):
            raise ValueError(f'ann_file is {ann_file!r}. Remedy: the path of the annotation table.')
        if split == 'held_out' and held_out <= 0:
            raise ValueError("split='held_out' needs `held_out`, a number of subjects.")
        self.fold, self.split, self.held_out = fold, split, held_out
        self.check_images, self.absent_ok = check_images, absent_ok
        self.in_memory = in_memory
        self.skip_file = skip_file
        if not 0 < labelled <= 1:
            raise ValueError(f'labelled is {labelled}. Remedy: a share of the images within (0, '
                             '1].')
        self.labelled, self.label_seed = labelled, label_seed
        self.beside = Beside(landmarks, flow, data_root or '')
        path = os.path.expanduser(os.path.join(data_root or '', ann_file))
        self.table = self._read_table(path)
        self.protocol = self._protocol(protocol, folds)
        chosen = aus if aus is not None else self.protocol.aus or self.table.aus
        self.aus = parse_aus(chosen)
        if intensity_threshold == 'protocol':
            intensity_threshold = self.protocol.intensity_threshold
        self.intensity_threshold = _checked_threshold(intensity_threshold)
        if intensity_file is not None and intensities is None:
            raise ValueError(f'intensity_file is {intensity_file!r}, but no `intensities` are '
                             'named. Remedy: intensities=(6, 12, ...), AUs of that table.')
        self.intensity_aus = None if intensities is None else parse_aus(
            intensities, '`intensities`')
        self.intensity_path = path if intensity_file is None else os.path.expanduser(
            os.path.join(data_root or '', intensity_file))
        metainfo = {**(metainfo or {}), 'classes': tuple(map(au_name, self.aus)),
                    'aus': self.aus, 'subjects': self.protocol.subjects}
        if self.intensity_aus:
            metainfo['intensity_aus'] = self.intensity_aus
        if cropping is not None:
            metainfo['cropping'] = checked_cropping(cropping, '`cropping`')
        elif 'face' in self.table.frame:  # a table of crops
            noted = read_cropping(path)
            metainfo.update({} if noted is None else dict(cropping=noted))
        super().__init__(ann_file=ann_file, data_root=data_root, data_prefix=data_prefix,
                         metainfo=metainfo, lazy_init=lazy_init, **kwargs)

    def _read_table(self, path: str) -> AnnotationTable:
        return read_annotation(path)

    def _protocol(self, protocol, folds) -> Protocol:
        """The folds; if there are none, all subjects of the table without a fold."""
        if protocol is not None:
            return load_protocol(protocol)
        named = sorted({s for s in self.table.subjects if s})
        if folds is not None:
            return split_subjects(self.table.subjects, folds, name=self.table.path)
        if self.fold is not None:
            raise ValueError(f'fold {self.fold} of {self.table.path}: no folds are defined. '
                             'Remedy: set `folds` (a number) or `protocol` (a JSON file).')
        return Protocol(self.table.path, {0: tuple(named)} if named else {})

    def _labels(self) -> np.ndarray:
        """``[N, A]`` float32: 1 positive, 0 negative, NaN not coded."""
        table, threshold = self.table, self.intensity_threshold
        values = table.select(self.aus, self.absent_ok)
        coded = ~np.isnan(values)
        if threshold is None:
            rows, columns = np.nonzero(coded & (values != 0) & (values != 1))
            if rows.size:
                raise AnnotationError(
                    f'{table.path}, line {table.line(rows[0])}: {au_name(self.aus[columns[0]])} is '
                    f'{values[rows[0], columns[0]]:g}, an intensity. Remedy: set '
                    '`intensity_threshold` (DISFA: 2).')
            return values
        if threshold > 1 and not (table.labels > 1).any():
            raise AnnotationError(
                f'{table.path}: intensity_threshold={threshold:g}, but no cell is above 1: the '
                'table holds occurrences, and every label would be negative. Remedy: '
                'intensity_threshold=None.')
        return np.where(coded, values >= threshold, np.nan).astype(np.float32)

    def _intensities(self) -> np.ndarray:
        """``[N, K]`` float32, 0 to 5, NaN = not coded."""
        table = self.table
        if self.intensity_path != table.path and not os.path.samefile(
                self.intensity_path, table.path):
            table = read_annotation(self.intensity_path)
        values = table.select(self.intensity_aus, self.absent_ok)
        if not (table.labels > 1).any():
            raise AnnotationError(f'{table.path}: intensities are asked for, but no cell is above '
                                  '1: the table holds occurrences. Remedy: `intensity_file`, a '
                                  'table of intensities.')
        if table is self.table:
            return values
        place = {image: row for row, image in enumerate(table.images)}
        rows = np.array([place.get(image, -1) for image in self.table.images])
        if (rows < 0).all():
            raise AnnotationError(f'{table.path} names none of the {len(rows)} images of '
                                  f'{self.table.path}, first {self.table.images[0]!r}. Remedy: '
                                  'the column `image` must be the same in both.')
        return np.where((rows < 0)[:, None], np.nan, values[rows]).astype(np.float32)

    def _selected(self) -> np.ndarray:
        """Row numbers of this fold and split, in the order of the table."""
        table, known = self.table, set(self.protocol.subjects)
        subjects = table.subjects
        foreign = [row for row, s in enumerate(subjects) if s and s not in known]
        if foreign:
            names = sorted({subjects[row] for row in foreign})
            raise AnnotationError(
                f'{table.path}, line {table.line(foreign[0])}: subject {names[0]!r} is in no fold '
                f'of {self.protocol.name} ({len(names)} such subjects, {len(foreign)} rows: '
                f'{", ".join(names[:8])}). Remedy: spell subjects as the protocol does, or give '
                'your own `protocol` or `folds`.')
        if self.split == 'all':
            return np.arange(len(subjects))
        test = np.isin(subjects, self.protocol.test_subjects(self.fold))
        unknown = np.flatnonzero(subjects == '')
        if unknown.size:
            raise AnnotationError(
                f'{table.path}, line {table.line(unknown[0])}: no subject ({unknown.size} such '
                'rows), so its side of the fold is unknown. Remedy: name the '
                "subject, or use such rows with split='all' only.")
        held_out = np.isin(subjects, self.protocol.held_out_subjects(self.fold, self.held_out))
        sides = dict(train=~test & ~held_out, held_out=held_out, test=test)
        return np.flatnonzero(sides[self.split])

    def _with_face(self, rows: np.ndarray) -> np.ndarray:
        """Those of ``rows`` that are not marked ``face=none``; the others are listed."""
        if 'face' not in self.table.frame:
            return rows
        none = (self.table.frame['face'] == 'none').to_numpy()[rows]
        images = self.table.images
        report_skipped(f'{self.table.path}, split {self.split}',
                       [Skip(images[row], 'no face', self.table.path, self.table.line(row))
                        for row in rows[none]], self.skip_file)
        return rows[~none]

    def _check_images(self, paths: List[str], rows: np.ndarray) -> None:
        missing = [i for i, path in enumerate(paths) if not os.path.isfile(path)]
        if missing:
            lines = ', '.join(str(self.table.line(rows[i])) for i in missing[:5])
            raise FileNotFoundError(
                f'{len(missing)} of {len(paths)} images are missing, first {paths[missing[0]]!r} '
                f'({self.table.path}, lines {lines}{", ..." if len(missing) > 5 else ""}). '
                f'Remedy: set `data_prefix` (now {self.img_prefix!r}) to the image folder, or '
                'remove the rows from the table.')

    def load_data_list(self) -> List[dict]:
        """Rows of this fold and split as sample dicts (see the class)."""
        labels, rows = self._labels(), self._with_face(self._selected())
        graded = self._intensities() if self.intensity_aus else None
        if not rows.size:
            tested = self.protocol.test_subjects(self.fold)
            held_out = self.protocol.held_out_subjects(self.fold, self.held_out)
            sides = dict(test=tested, held_out=held_out)
            wanted = sides.get(self.split) or [s for s in self.protocol.subjects
                                               if s not in tested and s not in held_out]
            raise AnnotationError(
                f'{self.table.path}: no row in split {self.split!r} of fold {self.fold} of '
                f'{self.protocol.name}{" has a face" * ("face" in self.table.frame)}. Remedy: the '
                f'table must hold its subjects ({", ".join(wanted[:8])}'
                f'{", ..." * (len(wanted) > 8)}).')
        images, subjects = self.table.images, self.table.subjects
        paths = [str(Path(self.img_prefix or '') / images[row]) for row in rows]
        if self.check_images:
            self._check_images(paths, rows)
        if self.labelled < 1:
            rng = np.random.default_rng(self.label_seed)
            unlabelled = rows[rng.permutation(len(rows))[round(self.labelled * len(rows)):]]
            for values in (labels, *(() if graded is None else (graded, ))):
                values[unlabelled] = np.nan
        index = {name: i for i, name in enumerate(self.protocol.subjects)}
        data_list = []
        sequences = self.table.frame.get('sequence')
        for row, path in zip(rows, paths):
            sample = dict(img_path=path, gt_score=labels[row])
            if graded is not None:
                sample['gt_intensity'] = graded[row]
            if subjects[row]:
                sample['subject'] = index[subjects[row]]
            if sequences is not None:
                sample['sequence'] = str(sequences.iloc[row])
            if self.in_memory:
                LoadFace().transform(sample)
            data_list.append(sample)
        self._metainfo.update(self.beside.add(data_list, images[rows], self.table.frame,
                                              self.table.path))
        used = len({s['subject'] for s in data_list if 'subject' in s})
        MMLogger.get_current_instance().info(
            '%s: %d faces of %d subjects, split %s, fold %s of %s; positive %s; not coded %d.',
            self.table.path, len(data_list), used, self.split, self.fold, self.protocol.name,
            ' '.join(f'{au_name(au)} {100 * rate:.1f} %'
                     for au, rate in zip(self.aus, _prevalence(labels[rows]))),
            int(np.isnan(labels[rows]).sum()))
        return data_list

    def full_init(self):
        """Load the samples and release the table."""
        super().full_init()
        self.table = None


def _checked_threshold(value) -> Optional[float]:
    """An intensity threshold as it is, if it is one."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if value is not None and not (number and 0 < value <= MAX_INTENSITY):
        raise ValueError(f'intensity_threshold is {value!r}. Remedy: a number above 0, up to '
                         f"{MAX_INTENSITY:g} (DISFA: 2), None for occurrences, or 'protocol'.")
    return value


def _prevalence(labels: np.ndarray) -> np.ndarray:
    """Share of positives among the coded labels, ``[N, A] -> [A]``; NaN if none is coded."""
    coded = (~np.isnan(labels)).sum(axis=0)
    positive = (labels == 1).sum(axis=0)
    return np.divide(positive, coded, out=np.full(len(coded), np.nan), where=coded > 0)


@DATASETS.register_module()
class BP4D(ActionUnitDataset):
    """BP4D: 12 AUs, 41 subjects, three folds (``protocols/bp4d.json``)."""

    def __init__(self, ann_file: str, protocol='bp4d', **kwargs):
        super().__init__(ann_file, protocol=protocol, **kwargs)


@DATASETS.register_module()
class BP4DPlus(ActionUnitDataset):
    """BP4D+: 12 AUs, 140 subjects, four folds (``protocols/bp4dplus.json``)."""

    def __init__(self, ann_file: str, protocol='bp4dplus', **kwargs):
        super().__init__(ann_file, protocol=protocol, **kwargs)


@DATASETS.register_module()
class DISFA(ActionUnitDataset):
    """DISFA: 8 AUs, 27 subjects, three folds (``protocols/disfa.json``), positive at >= 2."""

    def __init__(self, ann_file: str, protocol='disfa', **kwargs):
        super().__init__(ann_file, protocol=protocol, **kwargs)
