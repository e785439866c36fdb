# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Predictions as files that other tools read: OpenFace's CSV, py-feat's CSV, JSON lines, Parquet.

One row per face of a frame; a frame without a face keeps a row. An occurrence (0/1) is ``AU01_c``,
a probability ``AU01_p`` (py-feat's ``AU01`` is one too). No format gets an intensity (``AU01_r``),
for the model predicts none. What is not known is empty, never 0. Rows are written as they come, to
a hidden file that gets its name at the end.
"""

import csv
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Union

from fmae_iat_plugin.action_units import au_name
from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.files import UniqueNames, partial_path
from fmae_iat_plugin.videos import errors_of_videos

from .predictions import FacePrediction

#: the occurrences of OpenFace 2, in its order
OPENFACE_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
OPENFACE_START = ('frame', 'face_id', 'timestamp', 'confidence', 'success')

#: py-feat's Fex, in its order
PYFEAT_BOX = ('FaceRectX', 'FaceRectY', 'FaceRectWidth', 'FaceRectHeight', 'FaceScore')
PYFEAT_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
_PYFEAT_LANDMARKS = tuple(f'{axis}_{point}' for axis in 'xy' for point in range(68))
_PYFEAT_POSE = ('Pitch', 'Roll', 'Yaw', 'X', 'Y', 'Z')
_PYFEAT_EMOTIONS = ('anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', 'neutral')
_PYFEAT_END = ('input', 'frame', 'FrameHeight', 'FrameWidth', 'approx_time')

SCHEMA = Path(__file__).with_name('schemas') / 'prediction.json'


def _column(au: int, ending: str = '') -> str:
    return f'AU{au:02d}{ending}'


def _import_pyarrow():
    with needs_extra('parquet', 'format parquet', 'another format'):
        import pyarrow
        import pyarrow.parquet
    return pyarrow


class Writer:
    """Writes rows; a context manager that closes on success and removes its files on an error.

    Args:
        out_dir: Folder; made if need be.
        aus: Numbers of the model's action units, in the order of the probabilities.
        name: Input -> NAME, for files of one input. Defaults to its file name, which is told apart
            from others' there.
    """

    file = None  #: the open one

    def __init__(self, out_dir: Union[str, Path], aus: Sequence[int],
                 name: Optional[Callable[[str], str]] = None):
        self.out_dir, self.aus = Path(out_dir), tuple(aus)
        self.name = name or UniqueNames(('skipped', 'predictions_pyfeat'))
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self.paths: List[Path] = []  #: files that are complete

    def write(self, row: FacePrediction) -> None:
        """Add a row; the rows of an input follow each other."""
        raise NotImplementedError

    def _begin(self, name: str) -> Path:
        """Where to write the file that gets this name when it is complete."""
        self._complete()
        self.path = self.out_dir / name
        self._partial = partial_path(self.path)
        return self._partial

    def _complete(self) -> None:
        if self.file is not None:
            try:
                self.file.close()  # writes what waits, for which there may be no room
                os.replace(self._partial, self.path)
            except BaseException:
                self.discard()
                raise
            self.paths.append(self.path)
            self.file = None

    def close(self) -> List[Path]:
        """Complete the files and return them."""
        self._complete()
        return self.paths

    def discard(self) -> None:
        """Remove what is incomplete."""
        if self.file is not None:
            file, self.file = self.file, None
            try:
                with suppress(*errors_of_videos()):  # it cannot be completed; it is not wanted
                    file.close()
            finally:
                self._partial.unlink(missing_ok=True)

    def __enter__(self) -> 'Writer':
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None:
            self.discard()
            return
        try:
            self.close()
        finally:
            self.discard()


class _TextWriter(Writer):
    """Opens a text file at a time."""

    def _open(self, name: str):
        self.file = open(self._begin(name), 'w', encoding='utf-8', errors='surrogateescape',
                         newline='')
        return self.file


class OpenFaceWriter(_TextWriter):
    """OpenFace 2's CSV, as its option ``-aus`` writes it: ``NAME.csv`` for each input.

    Columns: frame, face_id, timestamp, confidence, success; ``AU01_c`` ... of those 18 of OpenFace
    that the model has, in its order. Then, beyond OpenFace: ``_c`` of the model's other action
    units (AU24), and the probabilities ``AU01_p`` ... in ascending order. A confidence above 1
    (dlib's) is written as 1. The action units of a frame without a face are empty.
    """

    def __init__(self, out_dir, aus, name=None):
        super().__init__(out_dir, aus, name)
        self.occurrences = [au for au in OPENFACE_AUS if au in self.aus]
        self.occurrences += sorted(set(self.aus) - set(OPENFACE_AUS))
        self.columns = [*OPENFACE_START, *(_column(au, '_c') for au in self.occurrences),
                        *(_column(au, '_p') for au in sorted(self.aus))]
        self._input = None

    def write(self, row: FacePrediction) -> None:
        if row.input != self._input or self.file is None:
            self._input = row.input
            self._csv = csv.writer(self._open(f'{self.name(row.input)}.csv'), lineterminator='\n')
            self._csv.writerow(self.columns)
        confidence = 0 if not row.success else '' if row.confidence is None else \
            f'{min(max(row.confidence, 0), 1):.4f}'
        cells = [row.frame, row.face_id, '' if row.timestamp is None else f'{row.timestamp:.6f}',
                 confidence, int(row.success)]
        if row.success:
            present = dict(zip(self.aus, row.present))
            probability = dict(zip(self.aus, row.probabilities))
            cells += [int(present[au]) for au in self.occurrences]
            cells += [f'{probability[au]:.6f}' for au in sorted(self.aus)]
        self._csv.writerow(cells + [''] * (len(self.columns) - len(cells)))


class PyFeatWriter(_TextWriter):
    """py-feat's Fex as CSV: ``predictions_pyfeat.csv`` of all inputs.

    All columns are there, so that its readers work; landmarks, pose, emotions and action units that
    the model does not have are empty. ``AU01`` is a probability, as py-feat's. ``frame`` counts
    from 0 and ``approx_time`` is minutes:seconds, as there. Beyond py-feat, at the end: the
    model's other action units, ``timestamp`` in seconds, ``face_id``.
    """

    def __init__(self, out_dir, aus, name=None):
        super().__init__(out_dir, aus, name)
        more = [_column(au) for au in sorted(set(self.aus) - set(PYFEAT_AUS))]
        self.columns = [*PYFEAT_BOX, *_PYFEAT_LANDMARKS, *_PYFEAT_POSE, *map(_column, PYFEAT_AUS),
                        *_PYFEAT_EMOTIONS, *_PYFEAT_END, *more, 'timestamp', 'face_id']
        self._csv = csv.DictWriter(self._open('predictions_pyfeat.csv'), self.columns, restval='',
                                   lineterminator='\n')
        self._csv.writeheader()

    def write(self, row: FacePrediction) -> None:
        cells = dict(input=row.input, frame=row.frame - 1, FrameHeight=row.height,
                     FrameWidth=row.width, face_id=row.face_id)
        if row.timestamp is not None:
            cells['timestamp'] = f'{row.timestamp:.6f}'
            minutes, seconds = divmod(int(row.timestamp), 60)
            cells['approx_time'] = f'{minutes:02d}:{seconds:02d}'
        if row.success:
            x1, y1, x2, y2 = row.box
            score = '' if row.confidence is None else f'{row.confidence:.4f}'
            values = (*(f'{value:.2f}' for value in (x1, y1, x2 - x1, y2 - y1)), score)
            cells.update(zip(PYFEAT_BOX, values))
            cells.update((_column(au), f'{value:.6f}')
                         for au, value in zip(self.aus, row.probabilities))
        self._csv.writerow(cells)


class JSONWriter(_TextWriter):
    """JSON lines, ``predictions.jsonl`` of all inputs; the schema is :data:`SCHEMA`."""

    def __init__(self, out_dir, aus, name=None):
        super().__init__(out_dir, aus, name)
        self._open('predictions.jsonl')

    def write(self, row: FacePrediction) -> None:
        self.file.write(json.dumps(as_dict(row, self.aus), allow_nan=False) + '\n')


class ParquetWriter(Writer):
    """Parquet, ``predictions.parquet`` of all inputs: needs pyarrow.

    Columns: input, frame, timestamp, face_id, success, confidence, x1, y1, x2, y2, width, height,
    ``AU01_c`` (int8) and ``AU01_p`` (float32) of each action unit; null where not known.

    Raises:
        ImportError: If pyarrow is not installed.
    """

    CHUNK = 4096  # rows in memory

    def __init__(self, out_dir, aus, name=None):
        super().__init__(out_dir, aus, name)
        self._pyarrow = pyarrow = _import_pyarrow()
        number, real = pyarrow.int64(), pyarrow.float64()
        self.schema = pyarrow.schema(
            [('input', pyarrow.string()), ('frame', number), ('timestamp', real),
             ('face_id', number), ('success', pyarrow.bool_()), ('confidence', real),
             *((side, real) for side in ('x1', 'y1', 'x2', 'y2')),
             ('width', number), ('height', number),
             *((_column(au, '_c'), pyarrow.int8()) for au in self.aus),
             *((_column(au, '_p'), pyarrow.float32()) for au in self.aus)])
        self.file = pyarrow.parquet.ParquetWriter(
            os.path.abspath(self._begin('predictions.parquet')), self.schema)
        self._rows: List[tuple] = []

    def write(self, row: FacePrediction) -> None:
        none = (None, ) * len(self.aus)
        name = row.input.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
        self._rows.append((name, *row[1:6], *(row.box or (None, ) * 4), row.width, row.height,
                           *(none if row.present is None else map(int, row.present)),
                           *(row.probabilities or none)))
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


#: the file of all inputs that a format writes; the others write one for each
WHOLE_FILES = dict(pyfeat='predictions_pyfeat.csv', json='predictions.jsonl',
                   parquet='predictions.parquet')
WRITERS = dict(openface=OpenFaceWriter, pyfeat=PyFeatWriter, json=JSONWriter,
               parquet=ParquetWriter)


def as_dict(row: FacePrediction, aus: Sequence[int]) -> dict:
    """A row as plain values, the form of a JSON line; ``aus`` by name: AU1, AU12, ..."""
    values = row._asdict()
    probabilities, present = values.pop('probabilities'), values.pop('present')
    values['box'] = None if row.box is None else list(row.box)
    values['aus'] = None if probabilities is None else {
        au_name(au): dict(probability=probability, present=here)
        for au, probability, here in zip(aus, probabilities, present)}
    return values


def check_formats(formats: Sequence[str]) -> None:
    """Before hours of work.

    Raises:
        ValueError: On an unknown format.
        ImportError: If what a format needs is not installed.
    """
    unknown = [name for name in formats if name not in WRITERS]
    if unknown or not formats:
        what = f'format {unknown[0]!r} is unknown' if unknown else 'no format was given'
        raise ValueError(f'{what}. Remedy: {", ".join(WRITERS)}.')
    if 'parquet' in formats:
        _import_pyarrow()


def build_writers(formats: Sequence[str], out_dir: Union[str, Path],
                  aus: Sequence[int],
                  name: Optional[Callable[[str], str]] = None) -> List[Writer]:
    """Writers by name: openface, pyfeat, json, parquet; see :class:`Writer` for the arguments.

    Raises:
        ValueError, ImportError: See :func:`check_formats`.
    """
    check_formats(formats)
    return [WRITERS[form](out_dir, aus, name) for form in dict.fromkeys(formats)]
