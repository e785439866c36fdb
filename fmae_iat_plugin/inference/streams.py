# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Frames of a camera, and images and videos of the network."""

import io
import re
import time
from http.client import HTTPException
from typing import Iterator, List, Optional, Union
from urllib.error import URLError
from urllib.request import urlopen

import cv2
import numpy as np
from PIL import Image

from fmae_iat_plugin.datasets.decoding import decode_image
from fmae_iat_plugin.faces.structures import BAD_IMAGE, MORE_PAGES, Frame
from fmae_iat_plugin.skipped import Skip
from fmae_iat_plugin.videos import PICTURE_ERRORS

BAD_CAMERA = 'unreadable camera'
LARGEST = 100 * 2**20  #: bytes of an image of the network
TIMEOUT = 20  #: seconds without an answer
_ADDRESS = re.compile(r'(https?|rtsp|rtmp|rtp|udp|tcp)://', re.IGNORECASE)
_CAMERA = re.compile(r'webcam(?::(\d+))?', re.IGNORECASE)


def is_address(value) -> bool:
    """Whether it starts with http://, https://, rtsp://, rtmp://, rtp://, udp:// or tcp://."""
    return isinstance(value, str) and _ADDRESS.match(value) is not None


def camera_number(value: Union[str, int, object]) -> Optional[int]:
    """Number of the camera that ``2``, ``'webcam'`` or ``'webcam:2'`` names; None = no camera."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    match = _CAMERA.fullmatch(value) if isinstance(value, str) else None
    return match and int(match.group(1) or 0)


def read_image(url: str, problems: List[Skip]) -> Iterator[Frame]:
    """The image at an http(s) address, as one frame; nothing if it cannot be read."""
    try:
        with urlopen(url, timeout=TIMEOUT) as answer:  # is_address was asked
            data = answer.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise OSError(f'it is larger than {LARGEST // 2**20} MiB')
        image = decode_image(data)
        with Image.open(io.BytesIO(data)) as opened:
            more = getattr(opened, 'n_frames', 1) - 1
    except (URLError, HTTPException, *PICTURE_ERRORS) as error:
        reason = f'{type(error).__name__}: {error}'.replace('\n', ' ')
        problems.append(Skip(url, BAD_IMAGE, url, 0, reason))
        return
    if more and opened.format != 'MPO':  # whose other pictures are previews of the same
        problems.append(Skip(url, MORE_PAGES, url, 0, f'{more} further frames or pages. Remedy: '
                             'download it; all frames of a file are predicted'))
    yield Frame(url, 1, '', None, image)


def read_camera(number: int, problems: List[Skip]) -> Iterator[Frame]:
    """Frames of a camera until it ends or the reader stops; times are seconds since the first."""
    name, count, start = f'webcam:{number}', 0, 0.
    capture = cv2.VideoCapture(number)
    try:
        while (got := capture.read())[0]:
            now = time.monotonic()
            count, start = count + 1, start or now
            yield Frame(name, count, '', round(now - start, 6), got[1])
    finally:
        capture.release()
    if not count:
        problems.append(Skip(name, BAD_CAMERA, '', 0, 'no camera of this number, no permission '
                             '(group video), or another program uses it'))
