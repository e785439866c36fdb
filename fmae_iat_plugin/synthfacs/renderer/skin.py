# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Paint of the skin: complexion, lips, lids, brows, nostrils, freckles, beard, neck, clothes."""
import numpy as np

from . import relief
from .geometry import SIDES, dome
from .raster import planes

_BLOOD = np.float32([0.78, 0.80, 1.06])    # effect of more blood on blue, green, red
_SHADE = np.float32([0.70, 0.74, 0.82])    # thin, dark skin around the eye


def bgr(rgb):
    return np.float32(rgb[::-1])


def face_mask(raster, rho):
    """Coverage of the head's outline."""
    return raster.inside((rho - 1.0) * 1.0, 0.02)


def paint_body(layers, curves, rng):
    """Shoulders, clothes and neck."""
    i, r = curves.id, layers.raster
    x, y = r.x, r.y
    skin = bgr(i.skin)
    male = i.makeup == 0.0
    neck_half = (0.62 if male else 0.53) * i.face_width
    slope = np.exp(-np.maximum(np.abs(x) - neck_half, 0) / .24)
    shoulder = 2.42 + 0.58 * (np.abs(x) / 2.2) ** 1.7 - 0.30 * slope
    body = r.inside(shoulder - y, 0.03)
    cloth = planes(bgr(i.clothes), 1 + 0.04 * r.noise(rng, .07))
    layers.over(body, cloth, slope=(0.25 * x + 0 * y, -0.35 + 0 * x + 0 * y), open_=0.9)
    half = neck_half + 0.25 * np.clip((y - 2.0) / .5, 0, 2) ** 2
    neck = r.inside(np.abs(x) - half, 0.02) * r.inside(y - (2.56 - 0.5 * x * x), 0.04)
    neck = neck * r.inside(0.9 - y)
    t = np.clip(x / half, -.985, .985)
    below = np.clip((y - curves.id.chin_y + 0.55 * x * x) / .55, 0, 1.3)
    open_ = np.clip(0.42 + 0.45 * below, 0, .92) * (1 - 0.25 * t * t)
    tendon = 0.06 * np.sin(7 * t) * np.exp(-4 * t * t)
    dx, dy = relief.soft_limit((-0.95 * t / np.sqrt(1 - t * t) + tendon, 0.10 + 0 * t))
    layers.over(neck, skin * np.float32([.93, .94, .96]), slope=(dx, dy), open_=open_, gloss=.05)


def paint_ears(layers, curves):
    """Ears, half hidden behind the cheek."""
    i, r = curves.id, layers.raster
    skin = bgr(i.skin) * np.float32([.90, .91, 1.0])
    for side in SIDES:
        cx, cy = side * (0.985 * i.face_width + .055), 0.20
        u, v = (r.x - cx) * side, (r.y - cy)
        d = np.hypot((u - 0.10 * v * -1) / .135, v / .325)
        ear = r.inside((d - 1) * .13, 0.02) * r.inside(r.y - (cy + .30))
        rim = np.exp(-((d - .78) / .16) ** 2)
        hollow = np.exp(-0.5 * (((u + .01) / .05) ** 2 + ((v + .01) / .13) ** 2))
        dx, dy = r.slope(0.07 * rim - 0.05 * hollow + 0.12 * u)
        layers.over(ear, skin, slope=(dx, dy), open_=0.86 - 0.45 * hollow, gloss=.06)


