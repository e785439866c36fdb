# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frozen features of a backbone, for the identity probe and for t-SNE."""

import time
from typing import NamedTuple, Tuple

import numpy as np
import torch
from mmengine.dataset import default_collate
from rich.progress import Progress
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

_SLOW = 5.0  # seconds after which a progress bar is shown


class Features(NamedTuple):
    """Features of N frames.

    Attributes:
        features (np.ndarray): ``[N, D]`` float32, what both heads see.
        subjects (np.ndarray): ``[N]`` int64, -1 = unknown.
        paths (np.ndarray): ``[N]`` image paths, '' if a sample has none.
    """

    features: np.ndarray
    subjects: np.ndarray
    paths: np.ndarray


def draw_frames(subjects: np.ndarray, frames: int, seed: int = 0) -> np.ndarray:
    """Draw at most ``frames`` frames of each subject at random.

    The draw of a subject depends on the seed and the subject alone.

    Args:
        subjects: ``[N]`` subject of each frame, -1 = unknown (never drawn).

    Returns:
        Frame numbers, ascending.
    """
    chosen = []
    for subject in np.unique(subjects[subjects >= 0]):
        rng = np.random.default_rng([seed, int(subject)])
        chosen.append(rng.permutation(np.flatnonzero(subjects == subject))[:frames])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, int)


def frame_notes(data: Dataset) -> Tuple[np.ndarray, np.ndarray]:
    """Subject ``[N]`` (-1 = unknown) and sequence ``[N]`` ('' = unknown) of each frame, without
    decoding an image."""
    notes = [(info.get('subject', -1), str(info.get('sequence', '')))
             for info in map(data.get_data_info, range(len(data)))]
    return (np.array([subject for subject, _ in notes], dtype=np.int64),
            np.array([sequence for _, sequence in notes], dtype=str))


class DrawnFrames:
    """The frames of a probe, drawn before any is read.

    Args:
        data: A data set of MMPretrain with its *test* pipeline.
        split: Of :func:`~fmae_iat_plugin.evaluation.identity_probe.split_frames`, its frames
            numbered as in ``data``.
    """

    def __init__(self, data: Dataset, split):
        self.rows = np.unique(np.concatenate([split.train, split.test]))
        self.subset = Subset(data, self.rows.tolist())
        self.split = split

    def features(self, model: nn.Module, **options) -> Tuple[np.ndarray, np.ndarray]:
        """Features of the training and the test frames, in the order of the split; options are
        those of :func:`extract_features`."""
        found = extract_features(model, self.subset, **options).features
        return tuple(found[np.searchsorted(self.rows, rows)]
                     for rows in (self.split.train, self.split.test))


@torch.no_grad()
def extract_features(model: nn.Module, data: Dataset | DataLoader, batch_size: int = 64,
                     num_workers: int = 0) -> Features:
    """Run the backbone in eval mode, without augmentation or gradients.

    Args:
        model: A classifier of MMPretrain; ``extract_feat(inputs)[-1]`` is ``[N, D]``. Its
            training mode is restored afterwards.
        data: A data set with its *test* pipeline, or a loader of it that does not shuffle.
        batch_size, num_workers: Used if ``data`` is a data set.

    Raises:
        ValueError: If the features are not vectors, or the data set is empty.
    """
    loader = data if isinstance(data, DataLoader) else DataLoader(
        data, batch_size, num_workers=num_workers, collate_fn=default_collate)
    rows, subjects, paths = [], [], []
    training = model.training
    model.eval()
    progress, start, shown = Progress(transient=True), time.monotonic(), False
    task = progress.add_task('Features', total=len(loader))
    try:
        for batch in loader:
            batch = model.data_preprocessor(batch, False)
            feature = model.extract_feat(batch['inputs'])
            feature = feature[-1] if isinstance(feature, (tuple, list)) else feature
            if feature.ndim != 2:
                raise ValueError(f'features have the shape {tuple(feature.shape)}, not [N, D]. '
                                 "Remedy: out_type='avg_featmap' in the backbone.")
            rows.append(feature.float().cpu().numpy())
            for sample in batch['data_samples']:
                subjects.append(int(sample.get('subject', -1)))
                paths.append(str(sample.get('img_path', '') or ''))
            progress.advance(task)
            if not shown and time.monotonic() - start > _SLOW:
                progress.start()
                shown = True
    finally:
        progress.stop()
        model.train(training)
    if not rows:
        raise ValueError('there is no frame to extract features from: the data set is empty.')
    return Features(np.concatenate(rows), np.array(subjects, np.int64), np.array(paths))
