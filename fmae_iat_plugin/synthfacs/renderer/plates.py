# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The paint that is made once per identity: skin, hair, eyeballs, glasses, background."""
from functools import lru_cache

import numpy as np

from . import eyes_and_mouth as openings
from . import hair, relief, skin
from .geometry import FaceCurves
from .identity import Identity, sample_identity
from .raster import Layers, Raster, planes
from .scene import FRAMINGS, Window
from .skin_folds import fold_maps
from .warp import Anatomy

MARGIN = 1.20    # the painted window in framing windows, for shifts and turns
CACHED = 32      # identities kept (about 7 MB each at 224 pixels)


class Plates:
    """All paint of one identity at one framing and resolution.

    Args:
        identity (Identity): Person.
        framing (str): A key of ``FRAMINGS``.
        size (int): Image side in pixels.
    """

    def __init__(self, identity, framing, size):
        window = FRAMINGS[framing]
        self.identity = identity
        self.curves = FaceCurves(identity)
        self.anatomy = Anatomy(self.curves, framing)
        wide = Window(window.cx, window.cy, window.half * MARGIN)
        self.raster = Raster(wide, round(size * MARGIN))
        rng = np.random.default_rng([identity.seed, 11])
        layers = self._paint(rng)
        self.paint = np.dstack([layers.colour, layers.alpha])
        self.full = np.full_like(layers.alpha, 255)
        gx, gy = layers.slope[..., 0], layers.slope[..., 1]
        length = np.sqrt(gx * gx + gy * gy + 1)
        self.normal = np.dstack([-gx / length, -gy / length, 1 / length])
        self.open, self.direct = layers.open, 0.35 + 0.65 * layers.open
        # highlights add white, so gloss is relative to the brightness of the paint
        self.gloss = 72 * layers.gloss * layers.open / np.maximum(layers.colour.mean(-1), 20)
        self.alpha = layers.alpha
        self.folds = fold_maps(self.curves, self.raster, (gx, gy))
        per_unit = self.raster.per_unit
        self.eyeballs = [openings.paint_eyeball(self.curves, per_unit, side, rng)
                         for side in (-1, 1)]
        self.mouth = openings.paint_mouth(self.curves, per_unit)
        self.glasses = openings.paint_glasses(self.curves, self.raster)
        self.background = paint_background(identity, size)

    def _paint(self, rng):
        layers, curves = Layers(self.raster), self.curves
        _, rho = relief.polar(curves, self.raster)
        strands = hair.strands_of(curves, self.raster)
        hair.paint_hair(layers, curves, rho, strands, back=True)
        skin.paint_body(layers, curves, rng)
        if self.identity.hair_style not in ('long', 'bob', 'fringe'):
            skin.paint_ears(layers, curves)
        skin.paint_face(layers, curves, rho, rng)
        hair.paint_beard(layers, curves, rho, rng)
        hair.paint_hair(layers, curves, rho, strands, back=False)
        hair.paint_brows(layers, curves, rng)
        if self.identity.hair_style in ('long', 'bob', 'fringe'):
            hair.paint_locks(layers, curves, strands)
        return layers


def paint_background(identity, size):
    """A wall out of focus: one colour, a gradient, soft shapes; uint8 [size, size, 3]."""
    rng = np.random.default_rng([identity.seed, 12])
    raster = Raster(Window(0, 0, 1), size)
    base = skin.bgr(identity.background)
    shape = raster.noise(rng, rng.uniform(.25, 1.2)) * rng.uniform(0, .22)
    tilt = rng.uniform(-.22, .22) * raster.x + rng.uniform(-.25, .15) * raster.y
    tint = 1 + rng.normal(0, .10, 3)
    picture = planes(base, 1 + np.clip(shape, -.4, .4) + tilt)
    picture = picture * (1 + planes(tint - 1, np.clip(shape, -1, 1)))
    return np.ascontiguousarray(np.clip(picture, 0, 255).astype(np.uint8))


@lru_cache(maxsize=CACHED)
def _cached(identity, framing, size):
    return Plates(identity, framing, size)


def plates_of(identity, framing, size):
    """Cached :class:`Plates`.

    Args:
        identity (int | Identity): Seed or person.
        framing (str): A key of ``FRAMINGS``.
        size (int): Image side in pixels.

    Raises:
        ValueError: If the framing does not exist.
    """
    if framing not in FRAMINGS:
        raise ValueError(f'framing must be one of {tuple(FRAMINGS)}, not {framing!r}')
    if not isinstance(identity, Identity):
        identity = sample_identity(identity)
    return _cached(identity, framing, size)


def forget_plates() -> None:
    """Empty the cache of :func:`plates_of`."""
    _cached.cache_clear()
