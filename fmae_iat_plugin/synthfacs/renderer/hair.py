# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Hair of the head, brows and beard, drawn as strands."""
import cv2
import numpy as np

from .geometry import SIDES
from .raster import planes
from .skin import bgr

# style -> (volume at the crown, volume at the sides, length below the eye line, hairline shift)
_STYLES = dict(bald=(0, 0, None, -.5), short=(.10, .03, None, 0), parted=(.17, .07, None, .02),
               long=(.16, .14, 2.5, .0), bob=(.17, .20, 1.35, .0), back=(.07, .03, None, -.02),
               curly=(.36, .24, None, .04), fringe=(.16, .16, 1.7, .44))


def strands_of(curves, raster):
    """Noise of about [-1, 1], stretched along the hair, [H, W]."""
    rng, style = np.random.default_rng([curves.id.seed, 7]), curves.id.hair_style
    x, y = raster.grid
    part = -0.35 if style == 'parted' else 0.0
    angle = np.arctan2(x - part, y + 2.7)
    radius = np.hypot(x - part, y + 2.7)
    noise = rng.standard_normal((96, 512)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), .8)
    if style == 'curly':
        bend = 0.06 * raster.noise(rng, .10)
        fine = raster.noise(rng, .055, 2) + 0.5 * raster.noise(rng, .11)
        return np.clip((fine + bend) * .8, -2, 2).astype(np.float32)
    wave = 0.010 * np.sin(6 * radius + 3 * rng.random())
    at_x = ((angle + wave) / np.pi * 340 + 256).astype(np.float32)
    at_y = (radius * 9 + 4).astype(np.float32)
    fine = cv2.remap(noise, at_x, at_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    broad = cv2.remap(noise, at_x / 5, at_y / 2 + 20, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    return np.clip(1.1 * fine + 1.1 * broad, -2, 2)


def hairline(identity, x):
    """Height of the hairline over the forehead."""
    i = identity
    shift = _STYLES[i.hair_style][3]
    a = np.abs(x) / i.face_width
    line = i.hairline_y + shift + 0.10 * np.clip(a / .55, 0, 1) ** 2
    line = line + 0.78 * np.clip((a - .60) / .36, 0, 1.4) ** 1.6
    if i.makeup == 0.0:   # receding at the temples
        line = line - 0.13 * i.age * np.exp(-((a - .5) / .18) ** 2)
    if i.hair_style == 'parted':
        line = line - 0.10 * np.exp(-((x + .35) / .22) ** 2) + 0.12 * np.exp(-((x - .3) / .4) ** 2)
    return line


def paint_hair(layers, curves, rho, strands, back):
    """Paint the hair behind (``back``) or on the head."""
    i, r = curves.id, layers.raster
    crown, sides, length, _ = _STYLES[i.hair_style]
    x, y = r.grid
    colour = bgr(i.hair_colour)
    ragged = 0.016 * strands
    volume = 0.6 + 0.8 * i.hair_volume
    up = np.clip((0.35 - y) / 1.6, 0, 1)
    swell = volume * (crown * up ** 1.5 + sides * np.clip(1 - np.abs(y + .5) / 1.4, 0, 1))
    if back:
        if length is None:
            if i.hair_style == 'curly':
                mass = r.inside(rho - (1 + swell) - ragged * 2 + 4 * np.clip(y - .35, 0, 1), .06)
                layers.over(mass, colour * .8, slope=(x * .5, y * .3), open_=.6)
            return
        half = i.face_width * (0.98 + volume * sides) + 0.05 * np.sin(2.4 * y + i.seed)
        d = np.maximum(np.abs(x) - half, y - length - 0.10 * np.cos(3 * x) - ragged * 4)
        top = rho - (1 + swell)
        mass = r.inside(np.where(y < .1, top, np.maximum(d, -.1 - y)) - ragged, .04)
        shade = 1 + 0.30 * strands
        edge = np.clip((np.abs(x) - .55) / .6, .35, 1)
        layers.over(mass, planes(colour, shade), slope=(.35 * x, .0 * y), open_=.85 * edge,
                    gloss=.12)
        return
    line = hairline(i, x) + ragged * 1.5
    cap = r.inside(rho - (1 + swell) - ragged * (.6 if i.hair_style != 'curly' else 3), .03)
    on = r.inside(y - line, .05 if i.hair_style != 'fringe' else .02)
    if i.hair_style == 'fringe':
        on = r.inside(y - line - .05 * np.sin(19 * x) - .03 * np.sin(41 * x), .02)
    side_end = 0.22 + 0.12 * (i.hair_style in ('parted', 'curly'))
    if length is None:
        on = on * r.inside(y - side_end - ragged, .06)
    mask = cap * on
    if i.hair_style == 'bald':
        mask *= .22 * (1 - i.age) * r.inside(y + .0 - hairline(i, x) - .55, .2)
    if i.hair_style == 'short':
        mask *= 0.93
    # round over the head, a band of shine, strands
    round_x = 0.75 * x / np.sqrt(np.maximum(1.9 - x * x, .3))
    round_y = 0.70 * (y + .55)
    shine = np.exp(-0.5 * ((rho - .83 - .02 * strands) / .07) ** 2) * up
    amount = .34 if i.hair_style != 'curly' else .30
    shade = 1 + amount * strands + 0.42 * shine * (1 + .5 * strands)
    near_face = 1 - 0.30 * np.exp(-np.abs(y - line) / .07)
    layers.over(mask, planes(colour, shade),
                slope=(-round_x + .10 * strands, -round_y), open_=.95 * near_face, gloss=.10)
    # contact shadow on the forehead
    if i.hair_style != 'bald':
        under = np.exp(-np.clip(y - line, 0, 9) / .07) * (1 - mask) * (rho < 1)
        layers.open *= 1 - .30 * under


def paint_brows(layers, curves, rng):
    """Paint brows: a soft fill under single hairs that turn outward along the brow."""
    i, r = curves.id, layers.raster
    colour = bgr(i.hair_colour) * .62
    if sum(i.hair_colour) > 330:
        colour = colour * .75
    fill = np.zeros((r.pixels,) * 2, np.float32)
    hairs = []
    for side in SIDES:
        t = np.linspace(0, 1, 48)
        middle = curves.brow(side, t)
        half = i.brow_thickness * np.interp(t, [0, .12, .5, .8, 1], [.72, 1.0, .95, .62, .16])
        outline = np.concatenate([middle + np.stack([0 * t, -half], -1),
                                  (middle + np.stack([0 * t, half], -1))[::-1]])
        fill = np.maximum(fill, r.polygon(outline))
        s = np.sort(rng.random(int(70 + 130 * i.brow_density)))
        place, size = rng.random((len(s), 2)).T    # as rng.uniform for one hair after another
        k = (s * 46.99).astype(int)
        root = middle[k] + np.stack([0 * s, (-.7 + (1.0 + .7) * place) * half[k]], -1)
        lean = np.interp(s, [0, .2, .6, 1], [.15, .55, .9, 1.0])
        rise = np.interp(s, [0, .25, .6, 1], [-1.0, -.6, -.18, .30])
        length = (.045 + (.085 - .045) * size) * np.interp(s, [0, .5, 1], [.8, 1.1, .7])
        tip = root + length[:, None] * np.stack([side * lean, rise], -1)
        hairs.append(np.stack([root, tip], 1))
    sigma = max(.012 * r.per_unit, .5)
    soft = cv2.GaussianBlur(fill, (0, 0), sigma)
    strokes = r.strokes(np.concatenate(hairs), .009)
    grain = 1 + .10 * np.clip(r.noise(rng, .03), -2, 2)
    mask = np.clip(soft * (.34 + .34 * i.brow_density) * grain + .62 * strokes, 0, .95)
    layers.tint(mask, colour)
    layers.gloss *= 1 - mask


def paint_beard(layers, curves, rho, rng):
    """Stubble, moustache or full beard."""
    i, r = curves.id, layers.raster
    if i.beard == 'none':
        return
    x, y = r.grid
    n = curves.nose_base_y
    u = x / i.mouth_half_width
    fine = r.noise(rng, .020)
    edge = 0.03 * r.noise(rng, .07)
    lips = r.inside(np.maximum(curves.lip_top(u) - y, y - curves.lip_bottom(u)) - .012, .03)
    lips = lips * r.inside(np.abs(x) - i.mouth_half_width)
    a = np.abs(x)
    cheek = np.interp(a, [0, .30, .50, .80, 1.0], [1.22, 1.16, .98, .62, .20])
    lower = r.inside(cheek - y + edge, .16) * (rho < 1.02)
    lower *= 1 - .75 * r.pair(.22, i.mouth_y + .20, .07, .05)
    moustache = r.inside(np.maximum(np.abs(y - (n + .15) - .30 * a ** 1.6) - .085,
                                    a - .46) + edge, .07)
    full = np.maximum(lower, moustache)
    mask, amount = dict(stubble=(full, .34), moustache=(moustache, .80),
                        full=(full, .84))[i.beard]
    mask = mask * (1 - lips)
    amount = amount * (1 + (.16 if i.beard != 'stubble' else .42) * np.clip(fine, -1.5, 1.5))
    layers.tint(np.clip(mask * amount, 0, .95), bgr(i.hair_colour) * .78 + 4)
    rough = mask * (.22 if i.beard != 'stubble' else .08)
    for k in range(2):
        layers.slope[..., k] += rough * r.noise(rng, .03)
    layers.gloss *= 1 - .8 * mask


def paint_locks(layers, curves, strands):
    """Paint long hair that falls in front of ears and the edges of the cheeks."""
    i, r = curves.id, layers.raster
    crown, sides, length, _ = _STYLES[i.hair_style]
    x, y = r.grid
    volume = 0.6 + 0.8 * i.hair_volume
    inner = i.face_width * (.985 - .06 * np.clip((y + .3) / 1.2, 0, 1)) + .02 * strands * .4
    inner = inner + .10 * np.clip(y - 1.5, 0, 1)
    outer = i.face_width * (0.98 + volume * sides) + 0.05 * np.sin(2.4 * y + i.seed)
    d = np.maximum.reduce([inner - np.abs(x), np.abs(x) - outer, -.55 - y,
                           y - length - .1 * np.cos(3 * x)])
    mask = r.inside(d - .012 * strands, .04)
    shade = 1 + .34 * strands
    t = np.clip((np.abs(x) - inner) / np.maximum(outer - inner, .05), 0, 1)
    layers.over(mask, planes(bgr(i.hair_colour), shade), open_=.70 + .25 * t, gloss=.10,
                slope=(np.sign(x) * -1.2 * (t - .35), 0 * y))
    shadow = np.exp(-np.clip(inner - np.abs(x), 0, 9) / .05) * (1 - mask) * (y > -.5) * (y < 1.9)
    layers.open *= 1 - .30 * shadow
