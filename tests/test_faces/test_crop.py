# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Crops against brute force: which pixels they show, and with which weights."""

import cv2
import numpy as np
import pytest

from fmae_iat_plugin.faces import CropError, CropOptions
from fmae_iat_plugin.faces.crop import clip, crop_face, cut, encode, enlarge, halve


def ramp(width, height):
    """Blue is the column, green the row, red a constant."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width)[None], np.arange(height)[:, None]
    image[..., 2] = 77
    return image


def bilinear(image, box, size):
    """An enlarged crop by the formula: sample positions are centres of pixels, the rim repeated."""
    x1, y1, x2, y2 = box
    result = np.empty((size, size, 3))
    rows = [y1 + (i + .5) * (y2 - y1) / size - .5 for i in range(size)]
    columns = [x1 + (i + .5) * (x2 - x1) / size - .5 for i in range(size)]
    low_x, low_y = int(np.floor(x1)), int(np.floor(y1))
    high_x, high_y = int(np.ceil(x2)) - 1, int(np.ceil(y2)) - 1

    def pixel(y, x):
        y, x = np.clip(y, low_y, high_y), np.clip(x, low_x, high_x)
        return image[np.clip(y, 0, image.shape[0] - 1),
                     np.clip(x, 0, image.shape[1] - 1)].astype(float)

    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            a, b = int(np.floor(y)), int(np.floor(x))
            v, u = y - a, x - b
            result[i, j] = ((1 - v) * ((1 - u) * pixel(a, b) + u * pixel(a, b + 1))
                            + v * ((1 - u) * pixel(a + 1, b) + u * pixel(a + 1, b + 1)))
    return result


def test_the_published_crop_adds_five_percent_of_the_box_on_each_side():
    assert enlarge((100, 200, 300, 240), .05) == pytest.approx((90, 198, 310, 242))
    options = CropOptions()
    assert (options.size, options.margin, options.square, options.align, options.halve,
            options.track, options.faces) == (224, None, False, None, False, 0, 'largest')
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    crop = crop_face(image, (100, 100, 300, 240), options)
    expected = cv2.resize(image[93:247, 90:310], (224, 224))  # enlarging: plain bilinear
    assert crop.shape == (224, 224, 3) and np.abs(crop.astype(int) - expected).max() <= 3
    assert crop.flags.writeable  # or PyTorch warns


def test_square_is_around_the_same_centre_with_the_longer_side():
    assert enlarge((10, 20, 30, 60), 0, square=True) == (0, 20, 40, 60)
    assert enlarge((10, 20, 30, 60), .25, square=True) == (-10, 10, 50, 70)


@pytest.mark.parametrize('box', [(10.25, 8.5, 30.75, 27), (4, 5, 20, 21), (0, 0, 9.5, 12.1)])
def test_enlarged_crops_equal_the_formula(box):
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    np.testing.assert_allclose(cut(image, box, 48).astype(float), bilinear(image, box, 48), atol=2)


def test_shrunk_crops_average_all_pixels():
    noise = np.random.default_rng(2).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    assert cut(noise, (0, 0, 256, 256), 8).std() < 8 < 60 < noise.std()
    crop = cut(ramp(200, 240), (20, 40, 180, 200), 16).astype(float)
    middle = 20 + (np.arange(16) + .5) * 10 - .5  # mean of the columns under each pixel
    np.testing.assert_allclose(crop[1:-1, 1:-1, 0], np.tile(middle[1:-1], (14, 1)), atol=1)
    np.testing.assert_allclose(crop[1:-1, 1:-1, 1].T, np.tile(middle[1:-1] + 20, (14, 1)), atol=1)
    assert (crop[..., 2] == 77).all()


def test_outside_the_image_the_box_is_cut_off_and_a_square_repeats_the_rim():
    image = ramp(60, 40)
    box = (-20, 10, 20, 30)
    crop = crop_face(image, box, CropOptions(margin=0, size=32))
    np.testing.assert_allclose(crop, cut(image, (0, 10, 20, 30), 32))
    square = crop_face(image, box, CropOptions(margin=0, size=40, square=True))
    padded = cv2.copyMakeBorder(image, 50, 50, 50, 50, cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(square, padded[50:90, 30:70])


def test_clip_keeps_a_pixel():
    assert clip((-30, -3, -20, 200), 10, 20) == (0, 0, 1, 20)
    assert clip((30, 25, 40, 26), 10, 20) == (9, 19, 10, 20)


def test_colours_and_png_survive():
    image = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    same = cut(image, (0, 0, 32, 32), 32)
    np.testing.assert_array_equal(same, image)
    decoded = cv2.imdecode(np.frombuffer(encode(same, 'png'), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded, image)


def test_halving_is_the_mean_of_four():
    image = np.random.default_rng(4).integers(0, 256, (10, 14, 3), dtype=np.uint8)
    mean = image.reshape(5, 2, 7, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(halve(image), mean, atol=.51)
    assert halve(image[:1, :1]).shape == (1, 1, 3)


@pytest.mark.parametrize('change,words', [
    (dict(faces='best'), "faces is 'best'"), (dict(margin=-.5), 'margin is -0.5'),
    (dict(size=0), 'size is 0'), (dict(align=6), 'align is 6'), (dict(track=-1), 'track is -1'),
    (dict(image_format='gif'), "'gif'"), (dict(align=5, square=True), 'square and align')])
def test_options_out_of_range(change, words):
    with pytest.raises(CropError, match=words):
        CropOptions(**change).check()
