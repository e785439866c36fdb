# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Random resized crop and flip of a whole batch, on the device where the model runs.

The boxes are drawn as torchvision's ``RandomResizedCrop`` draws them. The values are those of
Pillow's bicubic resize (Keys, 1981, with a = -0.5; antialiased where a crop shrinks), without its
rounding to whole numbers. Resizing is linear, so a crop is two matrix products: one over the rows,
one over the columns. Each image has its own pair of matrices, which hold the box and the flip, too.
The rows come first, as in Pillow up to 12; Pillow 13 clips in the other order at some sizes.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor

_TRIES = 10  # boxes that are drawn before the whole image is taken, as in torchvision
_CHUNK = 64  # images whose matrices exist at once


class Boxes(NamedTuple):
    """What is cut out of N images.

    Attributes:
        top, left, height, width (Tensor): int64 ``[N]``, pixels.
        flip (Tensor): bool ``[N]``, whether to mirror.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flip: Tensor


def draw_boxes(heights: Tensor, widths: Tensor, area: Optional[Tuple[float, float]],
               aspect: Tuple[float, float], flip: float,
               generator: Optional[torch.Generator] = None) -> Boxes:
    """Draw a box for each image, on the CPU.

    Args:
        heights, widths: Sizes of the images, ``[N]``.
        area: Range of the share of the image; None = the whole image.
        aspect: Range of width / height of the box, uniform in its logarithm.
        flip: Probability of a flip.
        generator: Defaults to PyTorch's, which ``RepeatableHook`` seeds at each iteration.
    """
    count = len(heights)
    numbers = torch.rand(count, _TRIES, 4, dtype=torch.float64, generator=generator)
    flips = torch.rand(count, generator=generator) < flip
    high, wide = heights.double()[:, None], widths.double()[:, None]
    if area is None:
        zero = torch.zeros_like(heights)
        return Boxes(zero, zero, heights, widths, flips)
    target = high * wide * (area[0] + (area[1] - area[0]) * numbers[..., 0])
    low, most = (torch.tensor(value, dtype=torch.float64).log() for value in aspect)
    ratio = (low + (most - low) * numbers[..., 1]).exp()
    width, height = (target * ratio).sqrt().round(), (target / ratio).sqrt().round()
    fits = (width > 0) & (width <= wide) & (height > 0) & (height <= high)
    first = fits.double().argmax(1, keepdim=True)
    height, width, up, along = (values.gather(1, first)[:, 0] for values in (
        height, width, numbers[..., 2], numbers[..., 3]))
    boxes = [(up * (heights - height + 1)).floor(), (along * (widths - width + 1)).floor(),
             height, width]
    central = _central(heights.double(), widths.double(), aspect)
    found = fits.any(1)
    top, left, height, width = (torch.where(found, drawn, other).long()
                                for drawn, other in zip(boxes, central))
    return Boxes(top, left, height, width, flips)


def _central(heights: Tensor, widths: Tensor, aspect: Tuple[float, float]) -> List[Tensor]:
    """What torchvision takes where no box fits: as much of the middle as the aspect allows."""
    ratio = widths / heights
    width = torch.where(ratio > aspect[1], (heights * aspect[1]).round(), widths)
    height = torch.where(ratio < aspect[0], (widths / aspect[0]).round(), heights)
    return [((heights - height) / 2).floor(), ((widths - width) / 2).floor(), height, width]


def resize_weights(length: int, start: Tensor, extent: Tensor, size: int,
                   flip: Optional[Tensor] = None) -> Tensor:
    """Matrices that cut ``extent`` pixels out of ``length`` and resize them to ``size``.

    Args:
        length: Pixels along this side of the image.
        start, extent: First pixel and number of pixels of each box, ``[N]``.
        size: Pixels of the result.
        flip: Whether the result runs backwards, bool ``[N]``.

    Returns:
        Tensor: float32 ``[N, size, length]``; each row adds up to 1.
    """
    places = torch.arange(size, device=start.device, dtype=torch.float32)
    if flip is not None:
        places = torch.where(flip[:, None], size - 1 - places, places)
    scale = extent.float() / size  # pixels of the image per pixel of the result
    centre = (places + 0.5) * scale[:, None]  # in the box
    inside = torch.arange(length, device=start.device, dtype=torch.float32) - start[:, None]
    distance = (inside[:, None, :] + 0.5 - centre.expand(len(start), size)[:, :, None]).abs()
    weights = _bicubic(distance / scale.clamp(min=1)[:, None, None])
    weights = weights * ((inside >= 0) & (inside < extent[:, None]))[:, None, :]
    return weights / weights.sum(2, keepdim=True)


def _bicubic(distance: Tensor, a: float = -0.5) -> Tensor:
    """Keys' kernel with Pillow's parameter."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.))


