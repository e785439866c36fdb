# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is to be predicted, as frames in order: arrays, files, addresses, cameras."""

import errno
import glob
import os
import sys
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Union
from urllib.parse import unquote, urlparse

import numpy as np
import pandas as pd
from PIL import Image

from fmae_iat_plugin.datasets.decoding import to_bgr
from fmae_iat_plugin.faces.frames import read_frames
from fmae_iat_plugin.faces.structures import Frame, FrameFile, Unit
from fmae_iat_plugin.logs import logger
from fmae_iat_plugin.media import (
    BROKEN_LINK,
    IMAGE_SUFFIXES,
    MAC_FOLDER,
    OTHER_SUFFIXES,
    VIDEO_SUFFIXES,
    MediaFiles,
    find_media,
    kind_of,
    looks_like_media,
    natural,
    not_read,
)
from fmae_iat_plugin.skipped import Skip, report_skipped
from fmae_iat_plugin.videos import PICTURE_ERRORS, is_animated

from .streams import camera_number, is_address, read_camera, read_image

Input = Union[str, Path, int, np.ndarray, Image.Image]

BAD_INPUT = 'unusable input'


class Item(NamedTuple):
    """An image or video: where it is read from, the image itself, or the number of a camera."""

    unit: Unit
    image: object = None
    camera: Optional[int] = None

    @property
    def live(self) -> bool:
        """Whether it has no end of its own: a camera, a stream (rtsp://, ...)."""
        return self.camera is not None or (
            is_address(self.unit.name) and not self.unit.name.lower().startswith('http'))

    @property
    def lasting(self) -> bool:
        """Whether another call with the same name means the same; of a camera or array it does
        not."""
        return self.image is None and not self.live

    @property
    def key(self) -> str:
        """The same for what is the same input."""
        name = self.unit.name
        return name if self.image is not None or self.camera is not None or is_address(name) \
            else os.path.abspath(name)

    def frames(self, problems: List[Skip]) -> Iterator[Frame]:
        """Its frames; what cannot be read is added to ``problems``."""
        if self.image is not None:
            yield Frame(self.unit.name, 1, '', None, self.image)
        elif self.camera is not None:
            yield from read_camera(self.camera, problems)
        elif self.unit.frames and is_address(self.unit.name):
            yield from read_image(self.unit.name, problems)
        else:
            yield from read_frames(self.unit, problems)


def find_inputs(inputs: Union[Input, Iterable[Input]], problems: Optional[List[Skip]] = None,
                passed_over: Optional[List[Skip]] = None) -> List[Item]:
    """Look at what is to be predicted.

    Args:
        inputs: Path of an image or video, of a folder (searched below, in the order of the names),
            a pattern (``*``, ``?``, ``**``; the images, videos and folders among what it matches),
            the address of an image, video or stream (http, https, rtsp, ...), a camera (its
            number, ``'webcam'`` or ``'webcam:1'``), an image (uint8 BGR ``[H, W, 3]``, or
            Pillow's), or any iterable of these or of items. A path that exists is that path.
        problems: What is not there, or nothing of the above, is added here and the rest goes on,
            if there is a rest. None: it is an error.
        passed_over: What folders and patterns hold that looks like a picture or video and is not
            read is added here. Defaults to ``problems``; None of both: it is logged.

    Raises:
        FileNotFoundError: If a path does not exist or a pattern matches nothing.
        TypeError: If an input is of another type.
        ValueError: If a file is neither image nor video, an array no image, a folder empty.
        OSError: If a path cannot be looked at.
    """
    found, first, passed = [], None, []
    for number, value in enumerate(_as_list(inputs), 1):
        try:
            found += _of_value(value, number, passed)
        except (OSError, TypeError, ValueError) as error:
            if problems is None:
                raise
            first = first or error
            name = value if isinstance(value, (str, Path)) else f'{_type(value)} {number}'
            problems.append(Skip(str(name), BAD_INPUT, '', 0, str(error)))
    if passed_over is None and problems is None:
        report_skipped('Inputs', passed)
    else:
        (problems if passed_over is None else passed_over).extend(passed)
    if not found:
        raise first or ValueError('there is nothing to predict: the list of inputs is empty.')
    return found


def once(items: Sequence[Item]) -> List[Item]:
    """The same without what is named again: its rows would go to one file twice."""
    found = {}
    for item in items:
        found.setdefault(item.key, item)
    if len(found) < len(items):
        logger().warning(
            '%d of the inputs are named more than once; each is predicted once',
            len(items) - len(found))
    return list(found.values())


def _as_list(inputs) -> list:
    if isinstance(inputs, (set, frozenset)):
        return sorted(inputs, key=lambda value: natural(str(value)))
    if isinstance(inputs, np.ndarray) and inputs.ndim == 1 and inputs.dtype.kind in 'OU':
        return inputs.tolist()
    one = [str, bytes, bytearray, Path, Image.Image, np.ndarray, Item, dict, pd.DataFrame]
    if 'torch' in sys.modules:  # else there can be no tensor
        one.append(sys.modules['torch'].Tensor)
    single = isinstance(inputs, tuple(one)) or not isinstance(inputs, Iterable)
    return [inputs] if single else list(inputs)


def _type(value) -> str:
    return f'{type(value).__module__}.{type(value).__qualname__}'.removeprefix('builtins.')


