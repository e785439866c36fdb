# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""One image file: the rules, and the JPEG that stands in the shard.

A JPEG that is larger than needed is decoded at a half, a quarter or an eighth of its size, which
the format allows; the rest of the way goes through twice the size. See :func:`shrink`.
"""

import io
from typing import NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from fmae_iat_plugin.datasets.decoding import decode_image, unreadable
from fmae_iat_plugin.videos import PICTURE_ERRORS

from .structures import ASPECT, SMALL, UNREADABLE, Options

# divisor -> OpenCV's flag: the JPEG's blocks of 8 x 8 pixels give 4 x 4, 2 x 2 or one
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4,
            2: cv2.IMREAD_REDUCED_COLOR_2, 1: cv2.IMREAD_COLOR}
_END = b'\xff\xd9'  # of a JPEG file


class Picture(NamedTuple):
    """What stands in the shard.

    Attributes:
        data (bytes): The JPEG file.
        pixels (np.ndarray): uint8 BGR ``[size, size, 3]``, before compression.
    """

    data: bytes
    pixels: np.ndarray


def curate_picture(data: bytes, options: Options) -> Union[Picture, Tuple[str, str]]:
    """Apply the rules to an image file, and resize it.

    A JPEG that has the size already stays as it is, byte for byte.

    Args:
        data: Content of the image file.
        options: The rules.

    Returns:
        Picture: Or (rule, detail) by which it is left out.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            plain = _is_plain_jpeg(image, data)
        shorter, longer = sorted((width, height))
        if shorter < options.min_side:
            return SMALL, f'{width} x {height}'
        if longer > options.max_aspect * shorter:
            return ASPECT, f'{width} x {height}'
        pixels = _decode_jpeg(data, shorter, options.size) if plain else None
        untouched = pixels is not None and width == height == options.size
        if pixels is None:
            pixels = decode_image(data)
    except UnidentifiedImageError:  # Pillow's message is an address in memory
        return UNREADABLE, f'{len(data)} bytes of no image format known'
    except PICTURE_ERRORS as error:
        return UNREADABLE, unreadable('', error).reason
    if not untouched:
        pixels = shrink(pixels, options.size)
        data = encode(pixels, options.quality)
    return Picture(data, pixels)


def encode(pixels: np.ndarray, quality: int) -> bytes:
    """uint8 BGR ``[H, W, 3]`` as a JPEG file."""
    return cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _is_plain_jpeg(image: Image.Image, data: bytes) -> bool:
    """Whether OpenCV decodes it as Pillow does: complete, upright, in colours or grey.

    OpenCV fills what is missing of a file with grey, and does not say so; what has no end is left
    to Pillow, which does.
    """
    if image.format != 'JPEG' or image.mode not in ('RGB', 'L') or not data.endswith(_END):
        return False
    return 'exif' not in image.info or image.getexif().get(ExifTags.Base.Orientation, 1) == 1


def decode_small(data: bytes, size: int) -> np.ndarray:
    """An image for a look at it: uint8 BGR, with sides of at least ``size`` if it has them.

    Raises:
        OSError: And others, see :func:`~fmae_iat_plugin.datasets.decoding.decode_image`.
    """
    with Image.open(io.BytesIO(data)) as image:
        pixels = _decode_jpeg(data, min(image.size), size) if _is_plain_jpeg(image, data) else None
    return decode_image(data) if pixels is None else pixels


def _decode_jpeg(data: bytes, shorter: int, size: int) -> Optional[np.ndarray]:
    """uint8 BGR, with sides of at least ``size`` where the image has them; None: unreadable."""
    divisor = next((d for d in _REDUCED if shorter >= d * size), 1)
    return cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[divisor])


def shrink(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize to a square, both up and down, without aliasing.

    Below twice the size, pixels are interpolated (bicubic) at twice the size and averaged by twos:
    quicker than OpenCV's average over areas, and nearer to Pillow's bicubic resize. Above, areas
    are averaged.

    Args:
        pixels: uint8 ``[H, W, C]``.
        size: Side of the square.

    Returns:
        np.ndarray: uint8 ``[size, size, C]``.
    """
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    if max(height, width) > 2 * size:
        pixels = cv2.resize(pixels, (min(width, size), min(height, size)),
                            interpolation=cv2.INTER_AREA)
        height, width = pixels.shape[:2]
    if min(height, width) < size:
        return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_CUBIC)
    if (height, width) == (size, size):
        return pixels
    double = cv2.resize(pixels, (2 * size, 2 * size), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(double, (size, size), interpolation=cv2.INTER_AREA)
