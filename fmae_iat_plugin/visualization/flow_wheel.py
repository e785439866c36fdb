# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Optical flow as colours: the hue is the direction, the strength of the colour the speed."""

from typing import Optional, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure

from .style import dress, new_figure

UNKNOWN = 128  #: grey of pixels whose flow is unknown


def flow_to_rgb(flow: np.ndarray, largest: float) -> np.ndarray:
    """Colours of a flow.

    White is no motion. To the right is red (hue 0); the hue goes on clockwise, as the image's y
    points down: down 90, left 180, up 270 degrees.

    Args:
        flow: ``[H, W, 2]``, x and y; NaN unknown (grey).
        largest: Length with the full colour; longer ones look the same.

    Returns:
        np.ndarray: uint8 RGB ``[H, W, 3]``.

    Raises:
        ValueError: If ``largest`` is not positive.
    """
    if not largest > 0:
        raise ValueError(f'largest is {largest}. Remedy: a length above 0.')
    known = ~np.isnan(flow).any(axis=-1)
    flow = np.where(known[..., None], flow, 0).astype(np.float32)
    length, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=True)
    hsv = np.dstack([angle, np.minimum(length / np.float32(largest), 1), np.ones_like(angle)])
    rgb = np.rint(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).astype(np.uint8)
    rgb[~known] = UNKNOWN
    return rgb


def wheel(size: int = 101) -> np.ndarray:
    """The legend: each pixel of a disc has the colour of the flow from the centre to it.

    Returns:
        np.ndarray: uint8 RGB ``[size, size, 3]``, white outside the disc.
    """
    half = (size - 1) / 2
    ys, xs = np.mgrid[:size, :size]
    flow = np.dstack([xs - half, ys - half])
    colours = flow_to_rgb(flow, half)
    colours[np.hypot(flow[..., 0], flow[..., 1]) > half] = 255
    return colours


def plot_flow(images: Sequence[np.ndarray], predicted: Sequence[np.ndarray],
              targets: Sequence[Optional[np.ndarray]]) -> Figure:
    """A row for each face: image, predicted flow, target flow; one scale for all, and the wheel.

    Args:
        images: N faces, uint8 RGB.
        predicted: N flows ``[h, w, 2]``, in percent of the image's side.
        targets: N such flows, NaN unknown, or None.

    Raises:
        ValueError: If there is no face, or the numbers differ.
    """
    if not images or not len(images) == len(predicted) == len(targets):
        raise ValueError(f'{len(images)} faces, {len(predicted)} predicted and {len(targets)} '
                         'target flows: one of each face is needed.')
    lengths = [np.linalg.norm(flow, axis=-1) for flow in (*predicted, *targets) if flow is not None]
    largest = max(float(np.nanpercentile(np.concatenate([part.ravel() for part in lengths]), 99)),
                  1e-3)
    rows = len(images)
    figure = new_figure(4.2, 1.35 * rows + .5)
    panels = figure.subplots(rows, 3, squeeze=False)
    for row, (image, flow, target) in enumerate(zip(images, predicted, targets)):
        shown = (image, flow_to_rgb(flow, largest),
                 None if target is None else flow_to_rgb(target, largest))
        for axes, title, picture in zip(panels[row], ('face', 'predicted flow', 'target flow'),
                                        shown):
            if picture is not None:
                axes.imshow(picture, extent=(0, 1, 1, 0), interpolation='nearest')
            axes.set(xticks=[], yticks=[], title=title if row == 0 else '')
            dress(axes)
            for spine in axes.spines.values():
                spine.set_visible(False)
    legend = panels[0, 2].inset_axes((.72, .72, .28, .28))
    legend.imshow(wheel())
    legend.set_axis_off()
    figure.supxlabel(f'full colour: {largest:.2g} % of the side or more; white: no motion',
                     fontsize=9)
    return figure