def crop_and_resize(images: Union[Tensor, Sequence[Tensor]], boxes: Boxes, size: int) -> Tensor:
    """Cut the boxes out and resize them.

    Args:
        images: uint8 ``[N, C, H, W]``, in any memory format, or N images ``[C, H, W]``.
        boxes: For each image; on any device.
        size: Side of the result.

    Returns:
        Tensor: float32 ``[N, C, size, size]``, 0 to 255.
    """
    if not isinstance(images, Tensor):
        return torch.cat([crop_and_resize(image[None], Boxes(*(part[i:i + 1] for part in boxes)),
                                          size) for i, image in enumerate(images)])
    device = images.device
    boxes = Boxes(*(part.to(device, non_blocking=True) for part in boxes))
    done = torch.empty(len(images), images.shape[1], size, size, device=device)
    with torch.autocast(device.type, enabled=False):  # bfloat16 would lose half the grey levels
        for first in range(0, len(images), _CHUNK):
            part = slice(first, first + _CHUNK)
            top, left, height, width, flip = (values[part] for values in boxes)
            rows = resize_weights(images.shape[2], top, height, size)
            columns = resize_weights(images.shape[3], left, width, size, flip)
            along = images[part].float() @ columns.transpose(1, 2)[:, None]
            done[part] = rows[:, None] @ along.clamp_(0, 255)  # as Pillow, between its two passes
    return done.clamp_(0, 255)


class RandomCrop:
    """Random resized crop and flip of a batch.

    Args:
        size: Side of the result.
        crop_ratio_range: Range of the share of the image; None = the whole image is resized.
        aspect_ratio_range: Range of width / height of the box.
        flip: Probability of a flip.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, size: int, crop_ratio_range: Optional[Sequence[float]] = (0.2, 1.0),
                 aspect_ratio_range: Sequence[float] = (3 / 4, 4 / 3), flip: float = 0.5):
        if size < 1 or not 0 <= flip <= 1:
            raise ValueError(f'random_resized_crop: size={size}, flip={flip}. Remedy: a positive '
                             'size, and a probability in [0, 1]')
        for name, pair, most in (('crop_ratio_range', crop_ratio_range or (1, 1), 1),
                                 ('aspect_ratio_range', aspect_ratio_range, float('inf'))):
            if len(pair) != 2 or not 0 < pair[0] <= pair[1] <= most:
                raise ValueError(f'random_resized_crop: {name}={pair}. Remedy: two numbers, the '
                                 f'smaller first, above 0 and at most {most}')
        self.size, self.flip = size, flip
        self.area = None if crop_ratio_range is None else (crop_ratio_range[0], crop_ratio_range[1])
        self.aspect = (aspect_ratio_range[0], aspect_ratio_range[1])

    def __call__(self, images: Union[Tensor, Sequence[Tensor]]) -> Tensor:
        """See :func:`crop_and_resize`."""
        sizes = torch.tensor([tuple(image.shape[-2:]) for image in images])
        boxes = draw_boxes(sizes[:, 0], sizes[:, 1], self.area, self.aspect, self.flip)
        return crop_and_resize(images, boxes, self.size)
