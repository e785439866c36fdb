# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The one annotation table of every AU data set: read, validate, write.

One CSV (or Parquet) file has a header and one row per face::

    image,subject,AU1,AU2,AU12,sequence,frame
    F001/T1/2440.jpg,F001,0,1,,T1,2440

``image`` is a path relative to the data set's image folder, and ``subject`` is the person (empty =
unknown). ``AU<number>`` holds an occurrence 0 or 1, an intensity 0-5, or nothing (not coded).
``sequence`` and ``frame`` are optional; further columns are kept and ignored here.
"""

import csv
import gzip
import re
from pathlib import Path
from typing import NamedTuple, Tuple, Union

import numpy as np
import pandas as pd

from fmae_iat_plugin.action_units import au_name, parse_au
from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.files import whole_file

MAX_INTENSITY = 5.0


class AnnotationError(ValueError):
    """An annotation table violates the format; the message names value, file, line and remedy."""


class AnnotationTable(NamedTuple):
    """A validated annotation table of N faces and A action units.

    Attributes:
        path (str): The file, for error messages.
        frame (pandas.DataFrame): All columns but the AUs, as strings ('' = empty), N rows; the
            index holds the lines of the file.
        aus (tuple[int]): The A action units, in the order of the columns.
        labels (np.ndarray): ``[N, A]`` float32; 0/1, intensities 0-5, NaN = not coded.
    """

    path: str
    frame: pd.DataFrame
    aus: Tuple[int, ...]
    labels: np.ndarray

    def line(self, row: int) -> int:
        """Line of the file (1-based, the header is line 1) that holds row ``row`` (0-based)."""
        return int(self.frame.index[row])

    @property
    def images(self) -> np.ndarray:
        """``[N]`` image paths, as written in the table."""
        return self.frame['image'].to_numpy()

    @property
    def subjects(self) -> np.ndarray:
        """``[N]`` subject names, '' = unknown."""
        return self.frame['subject'].to_numpy()

    def select(self, aus, absent_ok: bool = False) -> np.ndarray:
        """Labels of the chosen action units, ``[N, len(aus)]`` float32.

        Args:
            aus: Numbers or names.
            absent_ok: Treat an action unit without a column as not coded, if another unit has one.

        Raises:
            AnnotationError: If the table has no column for one of them.
        """
        aus = [parse_au(au) for au in aus]
        absent = [au_name(au) for au in aus if au not in self.aus]
        if absent_ok and len(absent) < len(aus):
            labels = np.full((len(self.labels), len(aus)), np.nan, dtype=np.float32)
            for column, au in enumerate(aus):
                if au in self.aus:
                    labels[:, column] = self.labels[:, self.aus.index(au)]
            return labels
        if absent:
            raise AnnotationError(
                f'{self.path}: no column {", ".join(absent)}; the table has '
                f'{", ".join(map(au_name, self.aus))}. Remedy: choose `aus` among these, or add '
                'the column (empty cells = not coded).')
        return self.labels[:, [self.aus.index(au) for au in aus]]


def _read_frame(path: Path) -> pd.DataFrame:
    """All cells as strings, one row per line; the index holds the line numbers of the file."""
    if not path.is_file():
        raise FileNotFoundError(f'annotation table {str(path)!r} does not exist. Remedy: set '
                                '`ann_file` (and `data_root`) to the table that a converter in '
                                'tools/dataset_converters wrote, or to your own.')
    if path.suffix == '.parquet':
        return _read_parquet(path)
    opener = gzip.open if path.suffix == '.gz' else open
    rows, lines = [], []
    try:
        with opener(path, 'rt', encoding='utf-8-sig', newline='') as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            for row in reader:
                rows.append(row)
                lines.append(reader.line_num)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        line = lines[-1] + 1 if lines else 1
        raise AnnotationError(f'{path}, line {line}: not a readable CSV table: {error}. Remedy: '
                              'write a header line `image,subject,AU1,...` and one row per face, '
                              'in UTF-8.') from error
    for row, line in zip(rows, lines):
        if len(row) != len(header):
            raise AnnotationError(f'{path}, line {line}: {len(row)} fields, but the header has '
                                  f'{len(header)}. Remedy: give every line as many commas, and '
                                  'leave no blank lines; an empty field means not coded.')
    return pd.DataFrame(rows, columns=header, index=lines, dtype=str)


def _read_parquet(path: Path) -> pd.DataFrame:
    """The same of a Parquet file, whatever types pandas stored: as the CSV of this table reads."""
    with needs_extra('parquet', f'{path}: tables in Parquet', 'store it as CSV'):
        import pyarrow  # noqa: F401  pandas reads with it
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise AnnotationError(f'{path}: not a readable Parquet file: {error}. Remedy: store the '
                              'table again, as Parquet or CSV.') from error
    named = [name for name in frame.index.names if name is not None]
    frame = frame.reset_index(named) if named else frame
    texts = {place: _as_text(frame.iloc[:, place]) for place in range(frame.shape[1])}
    texts = pd.DataFrame(texts, index=np.arange(len(frame)) + 2, dtype=str)
    texts.columns = frame.columns
    return texts


def _as_text(column: pd.Series) -> list:
    """Cells as a CSV holds them; numbers that became decimal only because of gaps are whole."""
    values = list(column.astype(object))
    missing = pd.isna(pd.Series(values, dtype=object)).tolist()
    floats = [value for value, gap in zip(values, missing)
              if not gap and isinstance(value, (float, np.floating))]
    whole = all(float(value).is_integer() for value in floats)

    def text(value) -> str:
        if isinstance(value, (float, np.floating)) and whole:
            return str(int(value))
        if isinstance(value, (bool, np.bool_)):
            return str(int(value))
        return value.decode('utf-8', 'replace') if isinstance(value, bytes) else str(value)

    return ['' if gap else text(value) for value, gap in zip(values, missing)]


def _parse_labels(path: Path, cells: pd.DataFrame) -> np.ndarray:
    """Cells of the AU columns -> ``[N, A]`` float32, NaN = not coded."""
    labels = np.full(cells.shape, np.nan, dtype=np.float32)
    for column, name in enumerate(cells.columns):
        raw = cells[name]
        coded = (raw.notna() & (raw.astype(str).str.strip() != '')).to_numpy()
        values = pd.to_numeric(raw[coded], errors='coerce').to_numpy(dtype=np.float64)
        bad = ~((values >= 0) & (values <= MAX_INTENSITY))
        if bad.any():
            row = np.flatnonzero(coded)[np.flatnonzero(bad)[0]]
            hint = (' 9 means "not coded" in BP4D and BP4D+: leave the cell empty.'
                    if str(raw.iloc[row]).strip() in ('9', '9.0') else '')
            raise AnnotationError(
                f'{path}, line {cells.index[row]}: {name} is {raw.iloc[row]!r} ({int(bad.sum())} '
                f'such cells in the column).{hint} Remedy: use 0, 1, an intensity 0-5, or an empty '
                'cell for not coded.')
        labels[coded, column] = values
    return labels


def read_annotation(path: Union[str, Path]) -> AnnotationTable:
    """Read and validate an annotation table.

    Args:
        path: A ``.csv`` (also compressed, ``.csv.gz``) or ``.parquet`` file. That reads as the
            CSV of its table, whatever types its columns have.

    Returns:
        AnnotationTable: Rows in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        AnnotationError: If a column is missing, unknown or double, the table is empty, a cell is
            not a label, or an image is empty or listed twice. The message names the value, the
            file and the line.
    """
    path = Path(path)
    frame = _read_frame(path)
    frame.columns = [str(name).strip() for name in frame.columns]
    twice = sorted({name for name in frame.columns if list(frame.columns).count(name) > 1})
    if twice:
        raise AnnotationError(f'{path}, line 1: column {", ".join(twice)} occurs twice. Remedy: '
                              'name each column once.')
    missing = [name for name in ('image', 'subject') if name not in frame.columns]
    if missing:
        raise AnnotationError(
            f'{path}, line 1: no column {" and ".join(missing)}; found '
            f'{", ".join(frame.columns)}. Remedy: name the columns image,subject,AU1,AU2,... (a '
            'cell of `subject` may be empty if the person is unknown).')
    au_columns = [name for name in frame.columns if re.match(r'AU[\s_-]*\d', name, re.IGNORECASE)]
    try:
        aus = tuple(parse_au(name) for name in au_columns)
    except ValueError as error:
        raise AnnotationError(f'{path}, line 1: {error}') from error
    if not aus:
        raise AnnotationError(f'{path}, line 1: no AU column; found {", ".join(frame.columns)}. '
                              'Remedy: name them AU1, AU2, ... .')
    double = sorted({au for au in aus if aus.count(au) > 1})
    if double:
        raise AnnotationError(f'{path}, line 1: {", ".join(map(au_name, double))} occurs twice in '
                              'the header. Remedy: keep one column per action unit.')
    if frame.empty:
        raise AnnotationError(f'{path}: the table has a header and no rows. Remedy: check the '
                              "converter's summary of what was skipped and why.")

    labels = _parse_labels(path, frame[au_columns])
    rest = frame.drop(columns=au_columns).fillna('').astype(str).apply(lambda c: c.str.strip())
    empty = np.flatnonzero((rest['image'] == '').to_numpy())
    if empty.size:
        raise AnnotationError(f'{path}, line {rest.index[empty[0]]}: empty `image` ({empty.size} '
                              'such lines). Remedy: name the image of every row, or remove the '
                              'row.')
    again = np.flatnonzero(rest['image'].duplicated().to_numpy())
    if again.size:
        image = rest['image'].iloc[again[0]]
        first = rest.index[np.flatnonzero((rest['image'] == image).to_numpy())[0]]
        raise AnnotationError(f'{path}, line {rest.index[again[0]]}: image {image!r} occurs '
                              f'already in line {first} ({again.size} such lines). Remedy: keep '
                              'one row per face.')
    return AnnotationTable(str(path), rest, aus, labels)


def write_annotation(path: Union[str, Path], frame: pd.DataFrame, aus, labels: np.ndarray) -> None:
    """Write an annotation table; :func:`read_annotation` reads the same values back.

    Args:
        path: ``.csv``, ``.csv.gz`` or ``.parquet``.
        frame: N rows with the columns ``image`` and ``subject``, and any others to keep.
        aus (Sequence[int]): A action units.
        labels: ``[N, A]``; 0/1 or 0-5, NaN = not coded.
    """
    path = Path(path)
    columns = [au_name(parse_au(au)) for au in aus]
    cells = pd.DataFrame(np.asarray(labels), columns=columns, index=frame.index)
    head = frame[['image', 'subject']]
    table = pd.concat([head, cells, frame.drop(columns=['image', 'subject'])], axis=1)
    if path.suffix != '.parquet':
        table[columns] = cells.astype(np.float32).map(  # the shortest digits that read back equal
            lambda v: '' if np.isnan(v) else np.format_float_positional(np.float32(v), trim='-'))
    with whole_file(path) as partial:
        if path.suffix == '.parquet':
            table.to_parquet(partial, index=False)
        else:
            table.to_csv(partial, index=False, compression='gzip' if path.suffix == '.gz' else None)
