# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frames of a video: decoded once, in order, each image written whole, an earlier one kept.

A frame that cannot be decoded has no number, so every later one would get a wrong one. So a video
is decoded to its end, and what the container and the decoder report is kept:

* as many frames as the file shows, no error: the numbers hold. Pictures that come from damaged data
  are left out;
* fewer, and the file is shorter than its own header says, or the error is at its end: it was cut
  off. The frames before the cut are right (the very last one may be half a picture and is left
  out);
* fewer, or with an error, in a file of full length: frames inside are lost, and no number can be
  trusted.
"""

import json
import os
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

import cv2

from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.videos import Damage, read_video

from .base import ConversionError

#: elsewhere the declared count is an estimate
_EXACT_COUNT = ('.avi', '.mp4', '.mov', '.m4v', '.3gp', '.3g2', '.qt')
_FLAGS = {'.jpg': [cv2.IMWRITE_JPEG_QUALITY, 95], '.png': []}


class VideoReport(NamedTuple):
    """What became of a video.

    Attributes:
        state (str): ``'whole'``, ``'truncated'``, ``'damaged'`` or ``'unreadable'``.
        usable (int): Frames whose number and picture can be trusted; they are the first ones.
        declared (int): Frames the container speaks of, 0 = unknown.
    """

    state: str
    usable: int
    declared: int


def is_cut_off(path: Path) -> bool:
    """Whether an AVI is shorter than its chunks declare (RIFF: 4 bytes name, 4 bytes length)."""
    size, position = os.path.getsize(path), 0
    with open(path, 'rb') as file:
        while position + 8 <= size:
            file.seek(position)
            head = file.read(8)
            if head[:4] != b'RIFF':
                return False
            length = int.from_bytes(head[4:], 'little')
            if length == 0 or position + 8 + length > size:  # 0: the writer never closed it
                return True
            position += 8 + length + length % 2
    return False


def _decode(path: Path, targets: Dict[int, Path], first: int,
            halve: bool) -> Tuple[VideoReport, List[int]]:
    """The report, and the numbers of the frames whose pictures are damaged."""
    damage, pending = Damage(), None

    def wanted(count: int) -> bool:
        target = targets.get(first + count - 1)
        return target is not None and not target.exists()

    for frame in read_video(path, damage, wanted):
        if pending:
            write_whole(*pending)
        pending, image = None, frame.image
        if image is not None and not frame.damaged:
            target = targets[first + damage.count - 1]
            if halve:
                image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2))
            _, data = cv2.imencode(target.suffix, image, _FLAGS[target.suffix])
            pending = target, data.tobytes()
    report = _report(path, damage)
    if pending and report.usable == damage.count:
        write_whole(*pending)
    return report, [first + number - 1 for number in damage.damaged if number <= report.usable]


def _report(path: Path, damage: Damage) -> VideoReport:
    count, declared = damage.count, damage.declared
    few = count < declared and path.suffix.lower() in _EXACT_COUNT
    if not count:
        return VideoReport('unreadable', 0, declared)
    if not few and damage.trusted is None:
        return VideoReport('whole', count, declared)
    if is_cut_off(path) or (not few and damage.trusted >= count - 1):
        return VideoReport('truncated', count - 1, declared)
    return VideoReport('damaged', count, declared)


def extract_frames(path: Path, targets: Dict[int, Path], marker: Path, first: int = 1,
                   halve: bool = False) -> VideoReport:
    """Write the wanted frames of a video as images.

    A run that finished leaves ``marker``; with it and all its images there, a later run does not
    decode the video again.

    Args:
        path: The video.
        targets: Frame number -> image to write (``.jpg`` or ``.png``).
        marker: File that records the report.
        first: Number of the video's first frame.
        halve: Halve both sides of the picture.

    Returns:
        VideoReport: Which frames exist is for the caller to look at: those whose picture is
        damaged do not.

    Raises:
        ConversionError: If the video vanished or may not be read.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise ConversionError(f'{path}: cannot be read: {error.strerror}') from error
    key = [str(path), state.st_size, state.st_mtime_ns, first, halve]
    if marker.is_file():
        record = json.loads(marker.read_text())
        report = VideoReport(*record['report'])
        bad = set(record.get('damaged', ()))
        wanted = [t for n, t in targets.items() if n - first < report.usable and n not in bad]
        if record['video'] == key and (report.state == 'unreadable'
                                       or all(target.exists() for target in wanted)):
            return report
    cv2.setNumThreads(1)  # the sequences run in parallel already
    report, bad = _decode(path, targets, first, halve)
    write_whole(marker, json.dumps(dict(video=key, report=report, damaged=bad)).encode())
    return report
