# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Pools the predictions of all folds: every subject is tested once, and each AU has one F1."""

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np


class Pooled(NamedTuple):
    """Predictions of N frames for C AUs.

    Attributes:
        scores (np.ndarray): ``[N, C]`` probabilities.
        labels (np.ndarray): ``[N, C]`` 0, 1 or NaN.
        classes (tuple[str]): C names, e.g. ``'AU12'``.
    """

    scores: np.ndarray
    labels: np.ndarray
    classes: Tuple[str, ...]


def pool_predictions(paths: Sequence[str]) -> Pooled:
    """Join the ``out_file`` of :class:`ActionUnitMetric` of several folds.

    Args:
        paths: One ``.npz`` per fold, at least one.

    Raises:
        ValueError: If the files have different AUs, or an image is in two of them.
    """
    parts: List[dict] = []
    seen: dict = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as data:
            part = {key: data[key] for key in ('scores', 'labels', 'classes', 'img_path')}
        if parts and list(part['classes']) != list(parts[0]['classes']):
            raise ValueError(f'{path} has the AUs {", ".join(part["classes"])}, but {paths[0]} has '
                             f'{", ".join(parts[0]["classes"])}. Remedy: pool folds of one '
                             'experiment.')
        for image in part['img_path'].tolist():
            if image in seen:
                raise ValueError(f'image {image!r} is in both {seen[image]} and {path}. Remedy: '
                                 'pool the test folds of one seed; they share no image.')
            seen[image] = path
        parts.append(part)
    return Pooled(*(np.concatenate([part[key] for part in parts]) for key in ('scores', 'labels')),
                  tuple(map(str, parts[0]['classes'])))
