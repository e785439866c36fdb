# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Parquet, for tables of many rows."""

import os
from pathlib import Path
from typing import List

from fmae_iat_plugin.extras import needs_extra

from ..predictions import FacePrediction
from .base import Writer, au_column


def import_pyarrow():
    """PyArrow.

    Raises:
        ImportError: If it is not installed.
    """
    with needs_extra('parquet', 'format parquet', 'another format'):
        import pyarrow
        import pyarrow.parquet
    return pyarrow


class ParquetWriter(Writer):
    """Parquet, ``predictions.parquet`` of all inputs: needs pyarrow.

    Columns: input, frame, timestamp, face_id, success, confidence, x1, y1, x2, y2, width, height,
    ``AU01_c`` (int8) and ``AU01_p`` (float32) of each action unit, ``AU01_r`` (float32, 0 to 5) of
    those with intensities; null where not known.

    Raises:
        ImportError: If pyarrow is not installed.
    """

    CHUNK = 4096  # rows in memory

    def __init__(self, out_dir, aus, name=None, intensity_aus=()):
        super().__init__(out_dir, aus, name, intensity_aus)
        self._pyarrow = pyarrow = import_pyarrow()
        number, real = pyarrow.int64(), pyarrow.float64()
        self.schema = pyarrow.schema(
            [('input', pyarrow.string()), ('frame', number), ('timestamp', real),
             ('face_id', number), ('success', pyarrow.bool_()), ('confidence', real),
             *((side, real) for side in ('x1', 'y1', 'x2', 'y2')),
             ('width', number), ('height', number),
             *((au_column(au, '_c'), pyarrow.int8()) for au in self.aus),
             *((au_column(au, '_p'), pyarrow.float32()) for au in self.aus),
             *((au_column(au, '_r'), pyarrow.float32()) for au in self.intensity_aus)])
        self.file = pyarrow.parquet.ParquetWriter(
            os.path.abspath(self._begin('predictions.parquet')), self.schema)
        self._rows: List[tuple] = []

    def write(self, row: FacePrediction) -> None:
        none = (None, ) * len(self.aus)
        name = row.input.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
        self._rows.append((name, *row[1:6], *(row.box or (None, ) * 4), row.width, row.height,
                           *(none if row.present is None else map(int, row.present)),
                           *(row.probabilities or none),
                           *(row.intensities or (None, ) * len(self.intensity_aus))))
        if len(self._rows) >= self.CHUNK:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            arrays = [self._pyarrow.array(values, field.type)
                      for values, field in zip(zip(*self._rows), self.schema)]
            self.file.write_table(self._pyarrow.Table.from_arrays(arrays, schema=self.schema))
            self._rows = []

    def close(self) -> List[Path]:
        if self.file is not None:
            self._flush()
        return super().close()
