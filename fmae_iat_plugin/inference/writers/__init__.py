# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Predictions as files that other tools read: OpenFace's CSV, py-feat's CSV, JSON lines, Parquet.

One row per face of a frame; a frame without a face keeps a row. An occurrence (0/1) is ``AU01_c``,
a probability ``AU01_p`` (py-feat's ``AU01`` is one too). An intensity 0-5 (``AU01_r``) stands
there only if the model has an intensity head; py-feat's format has no place for it. What is not
known is empty, never 0. Rows are written as they come, to a hidden file that gets its name at the
end.
"""

from pathlib import Path
from typing import Callable, List, Optional, Sequence, Union

from .base import WholeFileWriter, Writer
from .json_lines import SCHEMA, JSONWriter, as_dict
from .openface import OpenFaceWriter
from .parquet import ParquetWriter, import_pyarrow
from .pyfeat import PyFeatWriter

#: the file of all inputs that a format writes; the others write one for each
WHOLE_FILES = dict(pyfeat='predictions_pyfeat.csv', json='predictions.jsonl',
                   parquet='predictions.parquet')
WRITERS = dict(openface=OpenFaceWriter, pyfeat=PyFeatWriter, json=JSONWriter,
               parquet=ParquetWriter)


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
        import_pyarrow()


def build_writers(formats: Sequence[str], out_dir: Union[str, Path],
                  aus: Sequence[int],
                  name: Optional[Callable[[str], str]] = None,
                  intensity_aus: Sequence[int] = ()) -> List[Writer]:
    """Writers by name: openface, pyfeat, json, parquet; see :class:`Writer` for the arguments.

    Raises:
        ValueError, ImportError: See :func:`check_formats`.
    """
    check_formats(formats)
    return [WRITERS[form](out_dir, aus, name, intensity_aus) for form in dict.fromkeys(formats)]


__all__ = ['SCHEMA', 'WHOLE_FILES', 'WRITERS', 'JSONWriter', 'OpenFaceWriter', 'ParquetWriter',
           'PyFeatWriter', 'WholeFileWriter', 'Writer', 'as_dict', 'build_writers', 'check_formats']
