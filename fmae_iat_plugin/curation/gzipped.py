# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Places in a gzip file, without unpacking all that stands before them (library indexed_gzip)."""

from typing import Optional

from fmae_iat_plugin.extras import needs_extra

from .structures import CurationError

_SPACING = 16 * 2**20  # bytes between places at which unpacking can begin; each takes 32 KiB


def _errors() -> tuple:
    try:
        with needs_extra('face9m', 'compressed archives'):
            import indexed_gzip
    except ImportError:
        return ()  # nothing raises them
    return (indexed_gzip.NotCoveredError, indexed_gzip.ZranError)


GZIP_ERRORS = _errors()


def open_gzip(path: str, index: Optional[str] = None):
    """A gzip file that can be read at any place.

    Args:
        path: The file.
        index: File that ``export_index`` wrote. None: the places are found while it is read.

    Raises:
        CurationError: If indexed_gzip is not installed.
    """
    with needs_extra('face9m', f'{path} is compressed', 'unpack it with gunzip', CurationError):
        import indexed_gzip
    return indexed_gzip.IndexedGzipFile(path, spacing=_SPACING, index_file=index)
