# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the inferencer says about one face of one frame; what the writers write."""

from typing import NamedTuple, Optional, Tuple

Box = Tuple[float, float, float, float]


class FacePrediction(NamedTuple):
    """One face of one frame, or a frame without a face (``success`` is False).

    Attributes:
        input (str): The image or video.
        frame (int): Number of the frame, from 1; 1 for an image.
        timestamp (float, optional): Seconds, from the video's container; None for an image.
        face_id (int): The same through a video, from 0; 0 where there is no face.
        success (bool): Whether there is a face.
        confidence (float, optional): The detector's score, on the detector's scale. None: no face,
            or the whole image was taken as the face.
        box (tuple, optional): x1, y1, x2, y2 of the detector's box, pixels of the frame.
        width, height (int): Of the frame, pixels.
        probabilities (tuple, optional): One number in [0, 1] for each action unit of the model.
        present (tuple, optional): Whether each probability reaches its threshold.
        intensities (tuple, optional): One number in [0, 5] for each of the model's
            ``intensity_aus``; None: no face, or a model without intensities.
    """

    input: str
    frame: int
    timestamp: Optional[float]
    face_id: int
    success: bool
    confidence: Optional[float]
    box: Optional[Box]
    width: int
    height: int
    probabilities: Optional[Tuple[float, ...]] = None
    present: Optional[Tuple[bool, ...]] = None
    intensities: Optional[Tuple[float, ...]] = None
