# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Predictions as pictures: annotated images and videos, and a timeline of each video."""

from pathlib import Path
from typing import Callable, List, Optional, Sequence, Union

import cv2
import numpy as np

from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.media import VIDEO_SUFFIXES

from .predictions import FacePrediction
from .writers import WholeFileWriter

with needs_extra('analysis', 'pictures'):
    from fmae_iat_plugin.visualization import Painter, VideoFile, plot_timeline, to_png

LATE = 1.  #: seconds; a video whose clock begins later than that is shown from 0
RATE = 25.  #: frames a second of a video whose container knows no times


class PictureWriter(WholeFileWriter):
    """``NAME_annotated.jpg``, or ``NAME_annotated.mp4`` and ``NAME_timeline.png``, of each input.

    Frames keep their times; those without a face are kept too, and say so.

    Args:
        out_dir: Folder; made if need be. None: nothing is written, :meth:`write` only paints.
        aus: Numbers of the model's action units, in the order of the probabilities.
        thresholds: One each, drawn as marks on the bars. None: no marks.
        name: Input -> NAME. Defaults to its file name, which is told apart from others' there.
        intensity_aus: Numbers of the action units whose intensities are drawn.
    """

    def __init__(self, out_dir: Union[str, Path, None], aus: Sequence[int],
                 thresholds: Optional[Sequence[float]] = None,
                 name: Optional[Callable[[str], str]] = None, intensity_aus: Sequence[int] = ()):
        self.writes = out_dir is not None
        if self.writes:
            super().__init__(out_dir, aus, name, intensity_aus)
        self.intensity_aus = tuple(intensity_aus)
        self.aus, self.thresholds = tuple(aus), thresholds
        self._input, self._rows = None, []

    def write(self, image: np.ndarray, rows: Sequence[FacePrediction]) -> np.ndarray:
        """Add a frame; those of an input follow each other.

        Args:
            image: uint8 BGR ``[H, W, 3]``.
            rows: All rows of the frame, at least one.

        Returns:
            np.ndarray: The painted frame, uint8 BGR.
        """
        row = rows[0]
        video = row.timestamp is not None or Path(row.input).suffix.lower() in VIDEO_SUFFIXES
        if row.input != self._input or not video:
            self._complete()
            self._input = row.input
            self._painter = Painter(self.aus, self.thresholds,
                                    intensity_aus=self.intensity_aus)
        time = row.timestamp if row.timestamp is not None else (row.frame - 1) / RATE
        painted = self._painter.paint(image, rows, time if video else None)
        if self.writes and not video:
            data = cv2.imencode('.jpg', painted, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
            path = self.out_dir / f'{self.name(row.input)}_annotated.jpg'
            write_whole(path, data)
            self.paths.append(path)
        elif self.writes:
            if self.file is None:
                self._stem, self._start = self.name(row.input), time if time > LATE else 0.
                partial = self._begin(f'{self._stem}_annotated.mp4')
                self.file = VideoFile(partial, painted.shape[1], painted.shape[0])
            self.file.write(painted, time - self._start)
            self._rows += rows
        return painted

    def _complete(self) -> None:
        rows, self._rows = self._rows, []
        super()._complete()
        if rows:
            path = self.out_dir / f'{self._stem}_timeline.png'
            write_whole(path, to_png(plot_timeline(rows, self.aus, Path(self._input).name,
                                                   self.intensity_aus), 110))
            self.paths.append(path)

    def close(self) -> List[Path]:
        return super().close() if self.writes else []
