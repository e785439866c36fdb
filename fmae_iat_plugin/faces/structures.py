# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the rooms of cropping hand to each other: options, frames, rows, errors."""

from pathlib import Path
from typing import List, NamedTuple, Optional

import numpy as np

from fmae_iat_plugin.skipped import Skip

FACES = ('largest', 'central', 'all')
IMAGE_FORMATS = ('jpg', 'png')

#: values of the column `face`
DETECTED, TRACKED, NONE = 'detected', 'tracked', 'none'

#: reasons, the fixed phrases of the list of skipped frames
NO_FACE = 'no face found'
BAD_IMAGE = 'unreadable image'
BAD_VIDEO = 'unreadable video'
SHORT_VIDEO = 'video with fewer frames than declared'
MORE_PAGES = 'image of which only the first page was taken'
DAMAGED_VIDEO = 'video with damaged frames'


class CropError(ValueError):
    """Faces cannot be cropped; the message names the value and the remedy."""


class CropOptions(NamedTuple):
    """Choices that shape the crops; the defaults are the published crop.

    Attributes:
        faces (str): ``'largest'``, ``'central'`` (nearest to the middle of the image) or ``'all'``.
        margin (float | None): Enlarges the box by this part of its size on each side. None: 0.05,
            or 0.25 with ``align``.
        square (bool): Square around the box's centre with its longer side.
        size (int): Side of the crop in pixels; the crop is resized to it in both directions.
        align (int | None): Turn and scale by 5 or 68 landmarks, so that eyes are level.
        halve (bool): Halve both sides of the frame first.
        track (int): Longest gap, in frames, that is bridged between two detections; 0 = none.
        image_format (str): ``'jpg'`` (quality 95) or ``'png'``.
    """

    faces: str = 'largest'
    margin: Optional[float] = None
    square: bool = False
    size: int = 224
    align: Optional[int] = None
    halve: bool = False
    track: int = 0
    image_format: str = 'jpg'

    def check(self) -> None:
        """Raises:
            CropError: If a value is out of range.
        """
        allowed = dict(faces=FACES, image_format=IMAGE_FORMATS, align=(None, 5, 68))
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise CropError(f'{name} is {getattr(self, name)!r}. Remedy: one of '
                                f'{", ".join(map(str, values))}.')
        if self.margin is not None and not -0.5 < self.margin <= 10:
            raise CropError(f'margin is {self.margin}. Remedy: give a part of the box\'s size, '
                            'above -0.5, for example 0.05.')
        if not 8 <= self.size <= 4096:
            raise CropError(f'size is {self.size}. Remedy: give 8 to 4096 pixels.')
        if self.track < 0:
            raise CropError(f'track is {self.track}. Remedy: give a number of frames, 0 for no '
                            'tracking.')
        if self.align and self.square:
            raise CropError('square and align were both given: an aligned crop is always square. '
                            'Remedy: leave square out.')


class FrameFile(NamedTuple):
    """An image file that is one frame.

    Attributes:
        source (str): Its name in the table.
        path (Path): The file.
        number (int): Place in its sequence; ascending.
        stem (str): Path of its crop below the folder of crops, without the suffix.
    """

    source: str
    path: Path
    number: int
    stem: str


class Unit(NamedTuple):
    """What one process works on at a time: a sequence, a video, or a few unrelated images.

    Attributes:
        name (str): Unique in the run.
        frames (list[FrameFile]): Its images; empty for a video.
        video (Path, optional): The video.
        related (bool): Whether the frames follow each other, so that faces can be tracked.
    """

    name: str
    frames: List[FrameFile]
    video: Optional[Path] = None
    related: bool = False


class Frame(NamedTuple):
    """A frame in memory.

    Attributes:
        source (str), number (int), stem (str): As above.
        timestamp (float, optional): Seconds from the container; None for images.
        image (np.ndarray, optional): uint8 BGR ``[H, W, 3]``; None = unreadable.
        problem (Skip, optional): Why it is unreadable.
    """

    source: str
    number: int
    stem: str
    timestamp: Optional[float]
    image: Optional[np.ndarray]
    problem: Optional[Skip] = None
