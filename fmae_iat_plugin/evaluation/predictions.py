# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Stored predictions: what ``ActionUnitMetric(out_file=...)`` wrote, read in one place."""

from pathlib import Path
from typing import NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np


class Predictions(NamedTuple):
    """Predictions of N frames for C action units.

    Attributes:
        scores (np.ndarray): ``[N, C]`` probabilities.
        labels (np.ndarray): ``[N, C]`` 0, 1 or NaN.
        subjects (np.ndarray): ``[N]`` index in ``names``, -1 = unknown.
        paths (np.ndarray): ``[N]``.
        classes (tuple[str]): C names, e.g. ``'AU12'``.
        names (tuple[str]): Names of all subjects of the data set; () where it names none.
        thresholds (np.ndarray, optional): ``[C]`` tuned on training subjects, NaN where an AU has
            none; None if they are not known.
    """

    scores: np.ndarray
    labels: np.ndarray
    subjects: np.ndarray
    paths: np.ndarray
    classes: Tuple[str, ...]
    names: Tuple[str, ...]
    thresholds: Optional[np.ndarray] = None


def stored_predictions(path: Union[str, Path]) -> Predictions:
    """Read an ``.npz`` of ActionUnitMetric, in the order of the file.

    Raises:
        FileNotFoundError: If it does not exist.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist. Remedy: test with '
                                '--cfg-options test_evaluator.out_file=...npz')
    with np.load(path, allow_pickle=False) as data:
        classes = tuple(map(str, data['classes']))
        return Predictions(
            data['scores'], data['labels'], data['subject'], data['img_path'], classes,
            tuple(map(str, data['subjects'])) if 'subjects' in data else (),
            data['thresholds'] if 'thresholds' in data else None)


def read_predictions(path: Union[str, Path]) -> Predictions:
    """Read the predictions of known subjects, in the order of the paths.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a subject is unknown, because intervals are drawn over subjects.
    """
    found = stored_predictions(path)
    if (found.subjects < 0).any():
        raise ValueError(f'{path}: {(found.subjects < 0).sum()} frames have no subject, so no '
                         'interval over subjects exists. Remedy: name the subjects in the table.')
    order = np.argsort(found.paths, kind='stable')
    return found._replace(scores=found.scores[order], labels=found.labels[order],
                          subjects=found.subjects[order], paths=found.paths[order])


def pool_predictions(paths: Sequence[Union[str, Path]]) -> Predictions:
    """Join the predictions of several folds: every subject is tested once.

    Args:
        paths: One ``.npz`` for each fold, at least one.

    Returns:
        Predictions: ``thresholds`` is None, since each fold has its own.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the files have different AUs, or an image is in two of them.
    """
    parts, seen = [], {}
    for path in paths:
        part = stored_predictions(path)
        if parts and part.classes != parts[0].classes:
            raise ValueError(f'{path} has the AUs {", ".join(part.classes)}, but {paths[0]} has '
                             f'{", ".join(parts[0].classes)}. Remedy: pool folds of one '
                             'experiment.')
        for image in part.paths.tolist():
            if image in seen:
                raise ValueError(f'image {image!r} is in both {seen[image]} and {path}. Remedy: '
                                 'pool the test folds of one seed; they share no image.')
            seen[image] = path
        parts.append(part)
    joined = {key: np.concatenate([getattr(part, key) for part in parts])
              for key in ('scores', 'labels', 'subjects', 'paths')}
    return parts[0]._replace(**joined, thresholds=None)


def subject_name(predictions: Predictions, subject: int) -> str:
    """The name of a subject, or its number if the data set names no subjects."""
    names = predictions.names
    return names[subject] if subject < len(names) else str(subject)
