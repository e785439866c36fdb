# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is painted within the box of its mask is what would be painted everywhere."""
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer.raster import Layers, Raster, planes
from fmae_iat_plugin.synthfacs.renderer.scene import Window

RASTER = Raster(Window(.1, -.2, 1.5), 40)


@pytest.fixture
def layers():
    rng = np.random.default_rng(0)
    layers = Layers(RASTER)
    for value in (layers.colour, layers.slope, layers.open, layers.gloss, layers.alpha):
        value[:] = rng.random(value.shape, np.float32)
    return layers


def masks():
    rng = np.random.default_rng(1)
    for rows, columns in (((5, 20), (3, 9)), ((0, 40), (39, 40)), ((0, 0), (0, 0))):
        mask = np.zeros((40, 40), np.float32)
        part = mask[slice(*rows), slice(*columns)]
        part[:] = rng.random(part.shape, np.float32) > .3
        yield mask * np.float32(.7)


@pytest.mark.parametrize('colour', ['one', 'each'])
def test_over(layers, colour):
    """Blend: new share m, old share 1 - m, of every property."""
    rng = np.random.default_rng(2)
    colour = np.float32([9, 8, 7]) if colour == 'one' else rng.random((40, 40, 3), np.float32)
    slope, open_ = rng.random((2, 40, 40), np.float32), rng.random((40, 1), np.float32)
    for mask in masks():
        before = {name: value.astype(float) for name, value in vars(layers).items()
                  if isinstance(value, np.ndarray)}
        layers.over(mask, colour, slope=tuple(slope), open_=open_, gloss=.3)
        m = mask.astype(float)
        for name, new in (('colour', colour), ('slope', np.stack(slope, -1)), ('open', open_),
                          ('gloss', .3)):
            share = m[..., None] if before[name].ndim == 3 else m
            np.testing.assert_allclose(getattr(layers, name),
                                       share * new + (1 - share) * before[name], rtol=1e-5)
            untouched = mask == 0
            assert np.array_equal(getattr(layers, name)[untouched],
                                  before[name][untouched].astype(np.float32))
        assert np.array_equal(layers.alpha, np.maximum(before['alpha'], mask).astype(np.float32))


def test_tint_and_darken(layers):
    box = RASTER.box(-.5, .4, -1, 0)
    for mask in masks():
        before = layers.colour.astype(float)
        layers.tint(mask, [5, 6, 7])
        expected = before + mask[..., None] * (np.array([5, 6, 7]) - before)
        np.testing.assert_allclose(layers.colour, expected, rtol=1e-5)
    before = layers.colour.astype(float)
    share = np.full(before[box].shape[:2], .5)
    layers.darken(box, share, [1, 0, .5])
    before[box] *= [.5, 1, .75]
    np.testing.assert_allclose(layers.colour, before, rtol=1e-6)
    layers.tint(share, [5, 6, 7], box)
    before[box] = .5 * before[box] + .5 * np.array([5, 6, 7])
    np.testing.assert_allclose(layers.colour, before, rtol=1e-6)


@pytest.mark.parametrize('edges', [(-.5, .4, -1, 0), (-9, 9, -9, 9), (.1, .1, -.2, -.2),
                                   (5, 6, 0, 1)])
def test_a_box_holds_the_points_of_its_rectangle(edges):
    x0, x1, y0, y1 = edges
    rows, columns = RASTER.box(*edges)
    inside_x, inside_y = (RASTER.x[0] >= x0) & (RASTER.x[0] <= x1), (
        RASTER.y[:, 0] >= y0) & (RASTER.y[:, 0] <= y1)
    for part, inside in ((columns, inside_x), (rows, inside_y)):
        chosen = np.zeros(40, bool)
        chosen[part] = True
        assert chosen[inside].all() and chosen.sum() <= inside.sum() + 4


def test_strokes_of_many_lines_cover_what_each_covers():
    lines = np.random.default_rng(3).uniform(-1, 1, (6, 2, 2))
    each = np.max([RASTER.strokes(line[None], .05) for line in lines], 0)
    together = RASTER.strokes(lines, .05)
    # where lines cross, the second is blended over the first
    assert (together >= each - .02).all() and ((together > .5) == (each > .5)).mean() > .98


def test_planes_are_the_plain_product_bit_for_bit():
    """Also in the type: pictures of every release of the package depend on it."""
    rng = np.random.default_rng(4)
    for kind in (np.float32, np.float64):
        values, shade = rng.random(3).astype(kind), rng.random((5, 7)).astype(np.float32)
        found, wanted = planes(values, shade), values * shade[..., None]
        assert found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()
        assert found[..., 1].flags.c_contiguous
