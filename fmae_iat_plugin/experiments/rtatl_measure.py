# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What a trained RTATL model does on faces it never saw: action units, in-filling, flow."""

from typing import Dict, Iterator, List

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmpretrain.registry import DATASETS
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from fmae_iat_plugin.evaluation.infilling import fill_from_border, fill_with_mean
from fmae_iat_plugin.models.rtatl import cut_regions, end_point_error
from fmae_iat_plugin.models.rtatl.flow import UNIT, stack_flow


def test_data(cfg: Config):
    """The test data of a config; with the targets of flow, if the data set names any, which the
    test pipeline leaves out because prediction does not use them."""
    data = cfg.test_dataloader.dataset
    *steps, pack = (dict(step) for step in data.pipeline)
    if cfg.model.get('flow') and data.get('flow'):
        steps.append(dict(type='LoadFlow', size=cfg.model.flow.size))
        pack['algorithm_keys'] = (*pack.get('algorithm_keys', ()), 'flow')
    return DATASETS.build({**data, 'pipeline': [*steps, pack]})


def batches(model: nn.Module, dataset, batch_size: int = 100) -> Iterator[tuple]:
    """(images, samples) of a data set with its test pipeline, normalised."""
    for batch in DataLoader(dataset, batch_size, collate_fn=default_collate):
        batch = model.data_preprocessor(batch, False)
        yield batch['inputs'], batch['data_samples']


@torch.no_grad()
def predictions(model: nn.Module, dataset, landmarks: bool = False) -> Dict[str, np.ndarray]:
    """Probabilities ``scores`` and ``labels`` ``[N, A]``, ``subjects`` ``[N]``.

    Args:
        model: RTATL, in evaluation.
        dataset: With its test pipeline.
        landmarks: Whether each face has its own regions, or all have those of the mean shape.
    """
    rows: Dict[str, List[np.ndarray]] = dict(scores=[], labels=[], subjects=[])
    kept = model.neck.regions
    model.neck.regions = 'landmarks' if landmarks else 'mean'
    try:
        for images, samples in batches(model, dataset):
            points = model.landmarks(samples, images.device)
            logits = model.head(model.extract_feat(images, landmarks=points))
            rows['scores'].append(logits.sigmoid().cpu().numpy())
            rows['labels'].append(torch.stack([s.gt_score for s in samples]).cpu().numpy())
            rows['subjects'].append(np.array([s.get('subject', -1) for s in samples]))
    finally:
        model.neck.regions = kept
    return {key: np.concatenate(parts) for key, parts in rows.items()}


@torch.no_grad()
def infilling_errors(model: nn.Module, dataset, every: int = 1) -> Dict[str, np.ndarray]:
    """Squared error of recovered regions, in units of the normalised image.

    In each face the regions of one action unit at a time are removed. All three ways are compared
    with the same patches of the intact image (``RoIInpainting.target``): the decoder's output, and
    the patches of the image whose removed pixels hold the mean of the others, or bilinear
    interpolation from the border.

    Args:
        model: RTATL, in evaluation.
        dataset: N faces with their test pipeline.
        every: Only each so manieth face, for the sake of time.

    Returns:
        dict: ``model``, ``mean`` and ``border``, each ``[ceil(N / every), A]``.
    """
    errors: Dict[str, List[np.ndarray]] = dict(model=[], mean=[], border=[])
    task = model.inpainting
    for images, samples in batches(model, Subset(dataset, range(0, len(dataset), every))):
        points = model.landmarks(samples, images.device)
        regions = model.neck.boxes(points, len(images))
        target = task.target(images, regions)
        columns: Dict[str, List[Tensor]] = {name: [] for name in errors}
        for au in range(regions.shape[1]):
            removed = torch.zeros(regions.shape[:2], dtype=torch.bool, device=images.device)
            removed[:, au] = True
            cut = cut_regions(images, regions, removed)
            tokens = model.extract_feat(cut.images, landmarks=points)[0]
            found = task(tokens, cut, regions)
            columns['model'].append(_error(found, target, au))
            for name, fill in (('mean', fill_with_mean), ('border', fill_from_border)):
                filled = np.stack([fill(image, mask) for image, mask in zip(
                    images.permute(0, 2, 3, 1).cpu().numpy(), cut.mask.cpu().numpy())])
                filled = torch.from_numpy(filled).to(images).permute(0, 3, 1, 2)
                columns[name].append(_error(task.target(filled, regions), target, au))
        for name, values in columns.items():
            errors[name].append(torch.stack(values, dim=1).cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in errors.items()}


def _error(found: Tensor, target: Tensor, au: int) -> Tensor:
    """Mean squared error of one action unit's patches, ``[N]``."""
    return (found[:, au] - target[:, au]).square().mean(dim=(1, 2, 3, 4))


@torch.no_grad()
def flow_errors(model: nn.Module, dataset) -> Dict[str, np.ndarray]:
    """End point error of each face, in percent of the image's side.

    Returns:
        dict: ``model``, ``zero`` (no motion) and ``average`` (the mean flow of this data set, which
        no model could know), each ``[N]``; a face without a target is left out.
    """
    found, wanted, known = [], [], []
    for images, samples in batches(model, dataset):
        pooled = model.extract_feat(images, landmarks=model.landmarks(samples, images.device))[-1]
        target, seen = stack_flow(samples, model.flow.size, images.device)
        keep = seen.flatten(1).any(dim=1)
        found.append(model.flow(pooled)[keep].cpu())
        wanted.append(target[keep].cpu())
        known.append(seen[keep].cpu())
    found, wanted, known = (torch.cat(parts) for parts in (found, wanted, known))
    weight = known[:, None].float()
    average = (wanted * weight).sum(0) / weight.sum(0).clamp(min=1)
    ways = dict(model=found, zero=torch.zeros_like(wanted), average=average.expand_as(wanted))
    return {name: ((end_point_error(flow, wanted) * known).flatten(1).sum(1)
                   / known.flatten(1).sum(1)).numpy() for name, flow in ways.items()}


def in_pixels(percent: np.ndarray, size: int) -> np.ndarray:
    """End point errors in pixels of an image of that side."""
    return percent / UNIT * size
