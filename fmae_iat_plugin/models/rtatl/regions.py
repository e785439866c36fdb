# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Where an action unit shows: two square regions of the face for each, from 68 landmarks.

The table of centres is the one that regional AU methods share (JAA-Net, ECCV 2018, and its
followers). RTATL's own table is not public, so this one is our choice, as are the rows marked as
ours, which let a table with other action units train.
"""

from typing import Dict, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

SHARE = 0.14  # side of a region as a part of the crop, on the mean shape: JAA-Net's nominal size


class Rule(NamedTuple):
    """The two centres of an action unit.

    Attributes:
        left, right (int): Landmarks of the centre on the image's left and right, iBUG order from 0.
        shift (float): Added to y, in inner-eye distances; negative is up.
    """

    left: int
    right: int
    shift: float = 0.


RULES: Dict[int, Rule] = {
    1: Rule(21, 22, -1 / 2),
    2: Rule(18, 25, -1 / 3),
    4: Rule(19, 24, 1 / 3),
    6: Rule(41, 46, 1.),
    7: Rule(38, 43),
    9: Rule(32, 34, -1 / 2),
    10: Rule(61, 63),
    12: Rule(48, 54),
    14: Rule(48, 54),
    15: Rule(48, 54),
    17: Rule(56, 58, 1 / 2),
    23: Rule(51, 57),
    24: Rule(51, 57),
    25: Rule(51, 57),
    26: Rule(56, 58, 1 / 2),
    # ours: lids, nose, lips and jaw
    5: Rule(38, 43),
    11: Rule(32, 34),
    13: Rule(48, 54),
    16: Rule(56, 58, 1 / 3),
    18: Rule(51, 57),
    20: Rule(48, 54),
    22: Rule(51, 57),
    27: Rule(56, 58, 1 / 2),
    28: Rule(51, 57),
    43: Rule(38, 43),
    45: Rule(38, 43),
}


def rules_of(aus: Sequence[int]) -> Tuple[Rule, ...]:
    """The rule of each action unit.

    Raises:
        ValueError: If one has no region; the message lists those that have.
    """
    unknown = [au for au in aus if au not in RULES]
    if unknown:
        raise ValueError(f'no region of the face is known for AU {", ".join(map(str, unknown))}. '
                         f'Remedy: choose `aus` among {", ".join(map(str, sorted(RULES)))}, or '
                         'train AUClassifier, which needs no regions.')
    return tuple(RULES[au] for au in aus)


def inner_eye_distance(landmarks: Tensor) -> Tensor:
    """``|x39 - x42|``, the unit of the rules; ``[..., 68, 2]`` to ``[...]``."""
    return (landmarks[..., 39, 0] - landmarks[..., 42, 0]).abs()


def centres(landmarks: Tensor, aus: Sequence[int]) -> Tensor:
    """Centres of the regions.

    Args:
        landmarks: ``[N, 68, 2]``, x and y, in any unit that is the same for both.
        aus: A action units.

    Returns:
        Tensor: ``[N, A, 2, 2]``: left and right centre of each action unit, x and y.
    """
    rules = rules_of(aus)
    points = torch.stack([landmarks[:, [rule.left for rule in rules]],
                          landmarks[:, [rule.right for rule in rules]]], dim=2)
    shift = points.new_tensor([rule.shift for rule in rules])
    down = inner_eye_distance(landmarks)[:, None] * shift  # [N, A]
    return torch.stack([points[..., 0], points[..., 1] + down[..., None]], dim=-1)


def boxes(landmarks: Tensor, aus: Sequence[int], nominal: Tensor, share: float = SHARE) -> Tensor:
    """Square regions around the centres.

    Their side is ``share`` of the image for a face whose inner-eye distance is that of the mean
    shape, and grows and shrinks with that distance.

    Args:
        landmarks: ``[N, 68, 2]``, fractions of a square image.
        aus: A action units.
        nominal: Inner-eye distance of the mean shape, a fraction of the image.
        share: Side of a region on the mean shape, a fraction of the image.

    Returns:
        Tensor: ``[N, A, 2, 4]``: x1, y1, x2, y2 in fractions of the image; they may leave it.
    """
    middle = centres(landmarks, aus)
    half = share / 2 * inner_eye_distance(landmarks) / nominal
    half = half.clamp(min=share / 8)[:, None, None, None]  # a profile must not lose its regions
    return torch.cat([middle - half, middle + half], dim=-1)


def cover(regions: Tensor, height: int, width: int) -> Tensor:
    """Which pixels lie in a region: those whose centre does.

    Args:
        regions: ``[..., 4]`` boxes in fractions of the image.
        height, width: Of the image in pixels.

    Returns:
        Tensor: Bool ``[..., height, width]``.
    """
    x1, y1, x2, y2 = regions[..., None].unbind(-2)
    across = (torch.arange(width, device=regions.device) + 0.5) / width
    down = (torch.arange(height, device=regions.device) + 0.5) / height
    columns = (across >= x1) & (across < x2)
    rows = (down >= y1) & (down < y2)
    return rows[..., :, None] & columns[..., None, :]
