# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Crops on the device against torchvision's: the values of each box, and how boxes are drawn."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import ks_2samp
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms import functional as F

from fmae_iat_plugin.models import FaceDataPreprocessor
from fmae_iat_plugin.models.device_crop import (
    Boxes,
    RandomCrop,
    crop_and_resize,
    draw_boxes,
    resize_weights,
)


def picture(height, width, seed=0):
    """Edges from black to white, where bicubic values overshoot, and noise."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    image[height // 3:height // 2] = 255
    image[:, width // 3:width // 2] = 0
    return image


def boxes(*rows):
    columns = torch.tensor(rows)
    return Boxes(*columns[:, :4].T, columns[:, 4].bool())


@pytest.mark.parametrize('height, width, size', [(40, 40, 40), (40, 30, 24), (120, 90, 32)])
def test_values_are_pillows(height, width, size):
    """Every value within 1.5 of the 255 grey levels of Pillow's, which rounds twice; enlarged,
    shrunk, along the border, one pixel, flipped.

    Pillow resizes along the rows, then along the columns; Pillow 13 does it the other way round at
    some sizes, and clips other values between. Asked for one direction at a time, all versions are
    the same.
    """
    image = picture(height, width)
    rows = [(0, 0, height, width, 0), (0, 0, height, width, 1), (3, 5, 17, 11, 0),
            (5, 3, 11, 20, 1), (height - 9, width - 7, 9, 7, 0), (2, 2, 1, 1, 0), (0, 4, 2, 3, 1)]
    batch = torch.from_numpy(image).permute(2, 0, 1).expand(len(rows), -1, -1, -1)
    found = crop_and_resize(batch, boxes(*rows), size)
    for got, (top, left, high, wide, flip) in zip(found, rows):
        box = Image.fromarray(image).crop((left, top, left + wide, top + high))
        rows_first, columns_first = (
            np.array(box.resize(first, Image.BICUBIC).resize((size, size), Image.BICUBIC))
            for first in ((size, high), (wide, size)))
        args = (top, left, high, wide, [size, size], InterpolationMode.BICUBIC)
        at_once = np.array(F.resized_crop(Image.fromarray(image), *args))
        assert (at_once == rows_first).all() or (at_once == columns_first).all()
        pillow = torch.from_numpy(rows_first).permute(2, 0, 1).float()
        pillow = pillow.flip(2) if flip else pillow
        assert (got - pillow).abs().max() < 1.5 and (got - pillow).abs().mean() < 0.4
    assert found.min() >= 0 and found.max() <= 255


def test_sizes_memory_formats_and_chunks_make_no_difference(monkeypatch):
    images = [torch.from_numpy(picture(20, 20 + n, n)).permute(2, 0, 1) for n in range(5)]
    rows = boxes(*[(n, 1, 9, 8 + n, n % 2) for n in range(5)])
    each = crop_and_resize(images, rows, 12)
    same = [image[..., :20] for image in images]
    batch, last = torch.stack(same), torch.stack(same).to(memory_format=torch.channels_last)
    whole = crop_and_resize(batch, rows, 12)
    monkeypatch.setattr('fmae_iat_plugin.models.device_crop._CHUNK', 2)
    torch.testing.assert_close(each, whole)
    torch.testing.assert_close(crop_and_resize(last, rows, 12), whole)
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(crop_and_resize(batch, rows, 12), whole)


def test_weights_of_a_box_end_at_its_border():
    weights = resize_weights(10, torch.tensor([3]), torch.tensor([4]), 8)[0]
    assert (weights[:, :3] == 0).all() and (weights[:, 7:] == 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(8))


@pytest.mark.parametrize('size, area', [((224, 224), (0.2, 1.)), ((90, 60), (0.08, 1.)),
                                        ((20, 100), (0.5, 1.))])
def test_boxes_are_distributed_as_torchvisions(size, area):
    """Two-sample Kolmogorov-Smirnov on each number of 1500 boxes, and on area and aspect."""
    torch.manual_seed(0)
    aspect, count = (3 / 4, 4 / 3), 1500
    heights, widths = (torch.full((count, ), side) for side in size)
    drawn = draw_boxes(heights, widths, area, aspect, 0.5)
    ours = torch.stack(drawn[:4], 1).numpy()
    blank = torch.empty(3, *size)
    theirs = np.array([RandomResizedCrop.get_params(blank, list(area), list(aspect))
                       for _ in range(count)])
    for mine, other in zip((*ours.T, ours[:, 2] * ours[:, 3], ours[:, 3] / ours[:, 2]),
                           (*theirs.T, theirs[:, 2] * theirs[:, 3], theirs[:, 3] / theirs[:, 2])):
        assert ks_2samp(mine, other).pvalue > 1e-3
    assert abs(drawn.flip.double().mean() - 0.5) < 0.06
    assert (ours[:, 0] + ours[:, 2] <= size[0]).all() and (ours[:, 1] + ours[:, 3] <= size[1]).all()
    assert ours[:, :2].min() == 0 and ours[:, 2:].min() > 0


def test_the_preprocessor_crops_in_training_only():
    options = dict(mean=[10., 20., 30.], std=[2., 4., 5.], to_rgb=True)
    crop = FaceDataPreprocessor(random_resized_crop=dict(size=16), **options)
    plain = FaceDataPreprocessor(**options)
    images = torch.stack([torch.from_numpy(picture(24, 24, n)).permute(2, 0, 1) for n in range(4)])
    torch.manual_seed(3)
    inputs = crop(dict(inputs=images), training=True)['inputs']
    torch.manual_seed(3)
    expected = plain(dict(inputs=RandomCrop(16)(images)))['inputs']
    torch.testing.assert_close(inputs, expected)
    torch.manual_seed(3)
    torch.testing.assert_close(crop(dict(inputs=list(images)), training=True)['inputs'], expected)
    torch.testing.assert_close(crop(dict(inputs=images))['inputs'],
                               plain(dict(inputs=images))['inputs'])
    whole = FaceDataPreprocessor(random_resized_crop=dict(
        size=24, crop_ratio_range=None, flip=1), **options)
    torch.testing.assert_close(whole(dict(inputs=images), training=True)['inputs'],
                               plain(dict(inputs=images))['inputs'].flip(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize('options, message', [
    (dict(size=0), 'size=0'), (dict(size=8, flip=2), 'flip=2'),
    (dict(size=8, crop_ratio_range=(0.5, 0.2)), 'crop_ratio_range'),
    (dict(size=8, crop_ratio_range=(0.5, 1.2)), 'crop_ratio_range'),
    (dict(size=8, aspect_ratio_range=(0, 1)), 'aspect_ratio_range')])
def test_wrong_numbers_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        RandomCrop(**options)
