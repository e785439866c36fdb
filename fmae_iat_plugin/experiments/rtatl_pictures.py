# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Pictures of what an RTATL model learned: recovered regions, flow, relation.

::

    python tools/visualization/rtatl.py CONFIG CHECKPOINT --out work_dirs/pictures

writes ``recovered.png``, ``flow.png`` and ``relation.png``, if the model has the task, from the
test data of the config.
"""

import argparse
import sys
from pathlib import Path
from typing import List, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from torch.utils.data import Subset

from fmae_iat_plugin.action_units import au_name
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.evaluation.cooccurrence import cooccurrence
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.models.rtatl.flow import UNIT
from fmae_iat_plugin.visualization.flow_wheel import plot_flow
from fmae_iat_plugin.visualization.recovered import paste, plot_recovered
from fmae_iat_plugin.visualization.relation import plot_relation
from fmae_iat_plugin.visualization.style import to_png
from fmae_iat_plugin.weights.checkpoint import find_weights, misfits, read_checkpoint

from .rtatl_measure import batches, test_data


def load_rtatl(cfg: Config, weights: str) -> nn.Module:
    """The whole model of a config with a checkpoint, in evaluation.

    Raises:
        ValueError: If the config is of another model, or the checkpoint does not fit.
    """
    init_default_scope('mmpretrain')
    if cfg.model.type != 'RTATL':
        raise ValueError(f'{cfg.filename}: the model is {cfg.model.type}. Remedy: a config of '
                         'configs/rtatl.')
    model = MODELS.build({**cfg.model, 'pretrained': None})
    saved = dict(find_weights(read_checkpoint(weights), weights))
    wrong = misfits(saved, model.state_dict())
    if wrong:
        raise ValueError(f'{weights} does not fit the model of {cfg.filename}: '
                         f'{", ".join(wrong[:4])}. Remedy: the config it was trained with.')
    model.load_state_dict(saved)
    return model.eval()


def _pictures(model: nn.Module, images: Tensor) -> List[np.ndarray]:
    """uint8 RGB ``[H, W, 3]`` of normalised images."""
    pre = model.data_preprocessor
    pixels = images * pre.std + pre.mean if pre._enable_normalize else images
    return list(pixels.clamp(0, 255).round().byte().permute(0, 2, 3, 1).cpu().numpy())


@torch.no_grad()
def draw(model: nn.Module, dataset, faces: int = 4, seed: int = 0) -> dict:
    """The matplotlib figures by name.

    Args:
        model: RTATL, in evaluation.
        dataset: With the config's test pipeline; its targets of flow are drawn where it has any.
        faces: How many, evenly spaced, are shown; the relation is the mean over 32 times as many.
        seed: Of what is removed.

    Raises:
        ValueError: If the data set has no labels for the co-occurrence.
    """
    figures, names = {}, [au_name(au) for au in model.neck.aus]
    rows = np.linspace(0, len(dataset) - 1, min(faces, len(dataset))).astype(int)
    images, samples = next(batches(model, Subset(dataset, rows), len(rows)))
    points = model.landmarks(samples, images.device)
    intact = _pictures(model, images)
    if model.inpainting is not None:
        model.inpainting.seed = seed
        regions = model.neck.boxes(points, len(images))
        cut = model.inpainting.cut(images, regions, samples)
        tokens = model.extract_feat(cut.images, landmarks=points)[0]
        patches = model.inpainting(tokens, cut, regions)
        filled = []
        for row in range(len(images)):
            chosen = cut.removed[row]
            filled.append(paste(
                images[row].permute(1, 2, 0).cpu().numpy(),
                patches[row, chosen].flatten(0, 1).cpu().numpy(),
                regions[row, chosen].flatten(0, 1).cpu().numpy(), cut.mask[row].cpu().numpy()))
        recovered = torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2).to(images)
        removed = [', '.join(name for name, gone in zip(names, cut.removed[row]) if gone)
                   for row in range(len(images))]
        figures['recovered'] = plot_recovered(intact, _pictures(model, cut.images),
                                              _pictures(model, recovered), removed)
    if model.flow is not None:
        found = model.flow(model.extract_feat(images, landmarks=points)[-1])
        targets = [UNIT * np.asarray(sample.flow) if 'flow' in sample else None
                   for sample in samples]
        figures['flow'] = plot_flow(intact, list(found.permute(0, 2, 3, 1).cpu().numpy()), targets)
    figures['relation'] = _relation(model, dataset, 32 * faces, names)
    return figures


def _relation(model: nn.Module, dataset, faces: int, names: List[str]):
    rows = np.linspace(0, len(dataset) - 1, min(faces, len(dataset))).astype(int)
    total, number = 0., 0
    for images, samples in batches(model, Subset(dataset, rows)):
        seen = model.neck.attention(model.backbone(images),
                                    model.landmarks(samples, images.device))
        total, number = total + seen.sum(dim=0).cpu().numpy(), number + len(images)
    labels = np.stack([dataset.get_data_info(row)['gt_score'] for row in range(len(dataset))])
    coded = ~np.isnan(labels)
    if not coded.any():
        raise ValueError('the data set has no coded label, so nothing occurs together in it. '
                         'Remedy: a table with labels.')
    return plot_relation(total / number, cooccurrence(labels == 1, coded), names)


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code: 0, or 2 with one line that says why."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='of configs/rtatl')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', default='work_dirs/rtatl_pictures', metavar='FOLDER')
    parser.add_argument('--faces', type=int, default=4)
    parser.add_argument('--seed', type=int, default=0, help='of what is removed')
    args = parser.parse_args(arguments)
    try:
        cfg = Config.fromfile(args.config)
        model = load_rtatl(cfg, args.checkpoint)
        dataset = test_data(cfg)
        for name, figure in draw(model, dataset, args.faces, args.seed).items():
            path = Path(args.out, f'{name}.png')
            write_whole(path, to_png(figure))
            sys.stdout.write(f'{path}\n')
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    return 0
