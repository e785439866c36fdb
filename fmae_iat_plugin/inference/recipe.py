# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How a face crop becomes what a model takes: the test pipeline, here without PyTorch.

The steps of most test pipelines, a resize and packing, are done by Pillow and OpenCV in the same
way as mmcv does them; a file with other steps needs mmcv itself.
"""

from typing import Any, Callable, List, NamedTuple, Optional, Sequence

import cv2
import numpy as np
from PIL import Image

LOADING = ('LoadFace', 'LoadImageFromFile')  #: steps that read what is in memory already

_PILLOW = dict(nearest=Image.NEAREST, bilinear=Image.BILINEAR, bicubic=Image.BICUBIC,
               box=Image.BOX, lanczos=Image.LANCZOS, hamming=Image.HAMMING)
_OPENCV = dict(nearest=cv2.INTER_NEAREST, bilinear=cv2.INTER_LINEAR, bicubic=cv2.INTER_CUBIC,
               area=cv2.INTER_AREA, lanczos=cv2.INTER_LANCZOS4)
_RESIZE = dict(scale=None, interpolation='bilinear', backend='cv2', keep_ratio=False)


class Recipe(NamedTuple):
    """How faces get to a model.

    Attributes:
        pipeline (Callable): ``dict(img=uint8 BGR [H, W, 3])`` -> a dict whose ``inputs`` are uint8
            ``[3, H, W]`` BGR, an array or a tensor.
        size (int, optional): Side that crops must have; None: the pipeline resizes them.
        find_aus (Callable): Action units of the model where its weights do not note them; raises
            ValueError if nothing says.
        cropping (dict, optional): How faces of the training were cropped, by the config.
    """

    pipeline: Callable[[dict], dict]
    size: Optional[int]
    find_aus: Callable[[], Sequence[int]]
    cropping: Optional[dict] = None


def resizes(steps: Sequence[dict]) -> bool:
    """Whether crops of any size become one."""
    return any('Resize' in step['type'] or 'Crop' in step['type'] for step in steps)


class ArrayPipeline:
    """A test pipeline of ``Resize`` and ``PackInputs``, without mmcv.

    Args:
        steps: See :meth:`fits`.
    """

    def __init__(self, steps: Sequence[dict]):
        self.steps: List[dict] = [{**_RESIZE, **step} for step in steps
                                  if step['type'] == 'Resize']

    @staticmethod
    def fits(steps: Sequence[dict]) -> bool:
        """Whether these steps can be done here: to one fixed size, and packing."""
        return all(step['type'] == 'PackInputs' or _is_plain_resize(step) for step in steps)

    def __call__(self, entry: dict) -> dict:
        image = entry['img']
        for step in self.steps:
            image = _resize(image, step)
        return dict(inputs=np.ascontiguousarray(image.transpose(2, 0, 1)))


def _is_plain_resize(step: dict) -> bool:
    given = {**_RESIZE, **step}
    names = dict(pillow=_PILLOW, cv2=_OPENCV).get(given['backend'], {})
    scale: Any = given['scale']
    return (given.pop('type') == 'Resize' and set(given) == set(_RESIZE)
            and not given['keep_ratio'] and given['interpolation'] in names
            and (isinstance(scale, int) or len(scale or ()) == 2))


def _resize(image: np.ndarray, step: dict) -> np.ndarray:
    """As ``mmcv.imresize``; ``scale`` is (width, height), or both."""
    scale = step['scale']
    size = (scale, scale) if isinstance(scale, int) else tuple(scale)
    if step['backend'] == 'pillow':
        return np.array(Image.fromarray(image).resize(size, _PILLOW[step['interpolation']]))
    return cv2.resize(image, size, interpolation=_OPENCV[step['interpolation']])
