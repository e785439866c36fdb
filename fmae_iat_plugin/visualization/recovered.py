# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Faces with removed AU regions, what a model put there, and the truth."""

from typing import Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure

from .style import dress, new_figure


def paste(image: np.ndarray, patches: np.ndarray, regions: np.ndarray,
          mask: np.ndarray) -> np.ndarray:
    """Put patches into an image; only removed pixels change.

    Args:
        image: ``[H, W, 3]``.
        patches: ``[R, 3, P, P]`` in the unit of the image.
        regions: ``[R, 4]`` boxes in fractions of the image.
        mask: Bool ``[H, W]``, the removed pixels.

    Returns:
        np.ndarray: float32 ``[H, W, 3]``. A pixel in several boxes has the mean of them.
    """
    height, width = image.shape[:2]
    total = np.zeros((height, width, 3), np.float32)
    count = np.zeros((height, width), np.float32)
    xs, ys = np.arange(width) + 0.5, np.arange(height) + 0.5
    for patch, (x1, y1, x2, y2) in zip(patches, regions):
        size = patch.shape[-1]
        columns = ((xs / width - x1) / (x2 - x1)) * size - 0.5
        rows = ((ys / height - y1) / (y2 - y1)) * size - 0.5
        at_x, at_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        sampled = cv2.remap(np.ascontiguousarray(patch.transpose(1, 2, 0), dtype=np.float32), at_x,
                            at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = (at_x >= -0.5) & (at_x < size - 0.5) & (at_y >= -0.5) & (at_y < size - 0.5)
        total += sampled * inside[..., None]
        count += inside
    filled = image.astype(np.float32).copy()
    here = mask & (count > 0)
    filled[here] = total[here] / count[here][:, None]
    return filled


def plot_recovered(images: Sequence[np.ndarray], cut: Sequence[np.ndarray],
                   recovered: Sequence[np.ndarray], names: Sequence[str]) -> Figure:
    """A row for each face: without the regions, recovered, intact.

    Args:
        images, cut, recovered: N pictures each, uint8 RGB.
        names: What was removed from each, such as ``'AU4, AU12'``.

    Raises:
        ValueError: If there is no face, or the numbers differ.
    """
    if not images or len({len(images), len(cut), len(recovered), len(names)}) > 1:
        raise ValueError(f'{len(images)} faces, {len(cut)} cut, {len(recovered)} recovered, '
                         f'{len(names)} names: one of each face is needed.')
    figure = new_figure(4.2, 1.35 * len(images) + .3)
    panels = figure.subplots(len(images), 3, squeeze=False)
    for row, pictures in enumerate(zip(cut, recovered, images)):
        for axes, title, picture in zip(panels[row], ('removed', 'recovered', 'intact'), pictures):
            axes.imshow(picture)
            axes.set(xticks=[], yticks=[], title=title if row == 0 else '')
            dress(axes)
            for spine in axes.spines.values():
                spine.set_visible(False)
        panels[row, 0].set_ylabel(names[row], fontsize=8)
    return figure
