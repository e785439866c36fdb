# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which files are pictures and videos, which only look like some, and the order of their names."""

import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple, Union

from .skipped import Skip

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.gif', '.pgm', '.ppm', '.tif', '.tiff',
                  '.jpe', '.jfif', '.apng', '.avif', '.jp2', '.pbm', '.pnm', '.tga')
VIDEO_SUFFIXES = ('.avi', '.mp4', '.mov', '.m4v', '.mkv', '.mpg', '.mpeg', '.wmv', '.webm',
                  '.3gp', '.3g2', '.mts', '.m2ts', '.flv', '.ogv', '.vob', '.asf', '.divx', '.f4v',
                  '.m2v', '.mpe', '.mxf', '.qt')
#: pictures and videos that are not read; they are named, with what to do
OTHER_SUFFIXES = ('.heic', '.heif', '.hif', '.jxl', '.dng', '.cr2', '.cr3', '.nef', '.arw', '.raf',
                  '.orf', '.rw2', '.psd', '.exr', '.hdr', '.svg', '.insp', '.insv', '.braw', '.r3d',
                  '.rm', '.rmvb', '.swf', '.mod', '.tod', '.dav', '.h264', '.h265', '.hevc',
                  '.mjpg', '.mjpeg', '.dv', '.y4m', '.ivf')

MAC_FOLDER = '__MACOSX'  #: what a Mac puts into archives, beside the files

NOT_READ = 'not predicted or cropped: a format that is not read'
BROKEN_LINK = 'link to something that does not exist'
CLOSED_FOLDER = 'folder that cannot be opened'

_SOUND = (b'M4A ', b'M4B ', b'M4P ')  # brands of ISO files without a picture
_STARTS = (b'\xff\xd8\xff', b'\x89PNG\r\n', b'GIF87a', b'GIF89a', b'II*\0', b'MM\0*', b'BM6',
           b'\x1aE\xdf\xa3', b'FLV\1', b'\0\0\1\xba', b'\0\0\1\xb3', b'0&\xb2u\x8ef\xcf\x11',
           b'8BPS', b'\0\0\0\x0cJXL ', b'\xff\x0a', b'\0\0\0\x0cjP  ')


class MediaFiles(NamedTuple):
    """What lies below a folder.

    Attributes:
        images, videos (list[Path]): By their suffixes; sorted.
        passed_over (list[Skip]): What looks like a picture or video and is neither, links to
            nothing, and folders that cannot be opened.
    """

    images: List[Path]
    videos: List[Path]
    passed_over: List[Skip]


def find_media(folder: Union[str, Path], without: Optional[Path] = None) -> MediaFiles:
    """Pictures and videos below a folder.

    Symbolic links are followed, each folder is entered once. Hidden names and
    :data:`MAC_FOLDER` are left out.

    Args:
        folder: Folder to search.
        without: A folder that is not entered, such as the output.
    """
    found = MediaFiles([], [], [])
    entered = set() if without is None else {os.path.realpath(without)}

    def closed(error: OSError) -> None:
        found.passed_over.append(Skip(str(error.filename), CLOSED_FOLDER, str(error.filename), 0,
                                      str(error.strerror)))

    for root, folders, names in os.walk(folder, followlinks=True, onerror=closed):
        real = os.path.realpath(root)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.')
                            and name != MAC_FOLDER)
        for name in names:
            if not name.startswith('.'):
                _sort_in(Path(root, name), found)
    for files in found:
        files.sort()
    return found


def _sort_in(path: Path, found: MediaFiles) -> None:
    suffix = path.suffix.lower()
    known = suffix in IMAGE_SUFFIXES + VIDEO_SUFFIXES + OTHER_SUFFIXES
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        if known or not suffix:  # of a link without suffix nobody knows what it was; it may matter
            found.passed_over.append(Skip(str(path), BROKEN_LINK if path.is_symlink() else NOT_READ,
                                          str(path), 0, str(error.strerror)))
        return
    kind = kind_of(path) if regular else None
    if kind is not None:
        (found.images if kind == 'image' else found.videos).append(path)
    elif known or (regular and looks_like_media(path)):
        found.passed_over.append(not_read(path))


def kind_of(path: Union[str, Path]) -> Optional[str]:
    """``'image'``, ``'video'`` or None, by the suffix; ``.ts``, which may be TypeScript, is looked
    into."""
    suffix = Path(path).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return 'image'
    return 'video' if suffix in VIDEO_SUFFIXES or (
        suffix == '.ts' and looks_like_media(path)) else None


def not_read(path: Path) -> Skip:
    """The entry for a picture or video of another format."""
    return Skip(str(path), NOT_READ, str(path), 0,
                f'the suffix is {path.suffix or "missing"!r}; pictures are read from '
                f'{", ".join(IMAGE_SUFFIXES)}, videos from {", ".join(VIDEO_SUFFIXES)}. Remedy: '
                'convert the file, or give it the suffix of its format')


def looks_like_media(path: Union[str, Path]) -> bool:
    """Whether the first bytes are those of a picture or video, whatever the name says."""
    try:
        with open(path, 'rb') as file:
            start = file.read(400)
    except OSError:
        return False
    return (start.startswith(_STARTS) or (start[4:8] == b'ftyp' and start[8:12] not in _SOUND)
            or (start[:4] == b'RIFF' and start[8:12] in (b'AVI ', b'WEBP'))
            or any(len(start) > place + 188 and start[place] == start[place + step] == 0x47
                   for place, step in ((0, 188), (4, 192))))


@lru_cache(maxsize=100000)
def natural(text: Union[str, int]) -> Tuple:
    """Sort key that puts T2 before T10."""
    return tuple((int(part), '') if part.isascii() and part.isdigit() else (-1, part)
                 for part in re.split(r'([0-9]+)', str(text)))
