# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Features of a run's last epoch, of frames of all people: for identity probes and pictures."""

import io
from pathlib import Path
from typing import List, NamedTuple, Tuple

import numpy as np
from mmengine.config import Config
from mmpretrain.registry import DATASETS
from torch import nn
from torch.utils.data import Subset

from fmae_iat_plugin.evaluation import draw_frames, extract_features
from fmae_iat_plugin.files import write_whole

FEATURE_FRAMES = 200  # of each person: the paper's probe draws 100, by sequence it needs more


class RunFeatures(NamedTuple):
    """What :func:`write_features` kept, N frames.

    Attributes:
        features (np.ndarray): ``[N, D]`` float32, what both heads see.
        subjects (np.ndarray): ``[N]`` index in ``names``.
        paths (np.ndarray): ``[N]`` image paths.
        sequences (np.ndarray): ``[N]`` sequence of each frame within its subject, '' = unknown.
        names (tuple[str]): Names of all subjects of the data set.
    """

    features: np.ndarray
    subjects: np.ndarray
    paths: np.ndarray
    sequences: np.ndarray
    names: Tuple[str, ...]


class ChosenFrames(NamedTuple):
    """What :func:`choose_frames` chose; names and sequences as in :class:`RunFeatures`."""

    data: Subset
    sequences: List[str]
    names: Tuple[str, ...]
    num_workers: int


def choose_frames(cfg: Config, frames: int = FEATURE_FRAMES) -> ChosenFrames:
    """Those of training and test people alike.

    Args:
        cfg: Of the run; the frames are those of its test data set with ``split='all'``.
        frames: Of each person, at most.

    Raises:
        ValueError: If no frame has a subject.
    """
    data = DATASETS.build({**cfg.test_dataloader.dataset, 'split': 'all'})
    notes = [(info.get('subject', -1), str(info.get('sequence', '')))
             for info in map(data.get_data_info, range(len(data)))]
    rows = draw_frames(np.array([subject for subject, _ in notes]), frames)
    if not len(rows):
        raise ValueError('no frame of the test data set has a subject, so there are no features to '
                         'keep. Remedy: name subjects in the table, or --feature-frames 0.')
    return ChosenFrames(Subset(data, rows.tolist()), [notes[row][1] for row in rows],
                        tuple(data.metainfo['subjects']), cfg.test_dataloader.get('num_workers', 0))


def write_features(path: Path, model: nn.Module, chosen: ChosenFrames) -> None:
    """Extract and write them.

    Args:
        path: ``.npz``, complete or absent.
        model: Trained.
        chosen: The frames.
    """
    found = extract_features(model, chosen.data, num_workers=chosen.num_workers)
    stream = io.BytesIO()
    np.savez(stream, **found._asdict(), names=np.array(chosen.names),
             sequences=np.array(chosen.sequences))
    write_whole(path, stream.getvalue())


def read_features(path: Path) -> RunFeatures:
    """Read what :func:`write_features` wrote.

    Raises:
        FileNotFoundError: If it does not exist.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist. Remedy: tools/cross_validate.py without '
                                '--feature-frames 0.')
    with np.load(path, allow_pickle=False) as data:
        return RunFeatures(data['features'], data['subjects'], data['paths'], data['sequences'],
                           tuple(map(str, data['names'])))
