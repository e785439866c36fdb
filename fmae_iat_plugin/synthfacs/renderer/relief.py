# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Depth of the neutral face over the face plane (towards the viewer, in pupil distances)."""
import numpy as np

from .geometry import SKULL_CENTRE, dome

HEAD_DEPTH = 0.86


def polar(curves, raster):
    """Angle from the chin and radius relative to the outline, both [H, W]."""
    x, y = raster.grid
    dx, dy = np.abs(x - SKULL_CENTRE[0]), y - SKULL_CENTRE[1]
    angle = np.arctan2(dx, dy)
    fine = np.linspace(0, np.pi, 721)
    radius = np.interp(angle, fine, curves.outline_radius(fine))
    return angle, (np.hypot(dx, dy) / radius).astype(np.float32)


def skull(rho):
    """Depth of the smooth head; falls off steeply, but never vertically, at the outline."""
    inner = HEAD_DEPTH * np.maximum(1 - np.minimum(rho, 0.975) ** 2.7, 0) ** 0.55
    return (inner - 1.6 * np.maximum(rho - 0.975, 0)).astype(np.float32)


def _smooth_interp(x, knots, values):
    """Linear interpolation, smoothed over a few hundredths."""
    return sum(np.interp(x + d, knots, values) for d in np.linspace(-.06, .06, 7)) / 7


def features(curves, raster):
    """Depth that nose, brows, sockets, cheeks, lips and chin add to the skull, [H, W]."""
    i, r = curves.id, raster
    n = curves.nose_base_y
    x, y = r.x, r.y
    # nose: a ridge that widens and rises from the root to the tip, then falls to the lip
    t = (y + 0.12) / (n - 0.02)
    rise = _smooth_interp(t, [-.40, 0, .12, .35, .6, .82, .92, 1.05, 1.28],
                          [0, .12, .22, .45, .68, 1.0, .98, .50, 0])
    width = _smooth_interp(t, [0, .3, .7, 1.0], [.100, .092, .115, .140])
    ridge = rise * np.exp(-0.5 * (np.abs(x) / width) ** 2.2)
    depth = i.nose_height * ridge
    depth = depth + 0.065 * r.blob(0, n - .15, .105, .095)
    depth += 0.110 * r.pair(i.nose_width - .060, n - .090, .064, .066)
    # brow ridge, sockets, lids over the eyeball
    depth += i.brow_relief * r.pair(.45, i.brow_y + .02, .24, .085)
    depth += 0.4 * i.brow_relief * r.blob(0, i.brow_y + .04, .12, .09)
    depth -= 0.75 * i.socket_depth * r.pair(i.eye_x - .13, -.05, .15, .16)
    depth -= 0.6 * i.socket_depth * r.pair(i.eye_x + .10, -.09, .20, .13)
    depth += 0.060 * r.pair(i.eye_x, -.03, .155, .105)
    depth += (0.014 + 0.014 * i.age) * r.pair(i.eye_x - .02, .155, .15, .045)
    depth -= (0.012 + 0.020 * i.age) * r.pair(i.eye_x - .12, .25, .15, .05)
    # forehead, temples, cheekbones, hollow of the cheek
    depth += 0.030 * r.pair(.36, -.68, .26, .22)
    depth -= 0.050 * r.pair(1.02, -.32, .18, .30)
    depth += i.cheek_relief * r.pair(.68, .44, .24, .19)
    depth -= 0.030 * r.pair(.80, 1.02, .22, .26)
    # muzzle, philtrum, lips, mentolabial groove, chin
    depth += 0.110 * r.blob(0, i.mouth_y - .03, .40, .27)
    depth -= 0.016 * r.blob(0, n + .10, .035, .075)
    depth += 0.012 * r.pair(.062, n + .10, .026, .080)
    u = x / i.mouth_half_width
    line, top, bottom = (f(u) for f in (curves.lip_line, curves.lip_top, curves.lip_bottom))
    for edge, far, height in ((line, top, .040), (line, bottom, .058)):
        v = (y - edge) / np.where(np.abs(far - edge) < .01, np.sign(far - edge) * .01 + 1e-6,
                                  far - edge)
        bump = np.sin(np.pi * np.clip((v + .06) / 1.30, 0, .9999)) ** 1.3
        depth += height * bump * dome(u, .4)
    depth -= 0.050 * r.blob(0, i.mouth_y + .235, .24, .060)
    depth += i.chin_relief * r.blob(0, i.chin_y - .21, .20, .13)
    depth -= 0.006 * r.blob(0, i.chin_y - .17, .03, .07)
    # nasolabial groove, deeper with age
    for side in (-1, 1):
        groove = side * x - np.interp(y, [n - .12, n + .05, i.mouth_y, i.mouth_y + .2],
                                      [.27, .36, .50, .56])
        along = np.exp(-0.5 * ((y - n - .08) / .15) ** 2)
        depth -= (0.006 + 0.030 * i.age) * along * np.exp(-0.5 * (groove / .045) ** 2)
    return depth.astype(np.float32)


def soft_limit(slope, limit=2.4):
    """Bound slopes smoothly, so that the outline does not turn black."""
    dx, dy = slope
    factor = 1 / np.sqrt(1 + (dx * dx + dy * dy) / limit ** 2)
    return dx * factor, dy * factor
