# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which files are pictures and videos, and the order of their names."""

import re
from functools import lru_cache
from typing import Union

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.gif', '.pgm', '.ppm', '.tif', '.tiff')
VIDEO_SUFFIXES = ('.avi', '.mp4', '.mov', '.m4v', '.mkv', '.mpg', '.mpeg', '.wmv', '.webm')


@lru_cache(maxsize=100000)
def natural(text: Union[str, int]) -> tuple:
    """Sort key that puts T2 before T10."""
    return tuple((int(part), '') if part.isascii() and part.isdigit() else (-1, part)
                 for part in re.split(r'([0-9]+)', str(text)))
