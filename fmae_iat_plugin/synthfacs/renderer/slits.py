# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Eyes and mouth: cuts in the skin whose rims move up and down.

A slit is a column-wise, piecewise linear map of y. Each column has six heights in the neutral face:
``top``, ``rim_up`` (lid crease or upper lip border), ``edge_up``, ``edge_low``, ``rim_low`` and
``bottom``. Actions move the middle four, and the hole lies between ``edge_up`` and ``edge_low``.
The map is piecewise linear, so it is inverted exactly, and the hole has a crisp rim.
"""
import numpy as np

from .geometry import dome

_REACH = 1.5      # columns beyond the corners, in half widths
_COLUMNS = 384
_MIN_BAND = 2e-3  # no band of skin gets thinner than this,
_THINNEST = 0.28  # and no lip or lid thinner than this share of itself


class Slit:
    """One cut in the skin of a neutral face.

    Args:
        x (float): Centre.
        half_width (float): Distance from the centre to a corner.
        curves (tuple[callable]): ``top, rim_up, edge_up, edge_low, rim_low, bottom``: functions
            of u in half widths from the centre.
        profiles (dict): drive name -> four functions of u: displacement (down is +) of
            ``rim_up, edge_up, edge_low, rim_low`` at full drive.
        min_gap (float): Smallest height of the hole in the middle.
        mirror (bool): Whether u runs to the left.
    """

    def __init__(self, x, half_width, curves, profiles, min_gap=0.0, mirror=False):
        self.x, self.half_width = x, half_width * (-1 if mirror else 1)
        self.min_gap = min_gap
        u = np.linspace(-_REACH, _REACH, _COLUMNS)
        self.u = u
        self.neutral = np.stack([np.broadcast_to(c(u), u.shape) for c in curves]).astype(np.float32)
        for k in range(1, 6):   # keep the order outside the corners, where bands vanish
            gap = _MIN_BAND if k != 3 else 0.0
            self.neutral[k] = np.maximum(self.neutral[k], self.neutral[k - 1] + gap)
        self.profiles = {name: np.stack([np.broadcast_to(f(u), u.shape) for f in functions]
                                         ).astype(np.float32)
                         for name, functions in profiles.items()}
        # points around all that can move: top and bottom stay
        across = x + np.float32([-1.3, 0, 1.3]) * half_width
        down = np.linspace(self.neutral[0].min(), self.neutral[5].max(), 5, dtype=np.float32)
        self.frame = np.stack(np.meshgrid(across, down), -1).reshape(-1, 2)
        bands = self.neutral[[2, 4]] - self.neutral[[1, 3]]
        self._thin = np.maximum(_MIN_BAND, np.float32(_THINNEST) * bands)
        self._gap_shape = (min_gap * dome(u, 0.6)).astype(np.float32)

    def heights(self, drives):
        """Six moved heights per column, [6, columns]."""
        moved = self.neutral.copy()
        for name, profile in self.profiles.items():
            amount = drives.get(name, 0.0)
            if amount:
                moved[1:5] += np.float32(amount) * profile
        # Without overlap: the edges meet in the middle, and the bands keep their order.
        middle = 0.5 * (moved[2] + moved[3])
        half = np.maximum(0.5 * (moved[3] - moved[2]), 0.5 * self._gap_shape)
        moved[2], moved[3] = middle - half, middle + half
        np.maximum(moved[1], moved[0] + _MIN_BAND, out=moved[1])
        np.minimum(moved[1], moved[2] - self._thin[0], out=moved[1])
        np.minimum(moved[4], moved[5] - _MIN_BAND, out=moved[4])
        np.maximum(moved[4], moved[3] + self._thin[1], out=moved[4])
        return moved

    def table(self, drives):
        """The data for ``inverse`` and ``forward`` of one expression, two [14, columns] arrays."""
        moved = self.heights(drives)
        return self._bands(self.neutral, moved), self._bands(moved, self.neutral)

    def columns(self, x):
        """Column index of every x."""
        scale = (_COLUMNS - 1) / (2 * _REACH * self.half_width)
        index = x * np.float32(scale) + np.float32((_COLUMNS - 1) / 2 + .5 - self.x * scale)
        return np.minimum(np.maximum(index, 0), _COLUMNS - 1).astype(np.int32)

    @staticmethod
    def _bands(source, target):
        """For each column the six source heights, then a and b of y -> a + b y in four bands."""
        out = np.empty((14, source.shape[1]), np.float32)
        out[:6] = source
        for k, i in enumerate((0, 1, 3, 4)):
            slope = (target[i + 1] - target[i]) / (source[i + 1] - source[i])
            out[6 + 2 * k] = target[i] - slope * source[i]
            out[7 + 2 * k] = slope
        return out

    def _map(self, x, y, table):
        top, rim_up, edge_up, edge_low, rim_low, bottom, *bands = np.take(
            table, self.columns(x), axis=1)
        low = y + y > edge_up + edge_low
        far = np.where(low, y > rim_low, y < rim_up)
        near_a, near_b = (np.where(low, bands[4 + k], bands[2 + k]) for k in (0, 1))
        far_a, far_b = (np.where(low, bands[6 + k], bands[k]) for k in (0, 1))
        moved = np.where(far, far_a + far_b * y, near_a + near_b * y)
        return np.where((y > top) & (y < bottom), moved, y), y - edge_up, edge_low - y

    def inverse(self, x, y, table):
        """Map points from moved to neutral skin.

        Args:
            x, y (np.ndarray): float32 points of the moved face.
            table (tuple): Result of :meth:`table`.

        Returns:
            tuple: neutral y (meaningless in the hole); distance below the upper edge; distance
            above the lower edge. A point is in the hole if both distances are positive.
        """
        return self._map(x, y, table[1])

    def forward(self, x, y, table):
        """Map float32 points (x, y) from neutral to moved skin; returns their y."""
        return self._map(x, y, table[0])[0]
