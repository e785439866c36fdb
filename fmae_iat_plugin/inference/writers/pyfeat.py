# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""py-feat's Fex as CSV (Cheong et al., 2023): its columns and their order."""

import csv

from ..predictions import FacePrediction
from .base import TextWriter, au_column

#: py-feat's Fex, in its order
PYFEAT_BOX = ('FaceRectX', 'FaceRectY', 'FaceRectWidth', 'FaceRectHeight', 'FaceScore')
PYFEAT_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
_PYFEAT_LANDMARKS = tuple(f'{axis}_{point}' for axis in 'xy' for point in range(68))
_PYFEAT_POSE = ('Pitch', 'Roll', 'Yaw', 'X', 'Y', 'Z')
_PYFEAT_EMOTIONS = ('anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', 'neutral')
_PYFEAT_END = ('input', 'frame', 'FrameHeight', 'FrameWidth', 'approx_time')


class PyFeatWriter(TextWriter):
    """py-feat's Fex as CSV: ``predictions_pyfeat.csv`` of all inputs.

    All columns are there, so that its readers work; landmarks, pose, emotions and action units that
    the model does not have are empty. ``AU01`` is a probability, as py-feat's. ``frame`` counts
    from 0 and ``approx_time`` is minutes:seconds, as there. Beyond py-feat, at the end: the
    model's other action units, ``timestamp`` in seconds, ``face_id``.
    """

    def __init__(self, out_dir, aus, name=None, intensity_aus=()):
        super().__init__(out_dir, aus, name, intensity_aus)
        more = [au_column(au) for au in sorted(set(self.aus) - set(PYFEAT_AUS))]
        self.columns = [*PYFEAT_BOX, *_PYFEAT_LANDMARKS, *_PYFEAT_POSE, *map(au_column, PYFEAT_AUS),
                        *_PYFEAT_EMOTIONS, *_PYFEAT_END, *more, 'timestamp', 'face_id']
        self._csv = csv.DictWriter(self.open('predictions_pyfeat.csv'), self.columns, restval='',
                                   lineterminator='\n')
        self._csv.writeheader()

    def write(self, row: FacePrediction) -> None:
        cells = dict(input=row.input, frame=row.frame - 1, FrameHeight=row.height,
                     FrameWidth=row.width, face_id=row.face_id)
        if row.timestamp is not None:
            cells['timestamp'] = f'{row.timestamp:.6f}'
            minutes, seconds = divmod(int(row.timestamp), 60)
            cells['approx_time'] = f'{minutes:02d}:{seconds:02d}'
        if row.success and row.box is not None:
            x1, y1, x2, y2 = row.box
            score = '' if row.confidence is None else f'{row.confidence:.4f}'
            values = (*(f'{value:.2f}' for value in (x1, y1, x2 - x1, y2 - y1)), score)
            cells.update(zip(PYFEAT_BOX, values))
            cells.update((au_column(au), f'{value:.6f}')
                         for au, value in zip(self.aus, row.probabilities))
        self._csv.writerow(cells)
