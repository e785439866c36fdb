# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Grad-CAM of an action unit: the parts of a face that raise its score.

Library and layer are those of MMPretrain's ``tools/visualization/vis_cam.py``: the LayerNorm before
the last attention, without extra tokens. That tool takes whole images and any category, and opens
checkpoints unguarded. Here, faces are found and cropped as in prediction.

Source: Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2.
"""

from typing import Sequence

import cv2
import numpy as np
import torch

from fmae_iat_plugin.action_units import ACTION_UNITS, au_name
from fmae_iat_plugin.extras import needs_extra

from .annotate import FAINT, INK, face_colour, put_tag, put_text

CELL = 224  #: side of a face in the picture
LINE = 18


def grad_cam(model: torch.nn.Module, inputs: torch.Tensor, output: int) -> np.ndarray:
    """Heat maps of one output.

    Args:
        model: Classifier whose backbone is MMPretrain's VisionTransformer, in ``eval`` mode.
        inputs: ``[N, 3, H, W]``, normalised.
        output: Index of the action unit in the model's outputs.

    Returns:
        np.ndarray: float32 ``[N, H, W]`` in [0, 1], each stretched to its own maximum; all 0 if
        nothing raises the score.

    Raises:
        ImportError: If pytorch-grad-cam is not installed.
        ValueError: If the backbone has no transformer layers.
    """
    with needs_extra('interpret', 'heat maps'):
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    backbone = model.backbone
    if not hasattr(backbone, 'layers') or not hasattr(backbone, 'num_extra_tokens'):
        raise ValueError(f'the backbone is a {type(backbone).__name__}. Remedy: use a model with a '
                         'VisionTransformer.')
    extra, (height, width) = backbone.num_extra_tokens, backbone.patch_embed.init_out_size

    def to_map(tokens: torch.Tensor) -> torch.Tensor:
        """[N, L, D] -> [N, D, h, w]"""
        return tokens[:, extra:].unflatten(1, (height, width)).permute(0, 3, 1, 2)

    with GradCAM(model, [backbone.layers[-1].ln1], reshape_transform=to_map) as cam, \
            torch.enable_grad():
        return cam(inputs, [ClassifierOutputTarget(output)] * len(inputs))


def overlay(face: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A face under its heat map.

    Args:
        face: uint8 BGR ``[h, w, 3]``.
        heat: ``[h', w']`` in [0, 1].

    Returns:
        np.ndarray: uint8 BGR of :data:`CELL` pixels, with the inferno map over grey, whose colours
        are ordered by lightness.
    """
    size = (CELL, CELL)
    grey = cv2.cvtColor(cv2.resize(face, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_BGR2GRAY)
    heat = np.clip(cv2.resize(heat.astype(np.float32), size), 0, 1)
    colours = cv2.applyColorMap(np.rint(255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)
    part = .25 + .5 * heat[..., None]
    return np.rint(grey[..., None] * (1 - part) + colours * part).astype(np.uint8)


def cam_picture(crops: Sequence[np.ndarray], heats: np.ndarray, rows: Sequence,
                aus: Sequence[int], places: Sequence[int]) -> np.ndarray:
    """One line per face: its crop, then a heat map for each action unit.

    Args:
        crops: uint8 BGR, N faces.
        heats: ``[K, N, H, W]``.
        rows: N :class:`~fmae_iat_plugin.inference.predictions.FacePrediction` s.
        aus: K numbers of action units.
        places: Indices of these action units in the rows' probabilities.
    """
    gap, high = 6, CELL + LINE * 2 + 6
    picture = np.full((len(crops) * high, (len(aus) + 1) * (CELL + gap), 3), 255, dtype=np.uint8)
    for line, (crop, row) in enumerate(zip(crops, rows)):
        top = line * high
        put_tag(picture, 0, top, f'face {row.face_id}', LINE, face_colour(row.face_id))
        cells = [cv2.resize(crop, (CELL, CELL), interpolation=cv2.INTER_CUBIC)]
        cells += [overlay(crop, heats[number, line]) for number in range(len(aus))]
        for column, cell in enumerate(cells):
            left = column * (CELL + gap)
            picture[top + 2 * LINE:top + 2 * LINE + CELL, left:left + CELL] = cell
            if column:
                au, place = aus[column - 1], places[column - 1]
                put_text(picture, left, top, f'{au_name(au)} {row.probabilities[place]:.2f}',
                         LINE, INK if row.present[place] else FAINT)
                put_text(picture[:, :left + CELL], left, top + LINE, ACTION_UNITS[au].name,
                         LINE, FAINT)
    return picture
