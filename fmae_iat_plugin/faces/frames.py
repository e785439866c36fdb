# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frames of a unit, one after the other: image files, or a video decoded once, in order."""

from typing import Iterator, List

from fmae_iat_plugin.datasets.decoding import UnreadableImageError, read_image_file
from fmae_iat_plugin.skipped import Skip
from fmae_iat_plugin.videos import Damage, pages, read_video

from .structures import (
    BAD_IMAGE,
    BAD_VIDEO,
    DAMAGED_VIDEO,
    MORE_PAGES,
    SHORT_VIDEO,
    Frame,
    Unit,
)


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
    for source, path, number, stem in unit.frames:
        if (further := pages(path) - 1) > 0:
            problems.append(Skip(source, MORE_PAGES, str(path), 0, f'{further} further pages'))
        try:
            yield Frame(source, number, stem, None, read_image_file(path))
        except UnreadableImageError as error:
            yield Frame(source, number, stem, None, None,
                        Skip(source, BAD_IMAGE, str(path), 0, error.reason))


def _read_video(unit: Unit, problems: List[Skip]) -> Iterator[Frame]:
    damage = Damage()
    for number, frame in enumerate(read_video(unit.video, damage), 1):
        yield Frame(unit.name, number, f'{unit.name}/{number:06d}', frame.time,
                    frame.image)
    said, path = str(damage), str(unit.video)
    if not damage.count:
        detail = damage.errors[0] if damage.errors else 'it has no frame'
        problems.append(Skip(unit.name, BAD_VIDEO, path, 0, detail))
    elif said:
        few = damage.count < damage.declared or damage.errors
        problems.append(Skip(unit.name, SHORT_VIDEO if few else DAMAGED_VIDEO, path, 0, said))
