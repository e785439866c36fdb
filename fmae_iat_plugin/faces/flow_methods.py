# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Dense optical flow between two images: OpenCV's DIS, or torchvision's RAFT.

DIS (Kroeger et al., 2016) needs no weights and some 10 ms for a face; RAFT (Teed and Deng, 2020) is
closer to the truth and needs weights that torchvision downloads.
"""

from functools import lru_cache
from typing import Optional

import cv2
import numpy as np

METHODS = ('dis', 'raft', 'rendered')
_RAFT_LEAST = 128  # pixels: RAFT correlates four scales of an eighth of the image


def dis_flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Flow by DIS.

    Args:
        before, after: uint8 BGR ``[H, W, 3]``.

    Returns:
        np.ndarray: float32 ``[H, W, 2]``, x and y in pixels: where each pixel of ``before`` is in
        ``after``.
    """
    method = cv2.DISOpticalFlow_create(  # type: ignore[attr-defined]  # not in the stubs
        cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # DIS begins at a coarse scale of patches of 8 pixels: small faces are enlarged for it
    scale = max(1, -(-160 // min(before.shape[:2])))
    grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (before, after)]
    if scale > 1:
        grey = [cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
                for image in grey]
    flow = method.calc(*grey, None)
    if scale > 1:
        flow = cv2.resize(flow, before.shape[1::-1], interpolation=cv2.INTER_AREA) / scale
    return flow


@lru_cache(maxsize=1)
def raft_model(weights: Optional[str] = 'DEFAULT'):
    """torchvision's ``raft_small`` in evaluation.

    Args:
        weights: Name of torchvision's weights, a file of a state dict, or None: random, for tests.
    """
    import torch
    from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

    from fmae_iat_plugin.weights.checkpoint import read_state_dict
    if weights in (None, 'DEFAULT'):
        model = raft_small(weights=None if weights is None else Raft_Small_Weights.DEFAULT)
    else:
        model = raft_small(weights=None)
        model.load_state_dict(read_state_dict(weights))
    return model.eval().requires_grad_(False).to(
        'cuda' if torch.cuda.is_available() else 'cpu')


def raft_flow(before: np.ndarray, after: np.ndarray, weights: Optional[str] = 'DEFAULT'
              ) -> np.ndarray:
    """Flow by RAFT; arguments and result as :func:`dis_flow`'s."""
    import torch
    height, width = before.shape[:2]
    scale = max(1., _RAFT_LEAST / min(height, width))
    size = [int(np.ceil(scale * side / 8)) * 8 for side in (width, height)]
    model = raft_model(weights)
    device = next(model.parameters()).device
    pair = []
    for image in (before, after):
        rgb = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)[..., ::-1].copy()
        pair.append(torch.from_numpy(rgb).permute(2, 0, 1)[None].to(device).float() / 127.5 - 1)
    with torch.no_grad():
        flow = model(*pair)[-1][0].permute(1, 2, 0).cpu().numpy()
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    return flow * np.float32([width / size[0], height / size[1]])
