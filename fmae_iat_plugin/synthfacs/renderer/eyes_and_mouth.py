# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Paint of eyeballs, teeth and tongue, which show through the holes of the skin, and of glasses."""
import numpy as np

from .raster import Raster
from .scene import Window
from .skin import bgr


def iris_centre(curves, side):
    """Position of the pupil of an eye that looks straight ahead."""
    return side * curves.id.eye_x, -0.016


def paint_eyeball(curves, per_unit, side, rng):
    """Paint one eyeball.

    Args:
        curves (FaceCurves): Face of the eyeball.
        per_unit (float): Texels per face unit.
        side (int): -1 left of the image, 1 right.
        rng (np.random.Generator): Source of the fibres of the iris.

    Returns:
        tuple: The Raster on which it is painted; blue, green, red uint8 [h, h, 3].
    """
    i = curves.id
    r = Raster(Window(side * i.eye_x, 0.0, .34), max(8, round(.68 * per_unit)))
    cx, cy = iris_centre(curves, side)
    x, y = r.x, r.y
    d = np.hypot(x - cx, y - cy)
    ball = np.clip(np.hypot(x - side * i.eye_x, y * .9) / .26, 0, 1)
    eye = np.float32([206, 212, 218]) * (1 - .42 * ball ** 2)[..., None]
    inner = np.exp(-np.hypot((x - side * (i.eye_x - i.eye_half_width)) / .045, y / .035))
    eye += inner[..., None] * (np.float32([120, 122, 190]) - eye)
    angle = np.arctan2(y - cy, x - cx)
    fibres = sum(np.sin(k * angle + rng.uniform(0, 6.28)) for k in (9, 17, 31))
    inside = d / i.iris
    iris = bgr(i.iris_colour) * (1.05 + .09 * fibres)[..., None]
    iris *= (1 + .35 * np.clip((y - cy) / i.iris, -1, 1))[..., None]   # light from above
    iris *= (1 - .65 * np.exp(-0.5 * ((inside - .97) / .10) ** 2))[..., None]   # limbal ring
    eye += r.inside(d - i.iris, .014)[..., None] * (iris - eye)
    eye += r.inside(d - .40 * i.iris, .012)[..., None] * (np.float32([10, 9, 9]) - eye)
    eye *= 1 - i.eye_shade  # the lids' shadow
    for dx, dy, size, level in ((-.030, -.034, .017, .95), (.032, .030, .008, .45)):
        spot = r.inside(np.hypot(x - cx - dx, y - cy - dy) - size, .012)
        level *= max(1 - 1.5 * i.eye_shade, 0)
        eye += (spot * level)[..., None] * (np.float32([255, 255, 255]) - eye)
    return r, np.clip(eye, 0, 255).astype(np.uint8)


def paint_mouth(curves, per_unit):
    """Paint the upper teeth, and tongue with lower teeth, as blue, green, red, coverage.

    The second picture moves with the jaw.

    Returns:
        tuple: Raster; uint8 [h, h, 4] upper; uint8 [h, h, 4] lower.
    """
    i = curves.id
    half = i.mouth_half_width + .22
    r = Raster(Window(0.0, i.mouth_y + .08, half), max(8, round(2 * half * per_unit)))
    x, y = r.grid
    u = x / i.mouth_half_width
    round_ = np.clip(1 - np.square(u), 0, 1)
    at = np.abs(x) / (.130 * (1 - .30 * np.minimum(np.abs(u), 1)))
    gap = np.abs(at - np.round(at))
    tooth = np.float32([198, 216, 222]) * (.50 + .50 * round_ ** .5)[..., None]
    tooth *= (1 - .34 * np.exp(-np.square(gap / .09)))[..., None]
    tip = .012 * np.square(2 * gap - 1)
    edge = i.mouth_y + .056 - .035 * np.square(u) - tip
    gum = np.clip((edge - .135 - .02 * np.cos(2 * np.pi * at) - y) / .03 + .5, 0, 1)[..., None]
    upper = tooth + gum * (np.float32([104, 96, 186]) - tooth)
    cover = r.inside(y - edge) * r.inside(np.abs(x) - .95 * i.mouth_half_width, .03)
    ridge = i.mouth_y + .070 + .025 * np.square(u) + tip
    low = tooth * .80
    tongue = np.float32([88, 74, 158]) * (.75 + .35 * np.exp(-np.square(x / .22)))[..., None]
    tongue *= (1 - .25 * np.exp(-np.square(x / .03)))[..., None]
    is_tooth = r.inside(ridge - y) * r.inside(np.abs(x) - .84 * i.mouth_half_width, .03)
    top = i.mouth_y - .02 + .10 * np.square(u)
    is_tongue = r.inside(top - y, .05) * r.inside(np.abs(x) - .80 * i.mouth_half_width, .05)
    lower = tongue + is_tooth[..., None] * (low - tongue)
    lower_cover = np.maximum(is_tooth, is_tongue)

    def pack(colour, alpha):
        return np.clip(np.dstack([colour, 255 * alpha]), 0, 255).astype(np.uint8)

    return r, pack(upper, cover), pack(lower, lower_cover)


def paint_glasses(curves, raster):
    """Paint glasses as premultiplied colour and coverage, uint8 [H, W, 4]; None without glasses."""
    i, r = curves.id, raster
    if i.glasses == 'none':
        return None
    thin = i.glasses == 'thin'
    width = .016 if thin else .038
    colour = np.float32([70, 74, 78] if thin else [26, 24, 30])
    x, y = r.grid
    a = np.abs(x)
    rx, ry, p = (.335, .255, 2.6) if thin else (.345, .245, 4.0)
    d = (((np.abs(a - .53) / rx) ** p + (np.abs(y - .045) / ry) ** p) ** (1 / p) - 1) * .28
    frame = r.inside(np.abs(d) - width / 2, .012)
    bridge = r.inside(np.abs(y + .03 - .35 * x * x) - width / 2, .012) * (a < .53 - rx + .02)
    arms = r.inside(np.abs(y + .06) - width / 2, .012) * (a > .53 + rx - .02) * (
        a < i.face_width - .01)
    mask = np.maximum.reduce([frame, bridge, arms])
    lens = r.inside(d, .01) * (1 - mask)
    glare = lens * np.exp(-0.5 * ((x - .4 * y - np.sign(x) * .40) / .05) ** 2) * .10
    alpha = np.clip(mask * .96 + glare, 0, 1)
    paint = colour * (mask * .96)[..., None] + 255 * glare[..., None]
    return np.clip(np.dstack([paint, alpha * 255]), 0, 255).astype(np.uint8)
