# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there."""

import math
import os
from pathlib import Path


def partial_path(path: Path) -> Path:
    """Hidden name, of this process alone, under which a file is made."""
    return path.with_name(f'.{path.name}.{os.getpid()}.part')


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it never appears half-written under its name; makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    partial.write_bytes(data)
    os.replace(partial, path)


class UniqueNames:
    """Names of files made from inputs: video, or video.mp4, video.mp4-2 where that is taken."""

    def __init__(self):
        self._taken = set()

    def __call__(self, source: str) -> str:
        """A name without suffix that no earlier input got, also where case does not count."""
        base = os.path.basename(source.rstrip('/')) or 'input'
        names = [os.path.splitext(base)[0], base]
        number = 2
        while names[0].lower() in self._taken:
            names = names[1:] or [f'{base}-{number}']
            number += len(names) == 1
        self._taken.add(names[0].lower())
        return names[0]


def without_nan(value):
    """JSON has no NaN: undefined numbers become null."""
    if isinstance(value, dict):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
