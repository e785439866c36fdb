# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which faces of a frame are wanted, and how they go on through a sequence.

A face that is missed for a few frames between two detections gets boxes interpolated between them.
Nothing is extrapolated, nothing is bridged beyond the bound, and only between boxes that overlap:
a face that went away and came back, or another face, is not bridged.
"""

from collections import deque
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from .detector import Detections
from .records import DETECTED, TRACKED

SAME_FACE = 0.3  #: lowest intersection over union of two boxes of one face

Box = Tuple[float, float, float, float]


class Face(NamedTuple):
    """A face in a frame.

    Attributes:
        box (tuple): x1, y1, x2, y2 in pixels.
        score (float, optional): None = not detected, interpolated.
        state (str): ``'detected'`` or ``'tracked'``.
        track (int): Number of the face within the sequence, from 1 in the order of appearance.
    """

    box: Box
    score: Optional[float]
    state: str
    track: int


def select_faces(found: Detections, width: int, height: int, which: str) -> List[Tuple[Box, float]]:
    """The wanted faces of a frame, largest first; boxes outside the image are no faces.

    Args:
        found: What the detector says.
        width, height: Of the image.
        which: ``'largest'``, ``'central'`` (centre of the box nearest to the image's) or ``'all'``.

    Returns:
        list: (box, score) pairs.
    """
    faces = []
    for box, score in zip(np.asarray(found.boxes, dtype=np.float64).tolist(), found.scores):
        x1, y1, x2, y2 = box
        seen = (min(x2, width) - max(x1, 0)), (min(y2, height) - max(y1, 0))
        if min(seen) >= 1:
            faces.append((tuple(box), float(score)))
    faces.sort(key=lambda face: -(face[0][2] - face[0][0]) * (face[0][3] - face[0][1]))
    if which == 'central':
        faces.sort(key=lambda face: np.hypot(face[0][0] + face[0][2] - width,
                                             face[0][1] + face[0][3] - height))
    return faces if which == 'all' else faces[:1]


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


class Tracker:
    """Numbers the faces of a sequence and bridges missed frames.

    Frames go in one after the other and come out in the same order, as soon as no later frame can
    change them; at most ``max_gap`` are held back.

    Args:
        max_gap (int): Longest gap that is bridged, in frame numbers; 0 = none.
    """

    def __init__(self, max_gap: int = 0):
        self.max_gap = max_gap
        self._waiting: deque = deque()  # (number, item, faces)
        self._last: Dict[int, Tuple[int, Box]] = {}  # track -> number and box of its last detection
        self._tracks = 0

    def push(self, number: int, item: Any, faces: List[Tuple[Box, float]]) -> List[tuple]:
        """Add a frame.

        Args:
            number: Frame number, above the one before.
            item: Comes out with the faces.
            faces: (box, score) of each wanted face.

        Returns:
            list: (item, list of :class:`Face`) of the frames that are final now.
        """
        self._last = {track: seen for track, seen in self._last.items()
                      if number - seen[0] - 1 <= self.max_gap}
        tracks = self._match([box for box, _ in faces])
        for track, (box, _) in zip(tracks, faces):
            if track in self._last:
                self._bridge(track, *self._last[track], number, box)
            self._last[track] = number, box
        self._waiting.append((number, item, [Face(box, score, DETECTED, track) for track, (
            box, score) in zip(tracks, faces)]))
        return self._release(number - self.max_gap)

    def finish(self) -> List[tuple]:
        """The frames that were held back; the sequence is over."""
        return self._release(None)

    def _match(self, boxes: List[Box]) -> List[int]:
        """Track of each box: the best overlaps first, then new numbers."""
        pairs = sorted(((overlap(box, seen[1]), -track, place) for place, box in enumerate(boxes)
                        for track, seen in self._last.items()), reverse=True)
        tracks: Dict[int, int] = {}
        for value, track, place in pairs:
            if value >= SAME_FACE and place not in tracks and -track not in tracks.values():
                tracks[place] = -track
        for place in range(len(boxes)):
            if place not in tracks:
                self._tracks += 1
                tracks[place] = self._tracks
        return [tracks[place] for place in range(len(boxes))]

    def _bridge(self, track: int, first: int, a: Box, last: int, b: Box) -> None:
        for number, _, faces in self._waiting:
            if first < number < last:
                part = (number - first) / (last - first)
                box = tuple((1 - part) * p + part * q for p, q in zip(a, b))
                faces.append(Face(box, None, TRACKED, track))

    def _release(self, until: Optional[int]) -> List[tuple]:
        final = []
        while self._waiting and (until is None or self._waiting[0][0] <= until):
            _, item, faces = self._waiting.popleft()
            final.append((item, sorted(faces, key=lambda face: face.track)))
        return final
