# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""True dense optical flow between two renders of one identity, with occlusions."""
from typing import NamedTuple

import cv2
import numpy as np

from . import muscles
from .plates import plates_of
from .render import check_size, compose
from .scene import Light, as_pose
from .warp import Warp

_SAME = 0.03    # two pixels show one skin point if they agree to this (pupil distances)


class Flow(NamedTuple):
    """Displacement of each pixel of the first render to the second.

    Attributes:
        flow (np.ndarray): float32 [size, size, 2], displacement in x and y in pixels.
        visible (np.ndarray): bool [size, size]; False if the point is hidden in the second render,
            outside it, inside an open mouth, or on the rim of two surfaces.
    """

    flow: np.ndarray
    visible: np.ndarray


def _geometry(plates, drives, pose, size):
    warp = Warp(plates.anatomy, drives, pose, size)
    _, skin, body, eyes, mouth = compose(plates, warp, drives, pose, Light())
    # 0 background, 1 skin and hair, 2 eyeball, 3 mouth, -1 a rim that mixes two of them
    label = np.full((size, size), -1, np.int8)
    outer = cv2.remap(plates.alpha, cv2.transform(skin, plates.raster.indexing), None,
                      cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    label[outer < 0.02] = 0
    label[body > 0.98] = 1
    label[eyes > 0.98] = 2
    label[mouth > 0.02] = 3
    label[label == 3] = np.where(mouth[label == 3] > 0.98, 3, -1)
    skull = warp.skull((slice(0, size), slice(0, size)))
    points = np.where((label == 2)[..., None], skull, skin)
    return warp, label, points


def flow(identity, aus_a, pose_a, aus_b, pose_b, size=224, framing='crop'):
    """Dense optical flow from one expression and pose to another.

    Sampling the second render at ``pixel + flow`` gives the first one where ``visible`` is True
    (see :func:`warp_back`).

    Args:
        identity (int | Identity): Person of the face.
        aus_a, aus_b (Mapping | None): AU number -> intensity in [0, 5].
        pose_a, pose_b (Pose | tuple | None): Head poses.
        size (int): Side of the images in pixels, at least 16.
        framing (str): 'crop' or 'portrait'.

    Returns:
        Flow: Displacement and visibility at the pixels of the first render.

    Raises:
        TypeError, ValueError: See :func:`render`.
    """
    size = check_size(size)
    plates = plates_of(identity, framing, size)
    sides = [(muscles.drives(aus, plates.curves.id), as_pose(pose)) for aus, pose in
             ((aus_a, pose_a), (aus_b, pose_b))]
    (_, label_a, points_a), (warp_b, label_b, points_b) = (
        _geometry(plates, drives, pose, size) for drives, pose in sides)
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1).astype(np.float32)
    target = pixels.copy()
    for kind, moving in ((1, True), (2, False)):
        here = label_a == kind
        if here.any():
            target[here] = warp_b.forward(points_a[here][None], moving=moving)[0]
    # Visible: the second render shows the same surface and the same point of it there.
    there = cv2.remap(points_b, target, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    same = np.abs(there - points_a).max(-1) < _SAME
    at = np.rint(target).astype(int)
    inside = ((at >= 0) & (at < size)).all(-1)
    at = np.clip(at, 0, size - 1)
    other = label_b[at[..., 1], at[..., 0]]
    still = (label_a == 0) & (other == 0)
    moved = ((label_a == 1) | (label_a == 2)) & (other == label_a) & same
    return Flow(target - pixels, inside & (still | moved))


def warp_back(image, displacement):
    """Reconstruct the first picture from the second by the flow between them.

    Args:
        image (np.ndarray): The second picture, [H, W] or [H, W, C].
        displacement (np.ndarray): ``Flow.flow``, [H, W, 2].

    Returns:
        np.ndarray: Like ``image``.
    """
    h, w = displacement.shape[:2]
    pixels = np.stack(np.meshgrid(np.arange(w), np.arange(h)), -1).astype(np.float32)
    return cv2.remap(image, pixels + displacement, None, cv2.INTER_CUBIC,
                     borderMode=cv2.BORDER_REPLICATE)
