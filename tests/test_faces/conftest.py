# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Faces for the tests: green rectangles, a detector of green, and what dlib can find."""

from typing import NamedTuple

import cv2
import numpy as np
import pytest

from fmae_iat_plugin.faces import Detections

GREEN = (0, 255, 0)


class GreenDetector:
    """Every green rectangle is a face; its score is its area in thousands of pixels."""

    batch_size = 3

    def __call__(self, images):
        return [self.detect(image) for image in images]

    @staticmethod
    def detect(image):
        green = (image[..., 1] > 200) & (image[..., 0] < 80) & (image[..., 2] < 80)
        _, _, stats, _ = cv2.connectedComponentsWithStats(green.astype(np.uint8))
        faces = [row for row in stats[1:] if row[4] >= 16]
        boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in faces]
        return Detections(np.array(boxes, np.float32).reshape(-1, 4),
                          np.array([row[4] / 1000 for row in faces], np.float32))


class GreenSpec(NamedTuple):
    """Stands in the place of a DetectorSpec."""

    name: str = 'green'

    def build(self):
        return GreenDetector()

    def record(self):
        return self._asdict()


@pytest.fixture
def green():
    return GreenSpec()


@pytest.fixture(scope='session')
def paint():
    """Factory: an image of noise below 80 with green rectangles (x1, y1, x2, y2)."""

    def make(*boxes, width=96, height=64, seed=0):
        generator = np.random.default_rng(seed)
        image = generator.integers(0, 60, (height, width, 3), dtype=np.uint8)
        for x1, y1, x2, y2 in boxes:
            image[y1:y2, x1:x2] = GREEN
        return image

    return make


@pytest.fixture(scope='session')
def portrait():
    """A rendered head and shoulders that dlib finds, BGR, and its 68 landmarks."""
    from fmae_iat_plugin.synthfacs.renderer import render
    image, landmarks = render(3, {12: 3.}, size=256, framing='portrait')
    return np.ascontiguousarray(image[..., ::-1]), landmarks
