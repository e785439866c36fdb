# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Half-written files removed, images placed once, text files read with named errors."""

import os
import re
import shutil
from pathlib import Path
from typing import Dict, List, Tuple

from fmae_iat_plugin import files
from fmae_iat_plugin.files import whole_file
from fmae_iat_plugin.media import BROKEN_LINK, IMAGE_SUFFIXES, listed
from fmae_iat_plugin.skipped import Skip

from .base import BAD_IMAGE_NAME, DUPLICATE_IMAGE, EMPTY_IMAGE, ConversionError


def place_image(source: Path, target: Path, how: str) -> None:
    """Bring a release's image to ``target``; one that is there already is kept.

    Args:
        source: The image.
        target: Where it is wanted.
        how: ``'link'`` (hard link, or a copy across file systems), ``'copy'`` or ``'symlink'``.
    """
    if target.exists():
        return
    with whole_file(target) as partial:
        if how == 'symlink':
            partial.symlink_to(source.resolve())
        elif how == 'copy':
            shutil.copyfile(source, partial)
        else:
            try:
                os.link(source.resolve(), partial)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(source, partial)


def read_lines(path: Path) -> List[str]:
    """:func:`fmae_iat_plugin.files.read_lines`, with the error of a conversion.

    Raises:
        ConversionError: If the file cannot be read or is not UTF-8 text; names file and line.
    """
    try:
        return files.read_lines(path)
    except (OSError, ValueError) as error:
        raise ConversionError(str(error)) from error


def frame_number(name: str):
    """Frame number in an image's name: ``2440.jpg``, ``0012.png``, ``frame_12.jpg``; else None."""
    found = re.fullmatch(r'(?:.*[_-])?([0-9]{1,9})', name.rpartition('.')[0])
    return int(found.group(1)) if found else None


def numbered_images(folder: Path, name: str) -> Tuple[Dict[int, Path], List[Skip]]:
    """Images of a folder by frame number, whatever the padding of the names and their order.

    Two different images of one frame (``012.jpg`` and ``0012.jpg``) are both left out, two equal
    ones count once.

    Args:
        folder: The folder.
        name: Sequence, for the list.

    Returns:
        tuple: frame number -> path, ascending; what was left out.
    """
    found, skipped = {}, []
    for path in listed(folder):
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        number = frame_number(path.name)
        if number is None:
            skipped.append(Skip(path.name, BAD_IMAGE_NAME, str(path)))
        elif not path.exists():
            skipped.append(Skip(f'{name}/{number}', BROKEN_LINK, str(path)))
        elif path.stat().st_size == 0:
            skipped.append(Skip(f'{name}/{number}', EMPTY_IMAGE, str(path)))
        else:
            found.setdefault(number, []).append(path)
    images = {}
    for number, paths in sorted(found.items()):
        data = {path.read_bytes() for path in paths} if len(paths) > 1 else {b''}
        if len(data) == 1:
            images[number] = paths[0]
        kept = f'the same as {paths[0].name}, which is kept' if len(data) == 1 else \
            f'{", ".join(p.name for p in paths)} differ, all are left out'
        skipped += [Skip(f'{name}/{number}', DUPLICATE_IMAGE, str(path), 0, kept)
                    for path in (paths[1:] if len(data) == 1 else paths)]
    return images, skipped
