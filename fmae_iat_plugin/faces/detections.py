# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The one interface of every face detector."""

from typing import List, NamedTuple, Protocol, Sequence

import numpy as np


class Detections(NamedTuple):
    """The n faces of one image.

    Attributes:
        boxes (np.ndarray): ``[n, 4]`` float32, x1, y1, x2, y2 in pixels of the image; (0, 0) is the
            outer corner of the first pixel. A box may reach out of the image.
        scores (np.ndarray): ``[n]`` float32, higher is surer; the scale is the detector's.
    """

    boxes: np.ndarray
    scores: np.ndarray


class Detector(Protocol):
    """Finds faces: images (uint8 BGR ``[H, W, 3]``, any sizes) -> one Detections each."""

    batch_size: int  #: how many images it likes at a time
    thread_safe: bool  #: whether several threads may call it at once; without this, one does

    def __call__(self, images: Sequence[np.ndarray]) -> List[Detections]:
        ...
