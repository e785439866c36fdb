# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is to be predicted, as frames in order: arrays, files, addresses, cameras."""

import glob
import queue
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Union
from urllib.parse import unquote, urlparse

import numpy as np

from fmae_iat_plugin.faces.frames import read_frames
from fmae_iat_plugin.faces.structures import Frame, FrameFile, Unit
from fmae_iat_plugin.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from fmae_iat_plugin.skipped import Skip

from .streams import camera_number, is_address, read_camera, read_image

Input = Union[str, Path, int, np.ndarray]

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


def find_inputs(inputs: Union[Input, Sequence[Input]],
                problems: Optional[List[Skip]] = None) -> List[Item]:
    """Look at what is to be predicted.

    Args:
        inputs: Path of an image or video, of a folder (searched below, in the order of the names),
            a pattern (``*``, ``?``, ``**``; the images and videos among what it matches), the
            address of an image, video or stream (http, https, rtsp, ...), a camera (its number,
            ``'webcam'`` or ``'webcam:1'``), an image (uint8 BGR ``[H, W, 3]``), or a list of these
            or of items.
        problems: What is not there, or nothing of the above, is added here and the rest goes on,
            if there is a rest. None: it is an error.

    Raises:
        FileNotFoundError: If a path does not exist or a pattern matches nothing.
        ValueError: If a file is neither image nor video, an array no image, a folder empty.
    """
    found, first = [], None
    for number, value in enumerate(inputs if isinstance(inputs, (list, tuple)) else [inputs], 1):
        try:
            found += _of_value(value, number)
        except (FileNotFoundError, ValueError) as error:
            if problems is None:
                raise
            first = first or error
            name = f'array {number}' if isinstance(value, np.ndarray) else str(value)
            problems.append(Skip(name, BAD_INPUT, '', 0, str(error)))
    if not found:
        raise first or ValueError('there is nothing to predict: the list of inputs is empty.')
    return found


def _of_value(value: Input, number: int) -> List[Item]:
    if isinstance(value, Item):
        return [value]
    if isinstance(value, np.ndarray):
        if value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3:
            raise ValueError(f'array {number} is {value.dtype} {value.shape}. Remedy: an image is '
                             'uint8 [H, W, 3], channels in the order B, G, R.')
        return [Item(Unit(f'array {number}', []), value)]
    camera = camera_number(value)
    if camera is not None:
        return [Item(Unit(f'webcam:{camera}', [], related=True), camera=camera)]
    if is_address(value):
        return [_of_address(value)]
    path = Path(value).expanduser()
    if path.exists():
        return _of_path(path)
    matches = sorted(match for match in glob.glob(str(path), recursive=True)
                     if Path(match).suffix.lower() in IMAGE_SUFFIXES + VIDEO_SUFFIXES)
    if not matches:
        raise FileNotFoundError(f'{value} does not exist.' if not glob.has_magic(str(value))
                                else f'{value} matches no image or video.')
    return [item for match in matches for item in _of_path(Path(match))]


def _of_path(path: Path) -> List[Item]:
    if path.is_dir():  # a folder with an annotation table too: its images are meant
        files = sorted(file for file in path.rglob('*') if file.is_file()
                       and file.suffix.lower() in IMAGE_SUFFIXES + VIDEO_SUFFIXES
                       and not any(part[0] == '.' for part in file.relative_to(path).parts))
        if not files:
            raise ValueError(f'{path} holds neither images ({", ".join(IMAGE_SUFFIXES)}) nor '
                             f'videos ({", ".join(VIDEO_SUFFIXES)}).')
        return [item for file in files for item in _of_path(file)]
    suffix = path.suffix.lower()
    if suffix not in IMAGE_SUFFIXES + VIDEO_SUFFIXES:
        raise ValueError(f'{path} is neither an image ({", ".join(IMAGE_SUFFIXES)}) nor a video '
                         f'({", ".join(VIDEO_SUFFIXES)}), by its suffix.')
    if suffix in VIDEO_SUFFIXES:
        return [Item(Unit(str(path), [], path, related=True))]
    return [Item(Unit(str(path), [FrameFile(str(path), path, 1, path.stem)]))]


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


def prefetch(items: Iterable, size: int) -> Iterator:
    """The same items, computed ahead in a thread: at most ``size`` wait; errors come out here."""
    waiting: queue.Queue = queue.Queue(size)
    stop, end = threading.Event(), object()

    def put(value) -> bool:
        while not stop.is_set():
            try:
                waiting.put(value, timeout=.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        finally:
            put(end)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            while (item := waiting.get()) is not end:
                yield item
            future.result()
        finally:
            stop.set()


def map_ahead(function: Callable, items: Iterable, threads: int) -> Iterator:
    """``function`` of the items, computed ahead in threads, in the order of the items.

    As many results as there are threads wait at most; errors come out here.
    """
    running: deque = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                running.append(pool.submit(function, item))
                if len(running) > threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
