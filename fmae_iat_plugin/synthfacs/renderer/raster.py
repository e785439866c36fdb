# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A sampled piece of the face plane and the layers painted on it."""
from functools import cached_property

import cv2
import numpy as np


class Raster:
    """A square grid of points of the face plane.

    Args:
        window (Window): Centre and half extent.
        pixels (int): Points per side.
    """

    def __init__(self, window, pixels):
        self.window, self.pixels = window, int(pixels)
        self.per_unit = self.pixels / (2 * window.half)
        at = (np.arange(self.pixels) + 0.5) / self.per_unit - window.half
        self.x = (at + window.cx).astype(np.float32)[None]
        self.y = (at + window.cy).astype(np.float32)[:, None]
        self.x0, self.y0 = window.cx - window.half, window.cy - window.half

    @cached_property
    def grid(self):
        """x and y as full arrays."""
        x, y = np.broadcast_arrays(self.x, self.y)
        return np.ascontiguousarray(x), np.ascontiguousarray(y)

    def to_pixels(self, points):
        """Array index coordinates (0 is the centre of the first pixel) of face-plane points."""
        return (np.asarray(points) - (self.x0, self.y0)) * self.per_unit - 0.5

    def box(self, x0, x1, y0, y1):
        """The rows and columns whose points lie in a rectangle, two slices."""
        (left, top), (right, bottom) = self.to_pixels([(x0, y0), (x1, y1)])
        first, last = np.clip(np.floor([[top, left], [bottom + 2, right + 2]]), 0, self.pixels
                              ).astype(int)
        return slice(first[0], last[0]), slice(first[1], last[1])

    @cached_property
    def indexing(self):
        """The affine map of :meth:`to_pixels`, [2, 3], for cv2.transform."""
        k = self.per_unit
        return np.float32([[k, 0, -self.x0 * k - 0.5], [0, k, -self.y0 * k - 0.5]])

    def blob(self, x, y, sx, sy):
        """Axis-aligned Gaussian of height 1."""
        return (np.exp(-0.5 * ((self.y - y) / sy) ** 2) * np.exp(-0.5 * ((self.x - x) / sx) ** 2)
                ).astype(np.float32, copy=False)

    def pair(self, x, y, sx, sy):
        """The same blob on both sides."""
        return self.blob(x, y, sx, sy) + self.blob(-x, y, sx, sy)

    def inside(self, distance, soft=0.0):
        """Coverage of {distance < 0}, anti-aliased; ``soft`` widens the edge (face units)."""
        width = max(1.0 / self.per_unit, soft)
        return np.clip(0.5 - distance / width, 0, 1).astype(np.float32, copy=False)

    def strokes(self, lines, width, fine=2):
        """Coverage of thin strokes.

        Args:
            lines (np.ndarray): Face-plane points, [lines, points of a line, 2].
            width (float): Width in face units; at least half a pixel is drawn.
            fine (int): Supersampling.
        """
        canvas = np.zeros((self.pixels * fine,) * 2, np.uint8)
        thick = max(1, int(round(width * self.per_unit * fine)))
        scaled = np.round((self.to_pixels(lines) * fine + (fine - 1) / 2) * 16).astype(np.int32)
        cv2.polylines(canvas, list(scaled), False, 255, thick, cv2.LINE_AA, 4)
        small = cv2.resize(canvas, (self.pixels,) * 2, interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / 255

    def polygon(self, points, fine=2):
        """Coverage of a filled polygon."""
        canvas = np.zeros((self.pixels * fine,) * 2, np.uint8)
        at = np.round((self.to_pixels(points) * fine + (fine - 1) / 2) * 16).astype(np.int32)
        cv2.fillPoly(canvas, [at], 255, cv2.LINE_AA, 4)
        small = cv2.resize(canvas, (self.pixels,) * 2, interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / 255

    def slope(self, height):
        """Derivatives of a height field in x and y."""
        dy, dx = np.gradient(height.astype(np.float32), 1.0 / self.per_unit)
        return dx, dy

    def noise(self, rng, scale, octaves=1):
        """Smooth noise of about unit variance, with features of size ``scale`` (face units)."""
        out = np.zeros((self.pixels,) * 2, np.float32)
        for k in range(octaves):
            n = max(4, int(2 * self.window.half / (scale / 2 ** k)) + 3)
            base = rng.standard_normal((n, n)).astype(np.float32)
            out += cv2.resize(base, (self.pixels,) * 2, interpolation=cv2.INTER_CUBIC) / 2 ** k
        return out


def planes(values, shade):
    """``values * shade`` with the channels last, [H, W, C], of C values and of [H, W].

    In memory each channel is a plane, because NumPy is slow along an axis of two or three.
    """
    return np.moveaxis(np.asarray(values)[:, None, None] * shade, 0, -1)


class Layers:
    """Surface properties under construction: colour, slope, occlusion, gloss, coverage.

    Attributes:
        colour (np.ndarray): Blue, green, red albedo in 0-255, [H, W, 3].
        slope (np.ndarray): Derivatives of the height in x and y, [H, W, 2].
        open (np.ndarray): Share of the ambient light that arrives, [H, W].
        gloss (np.ndarray): Strength of the mirror reflection, [H, W].
        alpha (np.ndarray): Coverage, [H, W].
    """

    def __init__(self, raster):
        size = (raster.pixels,) * 2
        self.raster = raster
        self.colour = np.moveaxis(np.zeros((3, *size), np.float32), 0, -1)  # each a plane
        self.slope = np.moveaxis(np.zeros((2, *size), np.float32), 0, -1)
        self.open = np.ones(size, np.float32)
        self.gloss = np.zeros(size, np.float32)
        self.alpha = np.zeros(size, np.float32)

    def darken(self, box, share, colour=1.0):
        """Multiply what is in ``box`` by 1 - ``share``, and channels as much as ``colour``."""
        colour = np.broadcast_to(np.float32(colour), 3)
        for k in range(3):
            self.colour[box][..., k] *= 1 - share * colour[k]

    def over(self, mask, colour, slope=None, open_=1.0, gloss=0.0):
        """Lay a new surface over the present one, with coverage ``mask``."""
        box = _box(mask)
        mask = mask[box]
        _blend(self.colour[box], mask, _channels(_part(colour, box)))
        if slope is not None:
            _blend(self.slope[box], mask, [_part(part, box) for part in slope])
        self.open[box] += mask * (_part(open_, box) - self.open[box])
        self.gloss[box] += mask * (_part(gloss, box) - self.gloss[box])
        self.alpha[box] = np.maximum(self.alpha[box], mask)

    def tint(self, mask, colour, box=None):
        """Change the colour only; in ``box`` if the mask is that of a box."""
        if box is None:
            box = _box(mask)
            mask, colour = mask[box], _part(colour, box)
        _blend(self.colour[box], mask, _channels(np.asarray(colour, np.float32)))


def _channels(colour):
    """The channels of [C] or of [H, W, C]."""
    return [colour[..., k] for k in range(colour.shape[-1])]


def _blend(target, mask, channels):
    """Lay channels over ``target`` [H, W, C] with coverage ``mask`` [H, W]."""
    for k, new in enumerate(channels):
        target[..., k] += mask * (new - target[..., k])


def _box(mask):
    """The rows and columns that hold all of a mask that is not 0."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _part(value, box):
    """Of something that is broadcast to the rows and columns of a raster."""
    shape = np.shape(value)
    if len(shape) < 2:
        return value
    return value[tuple(slice(None) if side == 1 else part for side, part in zip(shape, box))]
