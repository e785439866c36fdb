# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which faces of a frame are wanted, and how they go on through a sequence.

Faces are followed by SORT (Bewley et al., "Simple Online and Realtime Tracking", 2016), of the
library `trackers`. A face that is missed for a few frames between two detections gets boxes
interpolated between them. Nothing is extrapolated, nothing is bridged beyond the bound, and only to
a box that overlaps the one its motion predicts: a face that went away and came back, or another
face, is not bridged.
"""

from collections import deque
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from weakref import WeakKeyDictionary

import numpy as np

from fmae_iat_plugin.extras import needs_extra

from .detections import Detections
from .structures import DETECTED, TRACKED, CropError

SAME_FACE = 0.3  #: lowest intersection over union of a face's box and the predicted one

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
    """The wanted faces of a frame, largest first; boxes outside the image are not faces.

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


class Tracker:
    """Numbers the faces of a sequence and bridges missed frames.

    Frames go in one after the other and come out in the same order, as soon as no later frame can
    change them; at most ``max_gap`` are held back.

    Args:
        max_gap (int, optional): Longest gap that is bridged, in frame numbers; 0 = none. None: the
            frames have nothing to do with each other, the faces of each are numbered from 1.

    Raises:
        CropError: If the library is not installed.
    """

    def __init__(self, max_gap: Optional[int] = None):
        self.max_gap = max_gap or 0
        self._waiting: deque = deque()  # (number, item, faces)
        self._last: Dict[int, Tuple[int, Box]] = {}  # track -> number and box of its last detection
        self._sort: Any = None
        self._boxes: Any = None
        if max_gap is not None:
            self._sort, self._boxes = _sort(max_gap)
        self._number = 0  # of the last frame
        self._tracks, self._count = WeakKeyDictionary(), 0  # SORT's track -> its number

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
        tracks = self._match(number, [box for box, _ in faces])
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

    def _match(self, number: int, boxes: List[Box]) -> List[int]:
        """Track of each box."""
        if self._sort is None:
            return list(range(1, len(boxes) + 1))
        for _ in range(min(number - self._number - 1, self.max_gap + 1)):  # numbers in between
            self._sort.update(self._boxes.empty())
        self._number, before = number, set(self._sort.tracks)
        found = self._sort.update(self._boxes(np.array(boxes, dtype=np.float64).reshape(-1, 4)))
        followed = {track.tracker_id: track for track in self._sort.tracks}
        new = (track for track in self._sort.tracks if track not in before)  # as the boxes are
        tracks = [followed[own] if own >= 0 else next(new) for own in found.tracker_id]
        for track in tracks:
            if track not in self._tracks:
                self._count += 1
                self._tracks[track] = self._count
        return [self._tracks[track] for track in tracks]

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


def _sort(max_gap: int):
    """SORT, for which every detection is a face, and the class of boxes that it takes."""
    with needs_extra('face', 'tracking', error=CropError):
        from supervision import Detections as Boxes
        from trackers import SORTTracker
    return SORTTracker(lost_track_buffer=max_gap, minimum_consecutive_frames=1,
                       minimum_iou_threshold=SAME_FACE), Boxes
