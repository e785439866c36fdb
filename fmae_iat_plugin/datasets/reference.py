# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Published sizes and label prevalence, with which every conversion is compared.

The prevalence was counted in the label lists that public projects share (146,423 frames of BP4D,
130,311 of DISFA); a full release differs slightly.
"""

from typing import NamedTuple, Optional, Tuple


class Published(NamedTuple):
    """Subjects, labelled frames of the full release, and percent positive of the protocol's AUs."""

    subjects: int
    frames: int
    prevalence: Optional[Tuple[float, ...]]


PUBLISHED = {
    'bp4d': Published(41, 146847,
                      (21.1, 17.0, 20.3, 46.1, 54.9, 59.4, 56.2, 46.6, 16.9, 34.4, 16.5, 15.1)),
    'bp4dplus': Published(140, 197756, None),
    'disfa': Published(27, 130814, (5.0, 4.0, 15.0, 7.9, 4.2, 12.9, 27.8, 8.9)),
}

#: number of images of each split
EXPRESSION_IMAGES = {'rafdb': {'train': 12271, 'test': 3068}}
