# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The bounds of an upload to the web page."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Bounds of an upload.

    Attributes:
        megabytes (int): Of a file.
        pixels (int): Of an image or frame.
        seconds (float): Of a video.
        frames (int): Of a video.
    """

    megabytes: int = 100
    pixels: int = 50_000_000
    seconds: float = 60.
    frames: int = 3600


class LimitError(ValueError):
    """An upload exceeds a limit; the message names the limit and the remedy."""
