# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frames of a video: decoded once, in order, each image written whole, an earlier one kept.

OpenCV passes over frames that it cannot decode without saying so, and every later frame then has
the wrong number. So a video is decoded to its end and the count compared with the one it declares:

* as many: the numbers hold;
* fewer, and the file is shorter than its own header says: it was cut off. The frames before the
  cut are right (the very last one decoded may be half a picture and is left out);
* fewer, in a file of full length: frames inside are damaged, and no number can be trusted.
"""

import json
import os
from pathlib import Path
from typing import Dict, NamedTuple

import cv2

from fmae_iat_plugin.files import write_whole

from .base import ConversionError

_EXACT_COUNT = ('.avi', '.mp4', '.mov', '.m4v')  # elsewhere the count is an estimate
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


def _decode(path: Path, targets: Dict[int, Path], first: int, halve: bool) -> VideoReport:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    declared = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) if capture.isOpened() else 0
    count, pending = 0, None
    try:
        while capture.grab():
            if pending:
                write_whole(*pending)
                pending = None
            target = targets.get(first + count)
            if target is not None and not target.exists():
                done, image = capture.retrieve()
                if not done:
                    break
                if halve:
                    image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2))
                _, data = cv2.imencode(target.suffix, image, _FLAGS[target.suffix])
                pending = target, data.tobytes()
            count += 1
    finally:
        capture.release()
    if not count:
        return VideoReport('unreadable', 0, declared)
    if count >= declared or path.suffix.lower() not in _EXACT_COUNT:
        if pending:
            write_whole(*pending)
        return VideoReport('whole', count, declared)
    if is_cut_off(path):
        return VideoReport('truncated', count - 1, declared)
    if pending:
        write_whole(*pending)
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
        VideoReport: Which frames exist is for the caller to look at.

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
        wanted = [t for n, t in targets.items() if n - first < report.usable]
        if record['video'] == key and (report.state == 'unreadable'
                                       or all(target.exists() for target in wanted)):
            return report
    cv2.setNumThreads(1)  # the sequences run in parallel already
    report = _decode(path, targets, first, halve)
    write_whole(marker, json.dumps(dict(video=key, report=report)).encode())
    return report
