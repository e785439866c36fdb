# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Framing and camera at random: rendered faces as all kinds of detectors and cameras show them.

A model that is trained on rendered faces alone must not rely on how they are framed, exposed or
compressed (domain randomisation, Tobin et al., 2017, arXiv 1703.06907). :class:`RandomFraming`
draws what part of the picture the model sees, :class:`RandomCamera` what a camera makes of it.

All random numbers come from the global generator of NumPy, see :mod:`.transforms`.
"""

from typing import Sequence, Tuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

_GREY = np.float32([.114, .587, .299])  # of blue, green, red (ITU-R BT.601)


@TRANSFORMS.register_module()
class RandomFraming(BaseTransform):
    """Cut the face out of a picture that shows it with room around it.

    The part is ``side`` of the picture's width around its middle, times a random zoom, moved,
    turned, stretched and mirrored. Beyond the picture its border is repeated. Bilinear.

    Required and modified key: ``img``, uint8 ``[H, W, 3]``; then ``[size, size, 3]``.

    Args:
        size: Side of the result in pixels.
        side: Side of the part, as a share of the picture's width, (0, 1].
        zoom: Smallest and largest factor of ``side``; uniform.
        shift: Standard deviation of the move to the right, in sides.
        down: Smallest and largest move down, in sides; uniform.
        angle: Standard deviation of the turn in degrees.
        stretch: Standard deviation of the logarithm of the width, and minus that of the height.
        flip: Probability of mirroring left and right.

    Raises:
        ValueError: If ``side`` is outside (0, 1] or a range is not ordered.
    """

    def __init__(self, size: int, side: float = 1.0, zoom: Tuple[float, float] = (0.9, 1.18),
                 shift: float = 0.025, down: Tuple[float, float] = (-0.12, 0.04),
                 angle: float = 5.0, stretch: float = 0.05, flip: float = 0.5):
        if not 0 < side <= 1:
            raise ValueError(f'RandomFraming: side is {side}. Remedy: a share above 0, at most 1.')
        for name, (low, high) in dict(zoom=zoom, down=down).items():
            if low > high:
                raise ValueError(f'RandomFraming: {name}={(low, high)}. Remedy: the smaller first.')
        self.size, self.side, self.zoom, self.shift, self.down = size, side, zoom, shift, down
        self.angle, self.stretch, self.flip = angle, stretch, flip

    def matrix(self, width: int, height: int) -> np.ndarray:
        """A random affine map ``[2, 3]`` from pixels of the result to pixels of the picture."""
        side = width * self.side
        part = side * np.random.uniform(*self.zoom)
        turn = np.radians(np.random.normal(0, self.angle))
        stretch = np.exp(np.random.normal(0, self.stretch))
        middle = np.array([(width - 1) / 2 + side * np.random.normal(0, self.shift),
                           (height - 1) / 2 + side * np.random.uniform(*self.down)])
        mirror = -1 if np.random.rand() < self.flip else 1
        cos, sin = np.cos(turn), np.sin(turn)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(
            [mirror * part * stretch / self.size, part / stretch / self.size])
        start = middle - linear @ np.full(2, (self.size - 1) / 2)
        return np.hstack([linear, start[:, None]]).astype(np.float32)

    def transform(self, results: dict) -> dict:
        """Replace ``results['img']``."""
        image = results['img']
        results['img'] = cv2.warpAffine(
            image, self.matrix(image.shape[1], image.shape[0]), (self.size, self.size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size}, side={self.side})'


@TRANSFORMS.register_module()
class RandomCamera(BaseTransform):
    """What cameras, rooms and files do to a face.

    In this order, each with its probability: fewer pixels, blur, grey or other colours, gamma,
    gain and contrast, light from one side, noise, something in front, JPEG.

    Required and modified key: ``img``, uint8 BGR ``[S, S, 3]``.

    Args:
        grey: Probability of a grey picture.
        exposure: Standard deviation of the logarithms of gamma; those of gain and contrast are
            five sevenths of it.
    """

    def __init__(self, grey: float = 0.5, exposure: float = 0.35):
        self.grey, self.exposure = grey, exposure

    def transform(self, results: dict) -> dict:
        """Change ``results['img']``."""
        image = _sharpness(results['img'])
        x = self._exposed(self._coloured(image.astype(np.float32)) / 255)
        size = len(x)
        if np.random.rand() < .4:
            turn, grid = np.random.uniform(0, 2 * np.pi), np.linspace(-1, 1, size, dtype=np.float32)
            slope = np.cos(turn) * grid + np.sin(turn) * grid[:, None]
            x = x * (1 + np.random.uniform(0, .5) * slope)[..., None]
        if np.random.rand() < .4:
            x = x + np.random.normal(0, np.random.uniform(0, .05), x.shape)
        if np.random.rand() < .3:
            high, wide = np.random.randint(size // 8, size // 3, 2)
            top, left = np.random.randint(0, size - high), np.random.randint(0, size - wide)
            x[top:top + high, left:left + wide] = np.random.rand(3)
        image = (np.clip(x, 0, 1) * 255).astype(np.uint8)
        if np.random.rand() < .3:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(np.random.randint(30, 90))]
            image = cv2.imdecode(cv2.imencode('.jpg', image, quality)[1], cv2.IMREAD_COLOR)
        results['img'] = image
        return results

    def _coloured(self, x: np.ndarray) -> np.ndarray:
        if np.random.rand() < self.grey:
            return np.repeat((x @ _GREY)[..., None], 3, 2)
        x = x * np.exp(np.random.normal(0, .12, 3)).astype(np.float32)
        grey = (x @ _GREY)[..., None]
        return grey + (x - grey) * np.float32(np.random.uniform(.4, 1.5))

    def _exposed(self, x: np.ndarray) -> np.ndarray:
        x = np.clip(x, 0, 1) ** np.float32(np.exp(np.random.normal(0, self.exposure)))
        mean, spread = x.mean(), self.exposure * 5 / 7
        contrast, gain = np.exp(np.random.normal(0, spread, 2))
        return (x - mean) * np.float32(contrast) + mean * np.float32(gain)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(grey={self.grey}, exposure={self.exposure})'


@TRANSFORMS.register_module()
class RandomTexture(BaseTransform):
    """Another texture on the same shapes: a random filter, mixed with the picture.

    The skin of a renderer looks alike everywhere, so a network can read it instead of the face.
    A filter with random weights changes texture and contrast at every edge, and leaves the edges
    where they are (RandConv, Xu et al., ICLR 2021, arXiv 2007.13003, equation 2). The result has
    the mean and the spread of the picture.

    Required and modified key: ``img``, uint8 ``[H, W, 3]``.

    Args:
        prob: Probability.
        mix: Largest share of the filtered picture; uniform from 0.
        sizes: Sides of the filters in pixels, odd; each as likely.

    Raises:
        ValueError: If a number is outside [0, 1] or a side is even.
    """

    def __init__(self, prob: float = 0.4, mix: float = 0.5, sizes: Sequence[int] = (3, 5)):
        if not (0 <= prob <= 1 and 0 <= mix <= 1):
            raise ValueError(f'RandomTexture: prob={prob}, mix={mix}. Remedy: both in [0, 1].')
        if not sizes or any(side % 2 == 0 for side in sizes):
            raise ValueError(f'RandomTexture: sizes={tuple(sizes)}. Remedy: odd sides, as (3, 5).')
        self.prob, self.mix, self.sizes = prob, mix, tuple(sizes)

    def transform(self, results: dict) -> dict:
        """Change ``results['img']``."""
        if np.random.rand() >= self.prob:
            return results
        side = self.sizes[np.random.randint(len(self.sizes))]
        weights = np.random.normal(0, 1 / side, (side, side)).astype(np.float32)
        share = np.float32(np.random.uniform(0, self.mix))
        x = results['img'].astype(np.float32)
        found = cv2.filter2D(x, -1, weights, borderType=cv2.BORDER_REFLECT_101)
        found = (found - found.mean()) * (x.std() / max(found.std(), 1e-3)) + x.mean()
        mixed = (1 - share) * x + share * found
        results['img'] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, mix={self.mix}, sizes={self.sizes})'


def _sharpness(image: np.ndarray) -> np.ndarray:
    """Fewer pixels, then blur."""
    size = len(image)
    if np.random.rand() < .5:
        fewer = int(size * np.random.uniform(.45, 1))
        how: Sequence[int] = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)
        image = cv2.resize(cv2.resize(image, (fewer, fewer), interpolation=cv2.INTER_AREA),
                           (size, size), interpolation=how[np.random.randint(2)])
    if np.random.rand() < .3:
        image = cv2.GaussianBlur(image, (0, 0), np.random.uniform(.3, 1.3) * size / 64)
    return image
