# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What all writers share: a file appears under its name only when it is complete."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Union

from fmae_iat_plugin.files import UniqueNames, partial_path
from fmae_iat_plugin.videos import errors_of_videos

from ..predictions import FacePrediction


def au_column(au: int, ending: str = '') -> str:
    """``'AU01_c'``: the number with two digits, as OpenFace and py-feat write it."""
    return f'AU{au:02d}{ending}'


class WholeFileWriter:
    """Writes files; a context manager that closes on success and removes its files on an error.

    Args:
        out_dir: Folder; made if need be.
        aus: Numbers of the model's action units, in the order of the probabilities.
        name: Input -> NAME, for files of one input. Defaults to its file name, which is told apart
            from others' there.
        intensity_aus: Numbers of the action units with intensities, in the order of the rows.
    """

    file: Any = None  #: the open one

    def __init__(self, out_dir: Union[str, Path], aus: Sequence[int],
                 name: Optional[Callable[[str], str]] = None, intensity_aus: Sequence[int] = ()):
        self.out_dir, self.aus = Path(out_dir), tuple(aus)
        self.intensity_aus = tuple(intensity_aus)
        self.name = name or UniqueNames(('skipped', 'predictions_pyfeat'))
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self.paths: List[Path] = []  #: files that are complete

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

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None:
            self.discard()
            return
        try:
            self.close()
        finally:
            self.discard()


class Writer(WholeFileWriter):
    """Writes rows; the arguments are those of :class:`WholeFileWriter`."""

    def write(self, row: FacePrediction) -> None:
        """Add a row; the rows of an input follow each other."""
        raise NotImplementedError


class TextWriter(Writer):
    """Writes one text file at a time."""

    def open(self, name: str):
        self.file = open(self._begin(name), 'w', encoding='utf-8', errors='surrogateescape',
                         newline='')
        return self.file
