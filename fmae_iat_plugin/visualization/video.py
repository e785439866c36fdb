# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A video file whose frames keep the times that they are given, evenly spaced or not."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Union

import numpy as np

from fmae_iat_plugin.videos import import_av

CODECS = ('libx264', 'libopenh264', 'mpeg4')  #: the first one that PyAV was built with is used
TICK = Fraction(1, 60000)  #: seconds; divides the frames of 24, 25, 30, 50, 60 per second


class VideoFile:
    """Writes an MP4 without sound.

    Args:
        path: Path of the file, with any suffix.
        width, height: Size of the frames, even.

    Raises:
        ValueError: If PyAV has no encoder.
    """

    def __init__(self, path: Union[str, Path], width: int, height: int):
        av = self._av = import_av()
        codec = next((name for name in CODECS if name in av.codecs_available), None)
        if codec is None:
            raise ValueError(f'PyAV {av.__version__} was built without {", ".join(CODECS)}. '
                             "Remedy: pip install --force-reinstall av.")
        self._container = av.open(os.path.abspath(path), 'w', format='mp4')
        self._stream = self._container.add_stream(codec, rate=25)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = 'yuv420p'
        self._stream.codec_context.time_base = TICK
        if codec == 'libx264':
            self._stream.options = dict(crf='20', preset='veryfast')
        else:
            self._stream.bit_rate = 5 * width * height
        self._last = -1

    def write(self, image: np.ndarray, time: float) -> None:
        """Add a frame.

        Args:
            image: uint8 BGR ``[H, W, 3]``.
            time: Time in seconds. If it is not after the previous frame, it is moved one tick after
                it.
        """
        frame = self._av.VideoFrame.from_ndarray(image, format='bgr24')
        self._last = max(round(Fraction(time) / TICK), self._last + 1)
        frame.pts, frame.time_base = self._last, TICK
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Complete the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
