# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""OpenFace 2's CSV (Baltrusaitis et al., 2018): its columns and their order."""

import csv

from ..predictions import FacePrediction
from .base import TextWriter, au_column

#: the occurrences of OpenFace 2, in its order
OPENFACE_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
#: its intensities
OPENFACE_GRADED = tuple(au for au in OPENFACE_AUS if au != 28)
OPENFACE_START = ('frame', 'face_id', 'timestamp', 'confidence', 'success')


class OpenFaceWriter(TextWriter):
    """OpenFace 2's CSV, as its option ``-aus`` writes it: ``NAME.csv`` for each input.

    Columns: frame, face_id, timestamp, confidence, success; of a model with intensities ``AU01_r``
    ..., 0 to 5; ``AU01_c`` ... of those 18 of OpenFace that the model has, in its order. Beyond
    OpenFace: ``_r`` and ``_c`` of the model's other action units (AU24), each after OpenFace's, and
    the probabilities ``AU01_p`` ... in ascending order. A confidence above 1
    (dlib's) is written as 1. The action units of a frame without a face are empty.
    """

    def __init__(self, out_dir, aus, name=None, intensity_aus=()):
        super().__init__(out_dir, aus, name, intensity_aus)
        self.occurrences = [au for au in OPENFACE_AUS if au in self.aus]
        self.occurrences += sorted(set(self.aus) - set(OPENFACE_AUS))
        self.graded = [au for au in OPENFACE_GRADED if au in self.intensity_aus]
        self.graded += sorted(set(self.intensity_aus) - set(OPENFACE_GRADED))
        self.columns = [*OPENFACE_START, *(au_column(au, '_r') for au in self.graded),
                        *(au_column(au, '_c') for au in self.occurrences),
                        *(au_column(au, '_p') for au in sorted(self.aus))]
        self._input = None

    def write(self, row: FacePrediction) -> None:
        if row.input != self._input or self.file is None:
            self._input = row.input
            self._csv = csv.writer(self.open(f'{self.name(row.input)}.csv'), lineterminator='\n')
            self._csv.writerow(self.columns)
        confidence = 0 if not row.success else '' if row.confidence is None else \
            f'{min(max(row.confidence, 0), 1):.4f}'
        cells = [row.frame, row.face_id, '' if row.timestamp is None else f'{row.timestamp:.6f}',
                 confidence, int(row.success)]
        if row.success:
            present = dict(zip(self.aus, row.present))
            probability = dict(zip(self.aus, row.probabilities))
            intensity = dict(zip(self.intensity_aus, row.intensities or ()))
            cells += [f'{intensity[au]:.2f}' for au in self.graded]
            cells += [int(present[au]) for au in self.occurrences]
            cells += [f'{probability[au]:.6f}' for au in sorted(self.aus)]
        self._csv.writerow(cells + [''] * (len(self.columns) - len(cells)))
