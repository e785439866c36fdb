# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frames of a unit, one after the other: image files, or a video decoded once, in order."""

from typing import Iterator, List

import numpy as np

from fmae_iat_plugin.datasets.transforms import LoadFace, UnreadableImageError
from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.skipped import Skip

from .structures import BAD_IMAGE, BAD_VIDEO, SHORT_VIDEO, CropError, Frame, Unit

TIMEOUT = 20  #: seconds without an answer; a file on a hanging disk, a stream of the network


def import_av():
    """PyAV.

    Raises:
        CropError: If it is not installed.
    """
    with needs_extra('face', 'videos', error=CropError):
        import av
    return av


def read_frames(unit: Unit, problems: List[Skip]) -> Iterator[Frame]:
    """The frames of a unit in order.

    Args:
        unit: Images or a video.
        problems: What cannot be read of a video is added here.

    Yields:
        Frame: Of unreadable images too, with ``image=None``; a video gives its decodable frames.
    """
    if unit.video is not None:
        yield from _read_video(unit, problems)
        return
    load = LoadFace()
    for source, path, number, stem in unit.frames:
        try:
            yield Frame(source, number, stem, None, load.transform({'img_path': str(path)})['img'])
        except UnreadableImageError as error:
            yield Frame(source, number, stem, None, None,
                        Skip(source, BAD_IMAGE, str(path), 0, error.reason))


def _read_video(unit: Unit, problems: List[Skip]) -> Iterator[Frame]:
    av, path, count, declared, damage = import_av(), unit.video, 0, 0, ''
    try:
        with av.open(str(path), timeout=TIMEOUT) as container:
            if not container.streams.video:
                problems.append(Skip(unit.name, BAD_VIDEO, str(path), 0, 'no video stream'))
                return
            stream = container.streams.video[0]
            stream.thread_count = 1  # the videos run in parallel already
            declared = stream.frames
            for packet in container.demux(stream):
                try:
                    decoded = packet.decode()
                except av.InvalidDataError as error:  # the frames after it are read all the same
                    decoded, damage = [], damage or f'after {count} frames: {error.strerror}'
                for frame in decoded:
                    count += 1
                    yield _frame(unit, count, frame)
    except av.FFmpegError as error:
        damage = damage or f'after {count} frames: {error.strerror}'
    if not count:
        problems.append(Skip(unit.name, BAD_VIDEO, str(path), 0, damage or 'it has no frame'))
    elif damage or count < declared:
        problems.append(Skip(unit.name, SHORT_VIDEO, str(path), 0, f'{count} frames can be decoded,'
                             f' the file declares {declared or "no number"}; {damage}'.strip('; ')))


def _frame(unit: Unit, number: int, frame) -> Frame:
    """A decoded frame, upright."""
    image = np.rot90(frame.to_ndarray(format='bgr24'), round(frame.rotation / 90) % 4)
    time = None if frame.time is None else round(float(frame.time), 6)
    return Frame(unit.name, number, f'{unit.name}/{number:06d}', time, np.ascontiguousarray(image))
