# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files that are whole or not there."""

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
