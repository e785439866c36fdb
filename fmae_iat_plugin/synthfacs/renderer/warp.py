# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""From the neutral face plane to the image and back.

A skin point goes through the slits (column-wise), the flow of the muscles and the jaw (smooth, on
a coarse grid), the head turn with parallax, and a similarity (roll, size, shift, framing). The
inverse is found on a coarse image grid, and exactly in the slits; both directions read the same
tables, so image, landmarks and flow agree.
"""
from functools import lru_cache

import cv2
import numpy as np

from . import muscles, relief
from .on_demand import OnDemand
from .raster import Raster
from .scene import FRAMINGS, Pose, Window
from .slits import Slit

_GRID = 84           # nodes of the displacement grid per side
_GRID_SPAN = 1.42    # its extent in framing windows
_ITERATIONS = 9      # of the fixed point that undoes a head turn
_SQUARINGS = 3
_PIVOT = np.float32([0.0, 0.55, 0.42])    # the head turns about this point


class Anatomy:
    """The part of an identity's motion that no expression changes.

    Args:
        curves (FaceCurves): Curves of the face.
        framing (str): A key of ``FRAMINGS``.
    """

    def __init__(self, curves, framing):
        self.curves, self.window = curves, FRAMINGS[framing]
        span = Window(self.window.cx, self.window.cy, self.window.half * _GRID_SPAN)
        self.grid = Raster(span, _GRID)
        x, y = self.grid.grid
        self.points = np.stack([x, y], -1)
        self.fields = OnDemand(muscles.PULLS, self._field)
        _, rho = relief.polar(curves, self.grid)
        skull = np.maximum(relief.skull(rho), -0.45)
        # smoother than the relief for shading, so that a head turn can be inverted
        depth = (cv2.GaussianBlur(skull, (0, 0), 0.16 * self.grid.per_unit)
                 + cv2.GaussianBlur(relief.features(curves, self.grid), (0, 0),
                                    0.07 * self.grid.per_unit))
        fade = np.clip((y - curves.id.chin_y + .02) / 1.15, 0, 1)
        rigid = (1 - fade * fade * (3 - 2 * fade)).astype(np.float32)
        # about the pivot, less and less rigid down the neck
        self.solid = (np.dstack([x, y, depth]) - _PIVOT) * rigid[..., None]
        self.eyes = [self._eye(side) for side in (-1, 1)]
        self.mouth = self._mouth()

    def _field(self, drive):
        out = np.zeros((_GRID, _GRID, 2), np.float32)
        for x, y, sx, sy, dx, dy in muscles.pull_centres(self.curves, drive):
            out += self.grid.blob(x, y, sx, sy)[..., None] * np.float32([dx, dy])
        if drive in muscles.BROW and self.curves.id.eye_anchor:
            out *= muscles.above_eyes(self.curves, self.grid.grid[1])[..., None]
        if drive == 26:
            out[..., 1] += muscles.JAW_DROP * muscles.jaw_field(self.curves, *self.grid.grid)
        return out

    def _eye(self, side):
        c = self.curves
        curves = (lambda u: c.eye_line(u) - .225, c.lid_crease, c.lid_upper, c.lid_lower,
                  lambda u: np.maximum(c.lid_lower(u) + .03, c.eye_line(u) + .105),
                  lambda u: c.eye_line(u) + .27)
        return Slit(side * c.id.eye_x, c.id.eye_half_width, curves, muscles.lid_profiles(c),
                    min_gap=.012, mirror=side < 0)

    def _mouth(self):
        c = self.curves
        curves = (lambda u: 0 * u + c.nose_base_y + .015, c.lip_top, c.lip_line, c.lip_line,
                  c.lip_bottom, lambda u: 0 * u + c.id.mouth_y + .62)
        return Slit(0.0, c.id.mouth_half_width, curves, muscles.lip_profiles(c))


@lru_cache(maxsize=16)
def _pixel_nodes(n, step):
    """Pixel coordinates of a coarse grid that cv2.resize enlarges ``step`` times."""
    at = ((np.arange(n, dtype=np.float32) - 1 + 0.5) * step - 0.5)
    return np.stack(np.meshgrid(at, at), -1)


class Warp:
    """The map of one expression and pose.

    Args:
        anatomy (Anatomy): Anatomy of the identity and framing.
        drives (dict): Result of :func:`muscles.drives`.
        pose (Pose): Pose of the head.
        size (int): Image side in pixels.
    """

    def __init__(self, anatomy, drives, pose, size):
        self.anatomy, self.drives, self.pose, self.size = anatomy, drives, pose, size
        window = anatomy.window
        self.unit = size / (2 * window.half)          # pixels per face unit at scale 1
        roll = np.radians(pose.roll)
        s = self.unit * pose.scale
        linear = np.float32([[np.cos(roll), -np.sin(roll)],
                             [np.sin(roll), np.cos(roll)]]) * np.float32(s)
        centre = np.float32([window.cx, window.cy])
        offset = np.float32([(0.5 + pose.dx) * size - 0.5, (0.5 + pose.dy) * size - 0.5])
        self.similarity = np.column_stack([linear, offset - linear @ centre])
        self.inverse = cv2.invertAffineTransform(self.similarity)
        self.turn = self._turn() if self.turns else None
        velocity = None
        for drive, amount in drives.items():
            if drive in anatomy.fields:
                part = np.float32(amount) * anatomy.fields[drive]
                velocity = part if velocity is None else np.add(velocity, part, out=velocity)
        self.field = None if velocity is None else self._flow_along(velocity)
        self.unfield = None if velocity is None else self._flow_along(-velocity)
        self._skull = self._nodes = None
        self.tables = {slit: slit.table(drives) for slit in (*anatomy.eyes, anatomy.mouth)}

    @property
    def turns(self):
        """Whether yaw or pitch are not zero."""
        return self.pose.yaw != 0 or self.pose.pitch != 0

    def _turn(self):
        """Displacement of the grid's points by yaw and pitch."""
        rotation = Pose(yaw=self.pose.yaw, pitch=self.pose.pitch).rotation()
        return cv2.transform(self.anatomy.solid, rotation[:2] - np.eye(2, 3, dtype=np.float32))

    def _at(self, field, points):
        """A displacement field at points [..., 2]."""
        flat = np.ascontiguousarray(points).reshape(1, -1, 2)
        nodes = cv2.transform(flat, self.anatomy.grid.indexing)
        # cv2.remap takes at most 32766 points per row
        parts = [cv2.remap(field, nodes[:, k:k + 30000], None, cv2.INTER_LINEAR,
                           borderMode=cv2.BORDER_REPLICATE)
                 for k in range(0, nodes.shape[1], 30000)]
        moves = parts[0] if len(parts) == 1 else np.concatenate(parts, 1)
        return moves.reshape(points.shape)

    def _move(self, points, field):
        """Points moved by a displacement field (None: not at all)."""
        return points if field is None else points + self._at(field, points)

    def _flow_along(self, velocity):
        """Displacement after unit time along a velocity field (scaling and squaring).

        Muscles that pull the skin in different directions add up as velocities. The flow along
        their sum never folds over, and the flow along the negative sum is its inverse.
        """
        field = velocity * np.float32(0.5 ** _SQUARINGS)
        for _ in range(_SQUARINGS):
            field = field + self._at(field, self.anatomy.points + field)
        return field

    def place(self, points):
        """The similarity S: face plane to pixels."""
        flat = np.ascontiguousarray(points).reshape(1, -1, 2)
        return cv2.transform(flat, self.similarity).reshape(points.shape)

    def forward(self, points, upper=None, moving=True):
        """Pixels of neutral skin points.

        Args:
            points (np.ndarray): Face-plane points, [..., 2].
            upper (np.ndarray | None): +1 if a point of a closed slit belongs to its upper side,
                -1 if it belongs to its lower side, 0 otherwise; shape [...].
            moving (bool): False for parts that only turn with the head (eyeballs, glasses).

        Returns:
            np.ndarray: float32 pixel coordinates, [..., 2].
        """
        m = np.array(points, np.float32)
        if not moving:
            return self.place(self._move(m, self.turn))
        if upper is not None:
            m[..., 1] -= np.float32(1e-5) * upper
        for slit in (*self.anatomy.eyes, self.anatomy.mouth):
            near = np.abs(m[..., 0] - slit.x) < 1.45 * abs(slit.half_width)
            if near.any():
                part = m[near]
                part[:, 1] = slit.forward(part[:, 0], part[:, 1], self.tables[slit])
                m[near] = part
        return self.place(self._move(self._move(m, self.field), self.turn))

    def backward(self, moving=True):
        """Points of the smooth frame (before the slits) at every pixel, [size, size, 2].

        Args:
            moving (bool): False for parts that only turn with the head.
        """
        step = max(2, round(self.size / 56))
        n = -(-self.size // step) + 2
        if self._nodes is None:    # the pose alone, which all parts share
            start = self._nodes = cv2.transform(_pixel_nodes(n, step), self.inverse)
            for _ in range(_ITERATIONS if self.turns else 0):
                self._nodes = start - self._at(self.turn, self._nodes)
        found = self._nodes
        if moving and self.field is not None:
            # the flow backwards, then the rest that the coarse grid left
            found = self._nodes - self._at(self.field, self._move(found, self.unfield))
        full = cv2.resize(found, (n * step, n * step), interpolation=cv2.INTER_LINEAR)
        return full[step:step + self.size, step:step + self.size]

    def skull(self, box):
        """Points of the unmoved, only turned face at the pixels of a box, [h, w, 2]."""
        if self.turns:
            if self._skull is None:
                self._skull = self.backward(moving=False)
            return self._skull[box]
        y, x = np.ogrid[box]
        x, y, m = np.float32(x), np.float32(y), self.inverse
        return cv2.merge([m[0, 0] * x + (m[0, 1] * y + m[0, 2]),
                          m[1, 0] * x + (m[1, 1] * y + m[1, 2])])

    def box(self, slit):
        """Rows and columns of the image that a slit can change."""
        at = self.place(self._move(self._move(slit.frame, self.field), self.turn))
        (x0, y0), (x1, y1) = at.min(0), at.max(0)
        return (slice(max(int(y0) - 2, 0), min(max(int(y1) + 3, 0), self.size)),
                slice(max(int(x0) - 2, 0), min(max(int(x1) + 3, 0), self.size)))
