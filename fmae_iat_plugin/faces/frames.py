# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frames of a unit, one after the other: image files, or a video decoded once, in order."""

from typing import Iterator, List

import numpy as np

from fmae_iat_plugin.datasets.skipped import Skip
from fmae_iat_plugin.datasets.transforms import LoadFace, UnreadableImageError

from .records import BAD_IMAGE, BAD_VIDEO, CUT_VIDEO, CropError, Frame, Unit


def import_av():
    """PyAV.

    Raises:
        CropError: If it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise CropError(f'videos need PyAV, which cannot be imported ({error}). Remedy: pip '
                        "install 'fmae_iat_plugin[face]'.") from error
    return av


def read_frames(unit: Unit, problems: List[Skip]) -> Iterator[Frame]:
    """The frames of a unit in order.

    Args:
        unit: Images or a video.
        problems: What cannot be read is added here.

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
            problems.append(Skip(source, BAD_IMAGE, str(path), 0, error.reason))
            yield Frame(source, number, stem, None, None, BAD_IMAGE)


def _read_video(unit: Unit, problems: List[Skip]) -> Iterator[Frame]:
    av, path, count, declared = import_av(), unit.video, 0, 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                problems.append(Skip(unit.name, BAD_VIDEO, str(path), 0, 'no video stream'))
                return
            stream = container.streams.video[0]
            stream.thread_count = 1  # the videos run in parallel already
            declared = stream.frames
            for frame in container.decode(stream):
                count += 1
                image = np.rot90(frame.to_ndarray(format='bgr24'), round(frame.rotation / 90) % 4)
                time = None if frame.time is None else round(float(frame.time), 6)
                yield Frame(unit.name, count, f'{unit.name}/{count:06d}', time,
                            np.ascontiguousarray(image))
    except av.FFmpegError as error:
        reason = CUT_VIDEO if count else BAD_VIDEO
        problems.append(Skip(unit.name, reason, str(path), 0, f'after {count} frames: {error}'))
        return
    if count < declared:
        problems.append(Skip(unit.name, CUT_VIDEO, str(path), 0, f'{count} frames can be decoded, '
                             f'the file declares {declared}', declared - count))