def paint_face(layers, curves, rho, rng):
    """Paint the face without hair, brows and beard."""
    i, r = curves.id, layers.raster
    n = curves.nose_base_y
    depth = relief.skull(rho) + relief.features(curves, r)
    pores = r.noise(rng, 0.035) * 0.0006 + r.noise(rng, 0.13) * 0.0010
    dx, dy = relief.soft_limit(r.slope(depth + pores))

    blotch = 0.016 * r.noise(rng, 0.5, 3) + 0.010 * r.noise(rng, .05)
    colour = planes(bgr(i.skin), 1 + np.clip(blotch, -.06, .06))
    red = (0.55 * r.pair(.62, .50, .20, .17) + 0.55 * r.blob(0, n - .12, .15, .13)
           + 0.30 * r.blob(0, i.chin_y - .2, .2, .12) + 0.25 * r.pair(.45, -.02, .22, .12)
           + 0.25 * i.makeup * r.pair(.70, .42, .2, .13))
    colour *= 1 + planes(_BLOOD - 1, i.redness * np.clip(red, 0, 1))
    dark = 0.55 * r.pair(i.eye_x - .06, .13, .19, .075) + 0.40 * r.pair(i.eye_x - .14, -.08, .1, .1)
    dark += 0.35 * r.pair(i.eye_x, -.12, .21, .05) * (1 + 1.2 * i.makeup)
    colour *= 1 + planes(_SHADE - 1, np.clip(dark * (.6 + .5 * i.age), 0, 1))
    if i.glabella_shade:
        between = r.blob(0, i.brow_y + .05, .13, .15)
        colour *= 1 - (i.glabella_shade * between)[..., None]
    if i.freckles > 0.02:
        spots = np.clip(r.noise(rng, .045) - 1.0, 0, 1) * np.clip(
            r.pair(.45, .38, .3, .2) + r.blob(0, .4, .2, .2), 0, 1)
        colour *= 1 - planes(np.float32([.75, .62, .4]), spots * min(i.freckles, .8) * .5)
    for _ in range(i.moles):
        mx, my = rng.uniform(-.85, .85), rng.uniform(-.7, 1.6)
        mole = r.inside(np.hypot(r.x - mx, r.y - my) - rng.uniform(.012, .024), .02)
        colour *= 1 - planes(np.float32([.7, .66, .58]), mole)

    # less light: sockets, beside and under the nose, under the lip, at the outline
    open_ = 1 - 0.30 * np.clip((rho - .86) / .14, 0, 1) ** 2
    open_ -= 0.24 * r.pair(i.eye_x - .20, -.07, .075, .10)
    open_ -= 0.26 * r.pair(i.eye_x, -.13, .2, .055)
    open_ -= 0.24 * r.blob(0, n + .01, .16, .030)
    open_ -= 0.22 * r.pair(i.nose_width + .02, n - .06, .04, .08)
    open_ -= 0.06 * r.pair(.17, .28, .05, .2)
    open_ -= 0.30 * r.blob(0, i.mouth_y + .205, .19, .036)
    gloss = np.clip(0.10 + 0.30 * r.blob(0, n - .2, .08, .12) + 0.12 * r.blob(0, .2, .05, .3)
                    + 0.22 * r.pair(.66, .34, .18, .12) + 0.20 * r.blob(0, -.6, .5, .2)
                    + 0.12 * r.blob(0, i.chin_y - .22, .14, .09), 0, 1) * (0.35 + 0.75 * i.oil)
    layers.over(face_mask(r, rho), colour, slope=(dx, dy), open_=open_, gloss=gloss)
    _nostrils(layers, curves)
    _lips(layers, curves, rng)
    _lids(layers, curves)


# Beyond the boxes below, what is painted rounds to no change.


def _nostrils(layers, curves):
    i, r = curves.id, layers.raster
    n = curves.nose_base_y
    for side in SIDES:
        middle = side * (i.nose_width * .46)
        box = r.box(*sorted((middle - side * .26, middle + side * .32)), n - .42, n + .17)
        x, y = r.x[:, box[1]], r.y[box[0]]
        u = (x - middle) * side
        v = y - (n - .030) + 0.25 * u
        hole = np.exp(-0.5 * ((np.hypot(u / .070, v / .027)) ** 3))
        layers.darken(box, hole * .72, [1, 1, .90])
        wing = np.exp(-0.5 * ((np.hypot((u - .115) / .095, (v + .055) / .105) - 1) / .16) ** 2)
        wing *= np.clip((u - .06) / .06, 0, 1) * r.inside(y - (n - .0))
        layers.darken(box, wing * .22)


