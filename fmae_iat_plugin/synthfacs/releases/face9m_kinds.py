# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The kinds of files that a collection of web and laboratory faces holds, good and bad.

Each kind turns one rendered picture into the bytes of a file and states what a reader must find.
"""

import io
from typing import Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image

ORIENTATION = 0x0112  # EXIF tag


class Made(NamedTuple):
    """A file: its bytes and their content; format, mode and size are None if it is unreadable.

    ``size`` is (width, height) as stored, before an EXIF orientation is applied.
    """

    data: bytes
    format: Optional[str] = None
    mode: Optional[str] = None
    size: Optional[Tuple[int, int]] = None


def _save(image: Image.Image, kind: str, **options) -> Made:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Made(buffer.getvalue(), kind, image.mode, image.size)


def _jpeg(image: Image.Image, quality: int = 92, **options) -> Made:
    return _save(image, 'JPEG', quality=quality, **options)


def _converted(mode: str, kind: str) -> Callable:
    return lambda image, rng: _save(image.convert(mode), kind)


def _oriented(value: int) -> Callable:
    """An image stored turned or mirrored, with the EXIF orientation that corrects it."""
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
            6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[value]

    def make(image, rng):
        exif = Image.Exif()
        exif[ORIENTATION] = value
        return _jpeg(image.transpose(undo), exif=exif)
    return make


def _stretched(width: float, height: float) -> Callable:
    """The face in the middle of a wider or higher picture in the colour of its corner."""
    def make(image, rng):
        size = round(image.width * width), round(image.height * height)
        canvas = Image.new('RGB', size, image.getpixel((0, 0)))
        canvas.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
        return _jpeg(canvas)
    return make


def _sized(side: int) -> Callable:
    return lambda image, rng: _jpeg(image.resize((side, side), Image.Resampling.BOX))


def _rgba(image, rng):
    alpha = Image.new('L', image.size, 255)
    alpha.paste(128, (0, 0, image.width // 4, image.height // 4))
    image = image.copy()
    image.putalpha(alpha)
    return _save(image, 'PNG')


def _sixteen_bits(image, rng):
    grey = np.asarray(image.convert('L')).astype(np.uint16) * 257
    return _save(Image.fromarray(grey), 'PNG')


def _near(image, rng):
    side = max(8, round(image.width * .9))
    return _jpeg(image.resize((side, side), Image.Resampling.BICUBIC), 60)


def _truncated(image, rng):
    data = _jpeg(image).data
    return Made(data[:len(data) * 6 // 10])


def plain_jpeg(image, rng) -> Made:
    """An ordinary JPEG file."""
    return _jpeg(image)


# name -> (suffix, maker(image, rng) -> Made)
PLAIN: Dict[str, Tuple[str, Callable]] = dict(
    jpeg=('.jpg', plain_jpeg), png=('.png', _converted('RGB', 'PNG')))
ODD: Dict[str, Tuple[str, Callable]] = dict(
    grey_jpeg=('.jpg', _converted('L', 'JPEG')),
    cmyk_jpeg=('.jpg', _converted('CMYK', 'JPEG')),
    exif_mirrored=('.jpg', _oriented(2)),
    exif_upside_down=('.jpg', _oriented(3)),
    exif_turned_right=('.jpg', _oriented(6)),
    exif_turned_left=('.jpg', _oriented(8)),
    png_alpha=('.png', _rgba),
    png_palette=('.png', _converted('P', 'PNG')),
    png_16_bits=('.png', _sixteen_bits),
    gif=('.gif', _converted('P', 'GIF')),
    bmp=('.bmp', _converted('RGB', 'BMP')),
    upper_case_suffix=('.JPG', plain_jpeg),
    png_named_jpg=('.jpg', _converted('RGB', 'PNG')),
    wide=('.jpg', _stretched(2, 1)),
    high=('.jpg', _stretched(1, 1.75)),
    ratio_just_1_5=('.jpg', _stretched(1.5, 1)),
    tiny=('.jpg', _sized(12)),
    one_pixel=('.jpg', _sized(1)),
    empty=('.jpg', lambda image, rng: Made(b'')),
    truncated=('.jpg', _truncated),
    corrupt=('.jpg', lambda image, rng: Made(rng.bytes(2000))),
    web_page=('.jpg', lambda image, rng: Made(b'<html><body>404 Not Found</body></html>\n')),
    exact_duplicate=('.jpg', plain_jpeg),
    near_duplicate=('.jpg', _near))
DUPLICATES = dict(exact_duplicate='exact', near_duplicate='near')
