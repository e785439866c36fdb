# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Furrows and bulges that appear with each action unit (FACS: "changes in appearance").

A furrow is a soft groove along a curve; it bends the surface normal and keeps ambient light out.
A bulge is a Gaussian of height. All grow linearly with the drive.
"""
import cv2
import numpy as np

from .on_demand import OnDemand

# drive: [(anchor, points (x outward, y down), width, depth)]
FURROWS = {
    1: [('origin', [(-.34, -.60), (-.16, -.655), (0, -.64), (.16, -.655), (.34, -.60)], .017, 1.0),
        ('origin', [(-.38, -.72), (-.18, -.775), (0, -.76), (.18, -.775), (.38, -.72)], .017, .9),
        ('origin', [(-.30, -.85), (0, -.875), (.30, -.85)], .016, .6)],
    2: [('brow_out', [(-.42, -.17), (-.20, -.235), (.02, -.20), (.14, -.10)], .017, 1.0),
        ('brow_out', [(-.42, -.29), (-.20, -.355), (.00, -.33), (.12, -.24)], .017, .9),
        ('brow_out', [(-.38, -.42), (-.18, -.465), (.00, -.44)], .016, .6)],
    4: [('brow_in', [(-.105, -.13), (-.125, -.02), (-.115, .09), (-.10, .14)], .020, 1.5),
        ('brow_in', [(-.03, -.16), (-.055, -.06), (-.055, .02)], .017, .8)],
    6: [('eye_out', [(.07, -.03), (.17, -.085), (.27, -.15)], .013, 1.0),
        ('eye_out', [(.08, .02), (.19, .01), (.30, -.01)], .013, 1.1),
        ('eye_out', [(.07, .07), (.17, .11), (.26, .16)], .013, 1.0),
        ('eye', [(-.16, .165), (-.02, .215), (.13, .20), (.26, .15)], .018, 1.0)],
    7: [('eye', [(-.17, .105), (-.02, .135), (.14, .115)], .014, 1.4)],
    9: [('nose', [(.045, -.74), (.105, -.69), (.155, -.61)], .014, 1.2),
        ('nose', [(.05, -.66), (.115, -.60), (.17, -.52)], .014, 1.3),
        ('nose', [(.06, -.57), (.13, -.51), (.18, -.44)], .014, 1.1),
        ('origin', [(-.10, -.05), (0, -.075), (.10, -.05)], .016, 1.2),
        ('origin', [(-.09, .03), (0, .01), (.09, .03)], .014, .8),
        ('ala', [(-.02, -.115), (.055, -.07), (.085, .02), (.10, .10)], .020, 1.1)],
    10: [('ala', [(.03, -.06), (.10, .02), (.19, .14), (.25, .25)], .022, 1.5),
         ('eye', [(-.22, .24), (-.08, .30), (.08, .28)], .018, .6)],
    12: [('ala', [(.025, -.04), (.095, .06), (.165, .19), (.215, .33), (.225, .45)], .024, 1.5),
         ('corner', [(.035, -.07), (.06, 0), (.04, .07)], .016, .9)],
    14: [('corner', [(.045, -.115), (.085, -.03), (.080, .05), (.04, .12)], .019, 2.1),
         ('corner', [(.035, -.03), (.04, .03)], .026, 1.2),
         ('corner', [(.19, -.14), (.225, .0), (.19, .15)], .016, .8)],
    15: [('corner', [(.0, .03), (.055, .11), (.075, .21), (.06, .29)], .019, 1.6)],
    17: [('mouth', [(-.21, .305), (-.10, .255), (0, .24), (.10, .255), (.21, .305)], .022, 1.7),
         ('chin', [(.03, -.26), (.075, -.21)], .017, .9),
         ('chin', [(.02, -.14), (.09, -.125)], .017, .8),
         ('chin', [(.13, -.25), (.155, -.17)], .017, .8),
         ('chin', [(-.03, -.185), (.03, -.185)], .017, .8)],
    20: [('corner', [(.055, -.15), (.085, 0), (.075, .15)], .017, 1.2),
         ('corner', [(.16, -.13), (.195, .02), (.18, .18)], .016, .9)],
    23: [('mouth', [(.10, -.135), (.10, -.085)], .010, .5),
         ('mouth', [(.20, -.115), (.195, -.075)], .010, .5),
         ('mouth', [(.13, .10), (.135, .16)], .010, .5),
         ('mouth', [(.04, .11), (.04, .17)], .010, .5),
         ('mouth', [(.235, .07), (.25, .13)], .010, .5)],
    24: [('mouth', [(-.30, .0), (-.15, .006), (0, .008), (.15, .006), (.30, .0)], .017, .9),
         ('corner', [(.025, -.06), (.05, 0), (.03, .07)], .018, 1.3),
         ('mouth', [(-.20, .215), (0, .19), (.20, .215)], .020, .9)],
}

# drive: [(anchor, (x, y), (sigma x, sigma y), height)]
BULGES = {
    1: [('brow_in', (0, -.13), (.15, .06), .020)],
    2: [('brow_out', (-.06, -.13), (.16, .06), .022)],
    4: [('brow_in', (.0, -.02), (.085, .085), .060), ('origin', (0, -.28), (.055, .12), .026)],
    5: [('eye', (0, -.14), (.16, .035), -.020)],
    6: [('cheek', (0, -.02), (.20, .13), .085), ('eye', (0, .125), (.17, .035), .034)],
    7: [('eye', (0, .095), (.16, .032), .046)],
    9: [('origin', (0, .10), (.12, .08), .030), ('ala', (.0, -.04), (.07, .06), .040),
        ('brow_in', (-.04, .03), (.09, .07), .035)],
    10: [('ala', (.17, -.05), (.13, .12), .060), ('mouth', (.22, -.13), (.12, .05), .025)],
    12: [('cheek', (-.04, .10), (.21, .16), .085), ('corner', (.10, -.01), (.055, .075), .030)],
    14: [('corner', (.125, .0), (.045, .10), .045), ('corner', (.03, .0), (.035, .04), -.040)],
    15: [('corner', (.0, .17), (.07, .06), .030), ('corner', (-.02, .06), (.05, .04), -.020)],
    17: [('chin', (0, -.30), (.17, .09), .075), ('mouth', (0, .11), (.20, .045), .045)],
    20: [('corner', (.12, .02), (.05, .13), .028)],
    23: [('mouth', (0, -.12), (.26, .035), .028), ('mouth', (0, .14), (.24, .04), .034)],
    24: [('mouth', (0, -.12), (.27, .045), .055), ('mouth', (0, .13), (.26, .055), .065)],
    '6x12': [('cheek', (0, -.02), (.20, .13), .03)],
}

# drive: [(anchor, (x, y), (sigma x, sigma y), share of the light)]: what a lowered brow keeps from
# the lids and a raised one lets in, as a share of ``Identity.orbit_shade``
SHADOWS = {
    1: [('eye', (-.04, -.13), (.22, .08), -.25)],
    2: [('eye', (.04, -.13), (.22, .08), -.25)],
    4: [('eye', (-.06, -.12), (.22, .09), .9), ('eye_in', (-.03, -.08), (.07, .10), .4)],
    9: [('eye', (-.06, -.10), (.20, .08), .5), ('eye_in', (-.03, -.06), (.07, .10), .4)],
}


def _smooth(points, samples=36):
    """Catmull-Rom curve through the points, [samples, 2]."""
    p = np.asarray(points, float)
    if len(p) == 2:
        return np.linspace(p[0], p[1], samples)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(p) - 3 - 1e-6, samples)
    k = t.astype(int)
    f = (t - k)[:, None]
    a, b, c, d = p[k], p[k + 1], p[k + 2], p[k + 3]
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f ** 2
                  + (3 * b - a - 3 * c + d) * f ** 3)


def _groove(raster, curve, width):
    """Profile of one groove in a box: slices and values in [0, 1]."""
    reach = 3.2 * width
    low = np.floor(raster.to_pixels(curve.min(0) - reach)).astype(int)
    high = np.ceil(raster.to_pixels(curve.max(0) + reach)).astype(int) + 1
    low, high = np.clip(low, 0, raster.pixels), np.clip(high, 0, raster.pixels)
    box = slice(low[1], high[1]), slice(low[0], high[0])
    dx = raster.x[:, box[1], None] - curve[:, 0].astype(np.float32)
    dy = raster.y[box[0], :, None] - curve[:, 1].astype(np.float32)
    taper = np.sin(np.pi * np.linspace(0.04, 0.96, len(curve))).astype(np.float32) ** 0.6
    profile = taper * np.exp((dx * dx + dy * dy) * np.float32(-0.5 / width ** 2))
    return box, profile.max(-1)


def _normal(dx, dy):
    normal = np.stack([-dx, -dy, np.ones_like(dx)], -1)
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def _fold(curves, raster, drive, strength):
    """Height and occlusion of one drive, and the boxes that hold them."""
    height = np.zeros((raster.pixels,) * 2, np.float32)
    shade = np.zeros_like(height)
    # A texel cannot hold a thinner fold: widen the fold, and keep its weight.
    thin = 0.75 / raster.per_unit
    for anchor, points, width, depth in FURROWS.get(drive, ()):
        curve = _smooth(np.asarray(points) + curves.anchors[anchor])
        wide = max(width, thin)
        central = abs(curve[:, 0].mean()) < 0.01
        for side in ((1,) if central else (1, -1)):
            box, g = _groove(raster, curve * (side, 1), wide)
            g = g * np.float32(strength * depth * width / wide)
            height[box] -= 0.85 * width * g
            shade[box] = np.maximum(shade[box], 0.36 * g)
    for anchor, shift, sigma, tall in BULGES.get(drive, ()):
        x, y = curves.anchors[anchor] + np.asarray(shift)
        height += tall * (raster.blob(x, y, *sigma) if abs(x) < 1e-6
                          else raster.pair(x, y, *sigma))
    if curves.id.orbit_shade:
        for anchor, shift, sigma, share in SHADOWS.get(drive, ()):
            x, y = curves.anchors[anchor] + np.asarray(shift)
            shade += curves.id.orbit_shade * share * raster.pair(x, y, *sigma)
    return height, np.minimum(shade, 0.9)


def fold_maps(curves, raster, slope):
    """The effect of every drive's folds on surface normal and ambient light at full drive.

    Args:
        curves (FaceCurves): Curves of the face.
        raster (Raster): Raster of the result.
        slope (tuple): Derivatives of the neutral relief in x and y.

    Returns:
        OnDemand: drive -> list of (box of two slices, change of the normal float32 [h, w, 3], share
        of ambient light lost float32 [h, w]).
    """
    strength = 0.75 + 0.5 * curves.id.age
    return OnDemand((*FURROWS, *BULGES),
                    lambda drive: _fold_map(curves, raster, slope, drive, strength))


def _fold_map(curves, raster, slope, drive, strength):
    """The list of one drive."""
    height, shade = _fold(curves, raster, drive, strength)
    dx, dy = raster.slope(height)
    used = ((np.abs(dx) + np.abs(dy) > 0.03) | (np.abs(shade) > 0.01)).astype(np.uint8)
    used = cv2.dilate(used, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(used)
    parts = []
    for x, y, w, h, _ in stats[1:count]:
        box = slice(y, y + h), slice(x, x + w)
        gx, gy = slope[0][box], slope[1][box]
        change = _normal(gx + dx[box], gy + dy[box]) - _normal(gx, gy)
        keep = used[box][..., None]
        parts.append((box, np.ascontiguousarray(change * keep, np.float32),
                      shade[box] * keep[..., 0]))
    return parts
