# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""dlib's frontal face detector (HOG and a linear classifier): needs no weights and no GPU."""

import threading
from typing import List, Sequence

import cv2
import numpy as np

from fmae_iat_plugin.extras import needs_extra

from .detections import Detections
from .structures import CropError

SMALL = 160  # pixels; an image with a shorter side is enlarged, for dlib's faces are 80 wide
LARGE = 4096  # pixels; an image with a longer side is shrunk: time and memory grow with the area


def import_dlib():
    """The module dlib.

    Raises:
        CropError: If it is not installed.
    """
    with needs_extra('face', "detector 'dlib'", 'an mmdet detector', CropError):
        import dlib
    return dlib


class _OwnDetector(threading.local):
    """One of each thread: dlib's writes to itself while it works. It does not hold the GIL."""

    def __init__(self):
        self.run = import_dlib().get_frontal_face_detector().run


class DlibDetector:
    """Frontal faces of 80 pixels and more; 40 with one doubling, 20 with two.

    Images whose shorter side is below 160 pixels are doubled until it is not, or the detector
    would find nothing in a small face crop.

    Args:
        threshold (float): Lowest score; negative values find more. Defaults to 0.
        upsample (int): How often every image is doubled first; each makes it four times as slow.
    """

    batch_size = 1
    thread_safe = True

    def __init__(self, threshold: float = 0., upsample: int = 0):
        self.threshold, self.upsample = float(threshold), int(upsample)
        self._detector = _OwnDetector()

    def __call__(self, images: Sequence[np.ndarray]) -> List[Detections]:
        """See :class:`~fmae_iat_plugin.faces.detector.Detector`."""
        return [self._detect(image) for image in images]

    def _detect(self, image: np.ndarray) -> Detections:
        scale = max(1., max(image.shape[:2]) / LARGE)
        if scale > 1:
            image = cv2.resize(image, None, fx=1 / scale, fy=1 / scale,
                               interpolation=cv2.INTER_AREA)
        doublings, shorter = self.upsample, min(image.shape[:2])
        while shorter * 2**doublings < SMALL and doublings < 4:
            doublings += 1
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        found, scores, _ = self._detector.run(rgb, doublings, self.threshold)
        boxes = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in found]  # inclusive
        return Detections(scale * np.array(boxes, dtype=np.float32).reshape(-1, 4),
                          np.array(scores, dtype=np.float32))