def _lips(layers, curves, rng):
    i, r = curves.id, layers.raster
    u = r.x / i.mouth_half_width
    line, top, bottom = (f(u).astype(np.float32) for f in
                         (curves.lip_line, curves.lip_top, curves.lip_bottom))
    reach, at_corner = i.mouth_half_width + .20, float(curves.lip_line(1.0))
    box = r.box(-reach, reach, min(top.min(), line.min(), at_corner) - .15,
                   max(bottom.max(), line.max(), at_corner) + .15)
    y = r.y[box[0]]
    u, line, top, bottom = (part[:, box[1]] for part in (u, line, top, bottom))
    soft = 0.022
    upper = r.inside(top - y, soft) * r.inside(y - line)
    lower = r.inside(y - bottom, soft) * r.inside(line - y)
    within = r.inside((np.abs(u) - 1.0) * i.mouth_half_width, .03)
    skin = bgr(i.skin)
    rose = skin * np.float32([.66, .58, .86]) + np.float32([14, 2, 8])
    red = np.float32([90, 76, 156]) * (skin.mean() / 165)
    rose += (.48 if i.makeup == 0.0 else .8) * i.lip_tint * (red - rose)
    if i.makeup > .5:
        rose += (i.makeup - .5) * 1.2 * (np.float32([70, 42, 168]) - rose)
    lines = 1 + 0.05 * np.clip(r.noise(rng, .03)[box], -1.5, 1.5)[..., None]
    layers.tint(upper * within * .92, rose * .86 * lines, box)
    layers.tint(lower * within * .90, rose * lines, box)
    both = (upper + lower) * within
    layers.gloss[box] += both * (0.16 + 0.25 * i.makeup - layers.gloss[box]) * .8
    # the closed line, darkest at the corners
    near = np.exp(-0.5 * ((y - line) / .013) ** 2) * r.inside((np.abs(u) - 1.03) * .4, .02)
    layers.darken(box, near * (.50 + .18 * np.minimum(u * u, 1)), [1, 1, .85])
    corner = r.pair(i.mouth_half_width + .005, at_corner, .030, .022)
    layers.darken(box, corner[box] * .36)


def _lids(layers, curves):
    """Lash lines, crease, pink rim of the lower lid."""
    i, r = curves.id, layers.raster
    for side in SIDES:
        u = (r.x - side * i.eye_x) * side / i.eye_half_width
        up, low, fold = curves.lid_upper(u), curves.lid_lower(u), curves.lid_crease(u)
        reach = 1.30 * i.eye_half_width
        box = r.box(side * i.eye_x - reach, side * i.eye_x + reach,
                       min(up.min(), fold.min()) - .80, max(low.max(), up.max()) + .15)
        y = r.y[box[0]]
        u, up, low, fold = (part[:, box[1]] for part in (u, up, low, fold))
        inside = r.inside((np.abs(u) - 1.06) * .2, .03)
        crease = np.exp(-0.5 * ((y - fold) / .013) ** 2) * r.inside((np.abs(u) - 1.1) * .2, .04)
        layers.darken(box, crease * .34, [1, 1, .9])
        thick = (0.017 + 0.010 * i.makeup) * (0.75 + 0.35 * np.clip(u, -1, 1.05))
        lash = np.exp(-np.clip(up + .004 - y, 0, 1) / thick) * (y < up + .05) * inside
        wing = r.inside((np.abs(u - 1.08) - .12) * .2, .02) * np.exp(
            -0.5 * ((y - up + .07 * (u - 1) * .6) / .010) ** 2) * (.35 + .5 * i.makeup)
        layers.tint(np.clip(lash * (.88 + .10 * i.makeup) + wing, 0, 1), [26, 24, 28], box)
        rim = np.exp(-0.5 * ((y - low - .006) / .010) ** 2) * inside * (dome(u, .3) > 0)
        layers.tint(rim * .35, bgr(i.skin) * np.float32([.74, .72, .98]), box)
        lower = np.exp(-0.5 * ((y - low - .014) / .008) ** 2) * inside * np.clip(u + .7, 0, 1)
        layers.darken(box, lower * (.16 + .30 * i.makeup))
        if i.lid_shade:  # lashes and their shadow, wider than the lines
            above, below = (np.exp(-0.5 * ((y - edge) / .034) ** 2) for edge in (up, low))
            near = np.maximum(above, .55 * below) * r.inside((np.abs(u) - 1.12) * .2, .05)
            layers.darken(box, .85 * i.lid_shade * near)