def _of_value(value: Input, number: int, passed: List[Skip]) -> List[Item]:
    if isinstance(value, Item):
        return [value]
    if isinstance(value, Image.Image):
        try:
            value = to_bgr(value)
        except PICTURE_ERRORS as error:
            raise ValueError(f'image {number} cannot be read: {type(error).__name__}: {error}'
                             ) from error
    if isinstance(value, np.ndarray):
        if value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3 or not value.size:
            raise ValueError(f'array {number} is {value.dtype} {value.shape}. Remedy: an image is '
                             'uint8 [H, W, 3], channels in the order B, G, R.')
        return [Item(Unit(f'array {number}', []), value)]
    if isinstance(value, (str, Path)):
        return _of_text(value, passed)
    camera = camera_number(value)
    if camera is None or camera < 0:
        what = f'{value!r} ' if isinstance(value, (bool, int, float)) or value is None else ''
        raise TypeError(
            f'input {number} {what}is of type {_type(value)}. Remedy: a path (str, Path), the '
            'number of a camera, an image (uint8 array [H, W, 3] in the order B, G, R, or one of '
            'Pillow), or an iterable of these.')
    return [_camera(camera)]


def _camera(number: int) -> Item:
    return Item(Unit(f'webcam:{number}', [], related=True), camera=number)


def _of_text(value: Union[str, Path], passed: List[Skip]) -> List[Item]:
    """A path that exists, or else a camera, an address, a path from home, a pattern."""
    text = os.fspath(value)
    if not text.strip():
        raise ValueError('an input is empty. Remedy: a path; a variable of the shell may be unset.')
    if _exists(text):
        return _of_path(Path(text), passed)
    camera = camera_number(text)
    if camera is not None:
        return [_camera(camera)]
    if is_address(text):
        return [_of_address(text)]
    home = os.path.expanduser(text)
    if _exists(home):
        return _of_path(Path(home), passed)
    if os.path.islink(home):
        raise FileNotFoundError(f'{value} is a link to {os.readlink(home)}, which does not exist.')
    if not glob.has_magic(home):
        raise FileNotFoundError(f'{value} does not exist.')
    items = []
    for match in sorted(map(Path, glob.glob(home, recursive=True))):
        if kind_of(match) and match.exists():
            items += _of_path(match, passed)
        elif match.is_dir():
            if '**' not in home and match.name != MAC_FOLDER:
                inside = find_media(match)
                items += _of_media(inside)
                passed += inside.passed_over
        elif kind_of(match) or looks_like_media(match) or match.suffix.lower() in OTHER_SUFFIXES:
            passed.append(not_read(match) if match.exists() else
                          Skip(str(match), BROKEN_LINK, str(match)))
    if not items:
        raise FileNotFoundError(f'{value} matches no image or video.')
    return items


def _exists(path: str) -> bool:
    """Whether something is there; another obstacle than its absence is an error."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise OSError(error.errno, f'{path}: {error.strerror}') from error
    return True


def _of_path(path: Path, passed: List[Skip]) -> List[Item]:
    if path.is_dir():  # a folder with an annotation table too: its images are meant
        found = find_media(path)
        passed += found.passed_over
        if not found.images and not found.videos:
            named = f' ({len(found.passed_over)} files or folders in it are not read, the first ' \
                f'is {found.passed_over[0].item}: {found.passed_over[0].reason})' \
                if found.passed_over else ''
            raise ValueError(f'{path} holds neither images ({", ".join(IMAGE_SUFFIXES)}) nor '
                             f'videos ({", ".join(VIDEO_SUFFIXES)}){named}.')
        return _of_media(found)
    kind = kind_of(path)
    if kind is None:
        raise ValueError(f'{path} is neither an image ({", ".join(IMAGE_SUFFIXES)}) nor a video '
                         f'({", ".join(VIDEO_SUFFIXES)}), by its suffix.')
    return [_of_file(path, kind)]


def _of_media(found: MediaFiles) -> List[Item]:
    kinds = dict.fromkeys(found.videos, 'video')
    return [_of_file(path, kinds.get(path, 'image'))
            for path in sorted([*found.images, *found.videos])]


def _of_file(path: Path, kind: str) -> Item:
    if kind == 'video' or is_animated(path):
        return Item(Unit(str(path), [], path, related=True))
    return Item(Unit(str(path), [FrameFile(str(path), path, 1, path.stem)]))


def _of_address(url: str) -> Item:
    path = Path(unquote(urlparse(url).path))
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Item(Unit(url, [FrameFile(url, path, 1, path.stem)]))
    return Item(Unit(url, [], url, related=True))  # PyAV opens addresses, which a Path would break


def read_items(items: Sequence[Item], stride: int, problems: List[Skip],
               ended: Callable[[], bool] = lambda: False) -> Iterator[tuple]:
    """(item, frame) of all items; of a video every ``stride``-th frame, the first included.

    Args:
        items: What :func:`find_inputs` found.
        stride: 1 = every frame.
        problems: What cannot be read is added here; it has no frame.
        ended: Asked after each frame of a camera or stream: is this the last?
    """
    for item in items:
        for frame in item.frames(problems):
            if frame.problem is not None:
                problems.append(frame.problem)
            elif (frame.number - 1) % stride == 0:
                yield item, frame
            if ended() and item.live:
                break
