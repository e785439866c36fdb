# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RoIAlign (He et al., Mask R-CNN, 2017): features or pixels inside a box on a small grid.

:func:`pool_boxes` takes boxes of each image and calls torchvision's ``roi_align``.
:func:`pool_fixed` takes the same boxes for all images: bilinear sampling then is two small
matrices, one for each axis, which any exporter can write. Both give the same numbers.
"""

import torch
from torch import Tensor
from torchvision.ops import roi_align

SAMPLES = 2  # points a cell and axis


def pool_boxes(maps: Tensor, regions: Tensor, size: int) -> Tensor:
    """RoIAlign of each image's own boxes.

    Args:
        maps: ``[N, C, H, W]`` features or pixels.
        regions: ``[N, R, 4]`` boxes: x1, y1, x2, y2 in fractions of the image.
        size: Side P of the grid.

    Returns:
        Tensor: ``[N, R, C, P, P]``; a point outside the map counts 0, as in torchvision.
    """
    number, rois = regions.shape[:2]
    height, width = maps.shape[-2:]
    scaled = regions * regions.new_tensor([width, height, width, height])
    index = torch.arange(number, device=maps.device, dtype=regions.dtype)
    rows = torch.cat([index.repeat_interleave(rois)[:, None], scaled.reshape(-1, 4)], dim=1)
    pooled = roi_align(maps, rows.to(maps.dtype), size, sampling_ratio=SAMPLES, aligned=True)
    return pooled.reshape(number, rois, maps.shape[1], size, size)


def _axis_weights(low: Tensor, high: Tensor, cells: int, size: int) -> Tensor:
    """``[R, P, cells]``: how much of each cell a row or column of the grid takes, along one axis.

    Args:
        low, high: ``[R]`` ends of the boxes in fractions of the map.
        cells: Of the map along the axis.
        size: P.
    """
    steps = (torch.arange(size * SAMPLES, device=low.device, dtype=low.dtype) + 0.5) / (
        size * SAMPLES)
    # aligned=True: the centre of the first cell is at 0
    at = (low[:, None] + steps * (high - low)[:, None]) * cells - 0.5
    inside = (at >= -1) & (at <= cells)
    at = at.clamp(0, cells - 1)
    centres = torch.arange(cells, device=low.device, dtype=low.dtype)
    hat = (1 - (at[..., None] - centres).abs()).clamp(min=0) * inside[..., None].to(low.dtype)
    return hat.reshape(len(low), size, SAMPLES, cells).mean(dim=2)


def pool_fixed(maps: Tensor, regions: Tensor, size: int) -> Tensor:
    """RoIAlign of boxes that are the same in all images.

    Args:
        maps: ``[N, C, H, W]``.
        regions: ``[R, 4]`` boxes in fractions of the image.
        size: Side P of the grid.

    Returns:
        Tensor: ``[N, R, C, P, P]``.
    """
    height, width = maps.shape[-2:]
    x1, y1, x2, y2 = regions.unbind(-1)
    columns = _axis_weights(x1, x2, width, size).to(maps.dtype)
    rows = _axis_weights(y1, y2, height, size).to(maps.dtype)
    return torch.einsum('rph,nchw,rqw->nrcpq', rows, maps, columns)
