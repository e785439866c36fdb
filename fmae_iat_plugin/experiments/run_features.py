# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Features of a run's last epoch, of frames of all people: for identity probes and pictures."""

import io
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain.registry import DATASETS, MODELS
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Subset

from fmae_iat_plugin.engine import derive_sizes
from fmae_iat_plugin.evaluation import draw_frames, extract_features
from fmae_iat_plugin.files import write_whole

FEATURE_FRAMES = 200  # of each person: the paper's probe draws 100, by sequence it needs more
PIXELS, UNTRAINED = 'pixels', 'untrained'


class RunFeatures(NamedTuple):
    """What :func:`write_features` kept, N frames.

    Attributes:
        features (np.ndarray): ``[N, D]`` float32, what both heads see.
        subjects (np.ndarray): ``[N]`` index in ``names``.
        paths (np.ndarray): ``[N]`` image paths.
        sequences (np.ndarray): ``[N]`` sequence of each frame within its subject, '' = unknown.
        names (tuple[str]): Names of all subjects of the data set.
        controls (dict[str, np.ndarray]): What tells people apart without having learned it, of the
            same frames: :data:`PIXELS` ``[N, 768]``, 16 x 16 pixels, and :data:`UNTRAINED`
            ``[N, D]``, the feature of the encoder as it was initialised. Empty in older files.
    """

    features: np.ndarray
    subjects: np.ndarray
    paths: np.ndarray
    sequences: np.ndarray
    names: Tuple[str, ...]
    controls: Dict[str, np.ndarray] = {}


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


def write_features(path: Path, model: nn.Module, chosen: ChosenFrames,
                   untrained: Optional[nn.Module] = None) -> None:
    """Extract and write them.

    Args:
        path: ``.npz``, complete or absent.
        model: Trained.
        chosen: The frames.
        untrained: See :func:`untrained_model`; with it the controls are kept.
    """
    found = extract_features(model, chosen.data, num_workers=chosen.num_workers)._asdict()
    if untrained is not None:
        device = next(model.parameters()).device
        found[UNTRAINED] = extract_features(untrained.to(device), chosen.data,
                                            num_workers=chosen.num_workers).features
        found[PIXELS] = np.stack([pixels(chosen.data[k]['inputs'])
                                  for k in range(len(chosen.data))])
    stream = io.BytesIO()
    np.savez(stream, **found, names=np.array(chosen.names), sequences=np.array(chosen.sequences))
    write_whole(path, stream.getvalue())


def pixels(image: torch.Tensor) -> np.ndarray:
    """An image ``[3, H, W]`` of 0..255 as 16 x 16 pixels, each the mean of its area: ``[768]``."""
    return F.adaptive_avg_pool2d(image.float(), 16).flatten().numpy().astype(np.float16)


def untrained_model(cfg: Config) -> nn.Module:
    """The classifier of a run as it is initialised, without pretrained weights or adversary; the
    random numbers of the process are left as they were."""
    model = {**derive_sizes(cfg).model.to_dict()}
    for part, key in ((model, 'pretrained'), (model, 'adversary'), (model['backbone'], 'init_cfg')):
        if key in part:
            part[key] = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(cfg.get('randomness', {}).get('seed') or 0)
        built = MODELS.build(model)
        built.init_weights()
    return built.eval()


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
                           tuple(map(str, data['names'])),
                           {name: data[name] for name in (PIXELS, UNTRAINED) if name in data})
