# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The neutral face of one identity as curves: outline, brows, lids, nose, lips, 68 landmarks.

Everything is in the face plane (x right, y down, unit = mean distance between the pupils).
Painting, displacement and truth all read these curves, so landmarks lie on the parts they name.
Landmark order is iBUG's: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67.
"""
from functools import cached_property

import numpy as np

SKULL_CENTRE = (0.0, 0.15)
SIDES = (-1.0, 1.0)   # left and right of the image
_EYE_U = np.float32([1, 0.42, -0.36, -1, -0.36, 0.42])            # 36..41, outward is +
_LIP_OUT_U = np.float32([-1, -0.62, -0.22, 0, 0.22, 0.62, 1, 0.58, 0.27, 0, -0.27, -0.58])
_LIP_IN_U = np.float32([-0.86, -0.33, 0, 0.33, 0.86, 0.33, 0, -0.33])


def dome(u, power):
    """(1 - u^2)^power inside [-1, 1], zero outside."""
    return np.maximum(1 - np.square(u), 0) ** power


class FaceCurves:
    """Curves of a neutral face.

    Args:
        identity (Identity): Person of the face.
    """

    def __init__(self, identity):
        self.id = identity
        self._outline = self._fit_outline()

    def _fit_outline(self):
        """Cosine series of the head's polar radius through ten anatomical points."""
        i = self.id
        wide, cheek, jaw, chin = (i.face_width, i.face_width * i.cheek_width,
                                  i.face_width * i.jaw_width, i.face_width * i.chin_width)
        # crown, parietal, temple, brow, eye, cheekbone, jaw, jaw angle, chin side, chin
        points = np.array([[0, -1.78], [.66 * wide, -1.52], [.95 * wide, -1.02],
                           [1.01 * wide, -.48], [1.0 * wide, .05], [.955 * cheek, .52],
                           [.86 * jaw, 1.0], [.70 * jaw, 1.33], [.36 * chin, i.chin_y - .12],
                           [0, i.chin_y]])
        offset = points - SKULL_CENTRE
        angle = np.arctan2(offset[:, 0], offset[:, 1])
        basis = np.cos(angle[:, None] * np.arange(7))
        return np.linalg.lstsq(basis, np.hypot(*offset.T), rcond=None)[0]

    def outline_radius(self, angle):
        """Radius of the head about ``SKULL_CENTRE``; angle 0 is the chin, pi the crown."""
        return np.cos(np.asarray(angle)[..., None] * np.arange(7)) @ self._outline

    def outline(self, angle):
        """Points [..., 2] of the outline; positive angles are right of the image."""
        radius = self.outline_radius(np.abs(angle))
        return np.stack([SKULL_CENTRE[0] + radius * np.sin(angle),
                         SKULL_CENTRE[1] + radius * np.cos(angle)], -1)

    def brow(self, side, t):
        """Points [..., 2] of a brow's middle line; t = 0 inner, 1 outer end."""
        i = self.id
        t = np.asarray(t)
        x = side * (i.brow_inner_x + (i.brow_outer_x - i.brow_inner_x) * t)
        y = (i.brow_y + (0.03 - i.brow_tilt) * t - i.brow_arch * np.sin(np.pi * t ** 1.15)
             + 0.045 * np.maximum(t - 0.75, 0) / 0.25)
        return np.stack([x, y], -1)

    def eye_line(self, u):
        """Height of the line through both corners; u outward."""
        return -self.id.canthal_tilt * np.clip(u, -1.3, 1.3)

    def lid_upper(self, u):
        """Height of the upper lid's edge; u in [-1, 1] from the inner to the outer corner."""
        return self.eye_line(u) - self.id.lid_up * dome(u, 0.72) * (1 - 0.12 * u)

    def lid_lower(self, u):
        """Height of the lower lid's edge."""
        return self.eye_line(u) + self.id.lid_low * dome(u, 0.82) * (1 + 0.16 * u)

    def lid_crease(self, u):
        """Height of the fold above the upper lid."""
        return self.eye_line(u) - (self.id.lid_up + self.id.crease) * dome(u / 1.08, 0.62)

    def lip_line(self, u):
        """Height of the line between the closed lips; u in [-1, 1] from left to right."""
        a = np.minimum(np.abs(u), 1.25)
        return (self.id.mouth_y + self.id.mouth_rest * a ** 2
                + 0.012 * np.exp(-np.square(u / 0.16)) - 0.008 * np.exp(-np.square(a - .45) / .03))

    def lip_top(self, u):
        """Height of the upper border of the upper lip (with Cupid's bow)."""
        a = np.abs(u)
        full = dome(u, 0.62) * (0.70 + 0.42 * np.exp(-np.square((a - 0.24) / 0.22)))
        bow = self.id.cupid * np.exp(-np.square(u / 0.13))
        return self.lip_line(u) - self.id.lip_up * full * (1 - 0.75 * bow)

    def lip_bottom(self, u):
        """Height of the lower border of the lower lip."""
        return self.lip_line(u) + self.id.lip_low * dome(u, 0.78)

    @cached_property
    def nose_base_y(self):
        """Height of the point where nose and upper lip meet."""
        return self.id.nose_length

    @cached_property
    def landmarks(self):
        """The 68 landmarks of the neutral face, float32 [68, 2]."""
        i = self.id
        jaw = self.outline(np.radians(np.linspace(-97, 97, 17)))
        t = np.linspace(0, 1, 5)
        brows = np.concatenate([self.brow(-1, t[::-1]), self.brow(1, t)])
        n = self.nose_base_y
        bridge = [[0, f * (n - 0.2)] for f in (-0.05, 0.30, 0.65, 1.0)]
        base = [[x * i.nose_width, n + dy] for x, dy in
                ((-1, -0.075), (-0.5, -0.03), (0, 0), (0.5, -0.03), (1, -0.075))]
        eyes = []
        for side in SIDES:
            y = np.concatenate([self.lid_upper(_EYE_U[:4]), self.lid_lower(_EYE_U[4:])])
            eye = np.stack([side * (i.eye_x + _EYE_U * i.eye_half_width), y], -1)
            eyes.append(eye if side < 0 else eye[[3, 2, 1, 0, 5, 4]])
        outer = np.concatenate([self.lip_top(_LIP_OUT_U[:7]), self.lip_bottom(_LIP_OUT_U[7:])])
        mouth = np.concatenate([
            np.stack([_LIP_OUT_U * i.mouth_half_width, outer], -1),
            np.stack([_LIP_IN_U * i.mouth_half_width, self.lip_line(_LIP_IN_U)], -1)])
        return np.concatenate([jaw, brows, bridge, base, *eyes, mouth]).astype(np.float32)

    @cached_property
    def anchors(self):
        """Named points that muscles pull on and folds follow, on the right of the image."""
        i = self.id
        inner, middle, outer = (self.brow(1, t) for t in (0.02, 0.45, 0.88))
        return dict(
            origin=np.zeros(2), brow_in=inner, brow_mid=middle, brow_out=outer,
            eye=np.array([i.eye_x, 0.0]),
            eye_out=np.array([i.eye_x + i.eye_half_width, self.eye_line(1.0)]),
            eye_in=np.array([i.eye_x - i.eye_half_width, self.eye_line(-1.0)]),
            cheek=np.array([0.64 * i.face_width, 0.46]),
            nose=np.array([0.0, self.nose_base_y]),
            ala=np.array([i.nose_width, self.nose_base_y - 0.08]),
            corner=np.array([i.mouth_half_width, float(self.lip_line(1.0))]),
            mouth=np.array([0.0, i.mouth_y]),
            chin=np.array([0.0, i.chin_y]))
