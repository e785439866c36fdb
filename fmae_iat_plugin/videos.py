# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frames of a video as a player shows them, and what is wrong with the file, by FFmpeg (PyAV).

As players do: the film is read and not its cover picture, hidden frames of a trimmed file are
left out, the picture is turned and mirrored by the display matrix, and pixels that are not square
are made so by a wider or narrower picture. Animations (GIF, WebP, APNG, AVIF) are videos too.
"""

import os
import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np
from PIL import Image

from .logs import logger

TIMEOUT = 20  #: seconds without an answer; a file on a hanging disk, a stream of the network
ANIMATIONS = ('.gif', '.webp', '.png', '.apng', '.avif')
#: what Pillow's decoders raise on broken files
PICTURE_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError,
    MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error,
    zlib.error, Image.DecompressionBombError)
_LOOK = 500  #: packets that tell a film from a still picture


class VideoFrame(NamedTuple):
    """A shown frame.

    Attributes:
        image (np.ndarray): uint8 BGR ``[H, W, 3]``, upright, square pixels; None if not wanted.
        time (float, optional): Seconds on the container's clock, which need not begin at 0.
        damaged (bool): Whether it, or a frame it was predicted from, was decoded from damaged data.
    """

    image: Optional[np.ndarray]
    time: Optional[float]
    damaged: bool = False


class Damage:
    """What a reader found out about a video.

    Attributes:
        declared (int): Frames that the file says it shows; 0 = it does not say.
        count (int): Frames that were decoded.
        errors (list[str]): Errors of the container or decoder, each with its place.
        damaged (list[int]): Numbers, from 1, of the frames with :attr:`VideoFrame.damaged`.
        lost (bool): Whether data are missing, so that the numbers of frames may be shifted.
        trusted (int, optional): How many of the first frames surely have the right numbers; None =
            all of them.
    """

    def __init__(self):
        self.declared = self.count = 0
        self.trusted: Optional[int] = None
        self.errors: List[str] = []
        self.damaged: List[int] = []
        self.lost = False

    def breaks(self) -> None:
        """From here on, numbers of frames may be shifted."""
        if self.trusted is None:
            self.trusted = self.count

    def __str__(self) -> str:
        """A line for the list of what was left out; '' = nothing is wrong."""
        said = []
        if self.count < self.declared or self.errors:
            said.append(f'{self.count} frames can be decoded, the file declares '
                        f'{self.declared or "no number"}')
        said += self.errors[:1]
        if self.damaged or self.lost:
            first = f', the first is {self.damaged[0]}' if self.damaged else ''
            said.append(f'{len(self.damaged)} frames come from damaged data{first}'
                        f'{"; data are missing" if self.lost else ""}')
        return '; '.join(said)


def import_av():
    """PyAV, which takes its time to load.

    Raises:
        ImportError: If it is a version whose frames and errors differ from those that are tested.
    """
    import av
    if int(av.__version__.split('.')[0]) >= 19:
        raise ImportError(f'PyAV {av.__version__} is installed, which reads some videos otherwise. '
                          "Remedy: pip install 'av>=14.2,<19'.")
    return av


def errors_of_videos() -> tuple:
    """What Pillow and PyAV raise on broken files."""
    return (*PICTURE_ERRORS, import_av().FFmpegError)


def open_video(video: Union[str, Path], **options):
    """PyAV's container of a file or address.

    FFmpeg takes what stands before a colon for a protocol, so a file goes by its absolute path.
    """
    where = str(video)
    if '://' not in where:
        where = os.path.abspath(where)
    return import_av().open(where, timeout=TIMEOUT, metadata_errors='replace', **options)


def film(container, video: Union[str, Path, None] = None):
    """The stream that is meant: no cover or still picture, and of several films the largest.

    Args:
        container: Of :func:`open_video`.
        video: Its file; several streams are looked into. None: by what the container says alone.

    Returns:
        av.video.stream.VideoStream: None if there is none.
    """
    streams = list(container.streams.video)
    cover = import_av().stream.Disposition.attached_pic
    films = [stream for stream in streams if not stream.disposition & cover]
    if len(films) < 2:
        return films[0] if films else None
    best = container.streams.best('video')
    if video is not None and os.path.isfile(video):
        packets = _packets(video)
        films = [stream for stream in films if packets[stream.index] > 1] or films
        films.sort(key=lambda stream: -stream.width * stream.height)
        films = [stream for stream in films if (stream.width, stream.height) == (
            films[0].width, films[0].height)]
        logger().info(
            '%s has %d video streams; that of %d x %d pixels is read', video, len(streams),
            films[0].width, films[0].height)
    return best if best in films else films[0]


def _packets(video: Union[str, Path]) -> Counter:
    """Packets of each video stream near the beginning."""
    found: Counter = Counter()
    with open_video(video) as container:
        for number, packet in enumerate(container.demux(*container.streams.video)):
            found[packet.stream.index] += bool(packet.size)
            if number > _LOOK:
                break
    return found


def shown_frames(container, stream) -> int:
    """How many frames the file says it shows; 0 = it does not say.

    ``stream.frames`` counts samples too that an edit list hides.
    """
    if stream.frames and 'mov' in container.format.name:
        shown = sum(not entry.is_discard for entry in stream.index_entries)
        return min(stream.frames, shown) or stream.frames
    return stream.frames


def seconds(container) -> float:
    """How long the file says it is; 0 = it does not say.

    Matroska's number is the time of the end, and its clock need not begin at 0.
    """
    start = (container.start_time or 0) if 'matroska' in container.format.name else 0
    return max((container.duration or 0) - max(start, 0), 0) / 1e6


def is_animated(path: Union[str, Path]) -> bool:
    """Whether an image file holds several frames, one after the other."""
    if Path(path).suffix.lower() not in ANIMATIONS:
        return False
    try:
        with Image.open(path) as image:
            return getattr(image, 'is_animated', False)
    except PICTURE_ERRORS:
        return False  # said when it is read


def pages(path: Union[str, Path]) -> int:
    """Pages of a TIFF file; 1 of any other file."""
    if Path(path).suffix.lower() not in ('.tif', '.tiff'):
        return 1
    try:
        with Image.open(path) as image:
            return getattr(image, 'n_frames', 1)
    except PICTURE_ERRORS:
        return 1  # said when it is read


def count_frames(video: Union[str, Path]) -> Optional[int]:
    """Frames that a file says it shows, for a progress bar; None = unknown, 0 = unreadable."""
    try:
        if is_animated(video):
            with Image.open(video) as image:
                return image.n_frames
        with open_video(video) as container:
            stream = film(container, video)
            return 0 if stream is None else shown_frames(container, stream) or None
    except errors_of_videos():
        return 0


def read_video(video: Union[str, Path], damage: Damage,
               wanted: Optional[Callable[[int], bool]] = None) -> Iterator[VideoFrame]:
    """The shown frames of a video or animation, in order, decoded once.

    Args:
        video: File, or address that FFmpeg opens.
        damage: Is filled in while reading.
        wanted: Of the number of a frame, from 1: whether its image is; others come as None.
    """
    frames = _animation(video) if is_animated(video) else _film(video, damage, wanted)
    try:
        for frame in frames:
            damage.count += 1
            if frame.damaged:
                damage.damaged.append(damage.count)
            yield frame
    except errors_of_videos() as error:
        reason = getattr(error, 'strerror', None) or f'{type(error).__name__}: {error}'
        damage.breaks()
        damage.errors.append(f'after {damage.count} frames: {reason}')


def _animation(path: Union[str, Path]) -> Iterator[VideoFrame]:
    with Image.open(path) as image:
        time = 0.
        for number in range(image.n_frames):
            image.seek(number)
            picture = np.asarray(image.convert('RGB'))[:, :, ::-1]
            yield VideoFrame(np.ascontiguousarray(picture), round(time, 6))
            time += (image.info.get('duration') or 0) / 1000


def _film(video: Union[str, Path], damage: Damage,
          wanted: Optional[Callable[[int], bool]]) -> Iterator[VideoFrame]:
    av, bad, count = import_av(), False, 0
    with open_video(video) as container:
        stream = film(container, video)
        if stream is None:
            damage.errors.append('no video stream')
            return
        stream.thread_count = 1  # the videos run in parallel already
        damage.declared = shown_frames(container, stream)
        for packet in container.demux(stream):
            if packet.is_corrupt:  # bytes of it, or packets before it, are missing
                damage.lost = bad = True
                damage.breaks()
            try:
                decoded = packet.decode()
            except av.InvalidDataError as error:  # the frames after it are read all the same
                decoded, bad = [], True
                damage.breaks()
                damage.errors.append(f'after {count} frames: {error.strerror}')
            for frame in decoded:
                count += 1
                # damage goes on through the frames that are predicted from each other
                bad = frame.is_corrupt or (bad and not frame.key_frame)
                time = None if frame.time is None else round(float(frame.time), 6)
                image = _shown(frame, stream) if wanted is None or wanted(count) else None
                yield VideoFrame(image, time, bad)


def _shown(frame, stream) -> np.ndarray:
    """The picture upright and with square pixels, BGR."""
    ratio = stream.sample_aspect_ratio
    width = round(frame.width * ratio) if ratio else frame.width
    if not frame.width <= 4 * width <= 16 * frame.width:  # no camera writes that
        width = frame.width
    image = frame.to_ndarray(format='bgr24', width=width, height=frame.height)
    return np.ascontiguousarray(turned(image, _display_matrix(frame)))


def _display_matrix(frame) -> Tuple[int, int, int, int]:
    """a, b, c, d: a pixel (x, y) is shown at (a x + c y, b x + d y)."""
    for data in frame.side_data:
        if data.type.name == 'DISPLAYMATRIX':
            numbers = np.frombuffer(bytes(data), dtype=np.int32)
            a, b, c, d = (int(numbers[place]) for place in (0, 1, 3, 4))
            return a, b, c, d
    return 1, 0, 0, 1


def turned(image: np.ndarray, matrix: Tuple[int, int, int, int]) -> np.ndarray:
    """An image turned by quarters and mirrored, by what a display matrix comes nearest to.

    Args:
        image: ``[H, W, ...]``.
        matrix: a, b, c, d of any scale: a pixel (x, y) is shown at (a x + c y, b x + d y), x to the
            right and y down.

    Returns:
        np.ndarray: A view.
    """
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.swapaxes(0, 1), c, b
    if a < 0:
        image = image[:, ::-1]
    return image[::-1] if d < 0 else image
