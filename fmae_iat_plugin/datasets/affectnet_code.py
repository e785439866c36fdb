# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The label of one AffectNet image: a single number in an ``{id}_exp.npy`` file."""

import io
import tokenize
import zipfile
from pathlib import Path

import numpy as np

_MAX_BYTES = 4096  # one number takes about 130


def read_code(path: Path) -> int:
    """The label in an ``_exp.npy`` file, 0 to 10; it is often stored as a string.

    Raises:
        ValueError: If the file holds anything else or cannot be read; the message names it.
    """
    try:
        data = path.read_bytes()
        if len(data) > _MAX_BYTES or data[:6] != b'\x93NUMPY':
            raise ValueError(f'{len(data)} bytes that are not a single number')
        value = np.load(io.BytesIO(data), allow_pickle=False)
        if value.size != 1:
            raise ValueError(f'{value.size} values')
        text = str(value.item())
        number = float(text)
        if number not in range(11):
            raise ValueError(f'{text!r:.40}')
    except (ValueError, EOFError, OSError, TypeError, SyntaxError, MemoryError, OverflowError,
            SystemError,  # NumPy raises it for a string with a code point beyond Unicode
            tokenize.TokenError, zipfile.BadZipFile) as error:
        raise ValueError(f'{path}: expected an expression label 0..10, found {error}. Remedy: '
                         'restore the file, or delete it with its image.') from error
    return int(number)
