# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The bytes of an image file to uint8 BGR: upright, of every depth, nothing clipped."""

import io
import math
from pathlib import Path
from typing import Optional, Union

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from fmae_iat_plugin.videos import PICTURE_ERRORS

try:
    import simplejpeg
except ImportError:  # there is no wheel for every machine
    simplejpeg = None

#: EXIF orientation -> what makes the picture upright
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
          4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
          6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
          8: Image.Transpose.ROTATE_90}


class UnreadableImageError(OSError):
    """An image that is missing or cannot be decoded.

    Args:
        path: The image, as ``img_path`` names it.
        reason: What went wrong.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'cannot read the image {path!r} ({reason}); restore the file, or leave '
                         'it out of the annotation or list that names it')
        self.path = path
        self.reason = reason


def read_image_file(path: Union[str, Path]) -> np.ndarray:
    """An image file as uint8 BGR ``[H, W, 3]``; see :func:`decode_image`.

    Raises:
        UnreadableImageError: If the file is missing or cannot be decoded.
    """
    try:
        return decode_image(Path(path).read_bytes())
    except PICTURE_ERRORS as error:
        raise unreadable(path, error) from error


def unreadable(path: Union[str, Path], error: Exception) -> UnreadableImageError:
    """The error of an image that Pillow could not read."""
    return UnreadableImageError(str(path), f'{type(error).__name__}: {error}'.replace('\n', ' '))


def decode_image(data: bytes, out: Optional[np.ndarray] = None) -> np.ndarray:
    """Decode the bytes of an image file with Pillow, plain JPEG with simplejpeg if it is installed.

    Any format Pillow reads becomes three channels: grey and palette images are expanded, CMYK
    and images with alpha are converted as torchvision's loader does (``convert('RGB')``), the
    EXIF orientation is applied, the first frame of an animation is taken. Numbers of more than 8
    bits are scaled to 0-255, see :func:`to_eight_bits`; nothing is clipped.

    Args:
        data: Content of the image file.
        out: Contiguous uint8 memory of shape (H, W, 3). A plain JPEG of this size is decoded into
            it, and the result is ``out``; any other image has memory of its own.

    Returns:
        np.ndarray: uint8 BGR image of shape (H, W, 3), the channel order of MMPretrain.

    Raises:
        UnidentifiedImageError: If Pillow knows no such format; other errors as Pillow's.
        ValueError: If the numbers have no scale that is known.
    """
    plain = _plain_jpeg(data, out)
    if plain is not None:
        return plain
    try:
        opened = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:  # Pillow's message is an address in memory
        raise UnidentifiedImageError(f'{len(data)} bytes of no image format known') from error
    with opened as image:
        if _is_deep_colour(image):  # of these Pillow would keep the upper 8 bits only
            deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            if deep is None:
                raise ValueError('colours of 16 bits in a form that OpenCV cannot read')
            if deep.ndim == 3 and deep.shape[2] == 4:
                deep = deep[:, :, :3]
            turn = _orientation(image)
            shown = Image.fromarray(np.ascontiguousarray(to_eight_bits(deep)[..., ::-1]))
            return to_bgr(shown if turn is None else shown.transpose(turn))
        return to_bgr(image)


def _plain_jpeg(data: bytes, out: Optional[np.ndarray] = None) -> Optional[np.ndarray]:
    """A JPEG without anything that Pillow treats specially, to the same values in half the time.

    None for every other file, and for one with any damage: whether that is an error is Pillow's
    to say.
    """
    if simplejpeg is None or data[:3] != b'\xff\xd8\xff' or \
            b'Exif\0' in data or b':Orientation' in data:
        return None
    try:
        height, width, kind, _ = simplejpeg.decode_jpeg_header(data)
        if kind not in ('YCbCr', 'Gray') or height * width > (Image.MAX_IMAGE_PIXELS or math.inf):
            return None
        if out is not None and out.shape == (height, width, 3):
            simplejpeg.decode_jpeg(data, 'BGR', buffer=out)
            return out
        return simplejpeg.decode_jpeg(data, 'BGR')
    except (ValueError, RuntimeError):
        return None


def to_bgr(image: Image.Image) -> np.ndarray:
    """A Pillow image as uint8 BGR ``[H, W, 3]``, upright; see :func:`decode_image`."""
    image.load()
    turn = _orientation(image)
    if turn is not None:
        image = image.transpose(turn)
    if image.mode in ('I', 'F') or image.mode.startswith('I;16'):
        return np.repeat(to_eight_bits(np.asarray(image))[:, :, None], 3, axis=2)
    return np.ascontiguousarray(np.asarray(image.convert('RGB'))[:, :, ::-1])


def _orientation(image: Image.Image) -> Optional[Image.Transpose]:
    """What makes an image upright by its EXIF data; None also where these cannot be read.

    The other entries may be broken, and are of no interest.
    """
    try:
        return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    except PICTURE_ERRORS:
        return None


def _is_deep_colour(image: Image.Image) -> bool:
    return image.mode in ('RGB', 'RGBA', 'LA') and any(
        ';16' in str(tile[3]) for tile in getattr(image, 'tile', ()))


def to_eight_bits(values: np.ndarray) -> np.ndarray:
    """Numbers of another range than 0-255, scaled to it.

    Integers count as numbers of 8, 10, 12, 14 or 16 bits, the fewest that hold the image's largest
    one: cameras leave the upper bits of a 16-bit file empty. Fractions count as 0-1 if none is
    above 1, as 0-255 if the largest is 8 to 255.

    Args:
        values: Integers or floating-point numbers of any shape.

    Returns:
        np.ndarray: uint8 of the same shape, rounded.

    Raises:
        ValueError: If a number is negative, above the range, or not finite.
    """
    smallest, largest = values.min(), values.max()
    scale = next((2.**bits - 1 for bits in (8, 10, 12, 14, 16) if largest < 2**bits), np.nan)
    if np.issubdtype(values.dtype, np.floating) and not (255 < largest and np.array_equal(
            values, np.rint(values))):
        # a picture from 0 to 255 that is nowhere brighter than 8 would be black
        scale = 1. if largest <= 1 else 255. if 8 <= largest <= 255 else np.nan
    fits = smallest >= 0 and np.isfinite(scale) and np.isfinite(values).all()
    if not fits:
        raise ValueError(
            f'its numbers go from {smallest} to {largest}, and their scale is not known. Remedy: '
            'save it with 8 or 16 bits a channel, or fractions from 0 to 1')
    return np.floor(values * (255. / scale) + .5).astype(np.uint8)
