# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The shape of a face whose landmarks are unknown, and how landmarks change sides in a mirror.

Landmarks are in the order of iBUG 300-W (68 points) and in fractions of the image's width and
height: 0 is the left or upper edge of the first pixel, 1 the right or lower edge of the last.
"""

import numpy as np

#: Mean over 100 neutral faces of SynthFACS (persons 0 to 99) in a detector's box, ``[68, 2]``
MEAN_SHAPE = np.array([
    (0.144, 0.374), (0.145, 0.450), (0.152, 0.526), (0.168, 0.605),
    (0.193, 0.689), (0.232, 0.781), (0.295, 0.872), (0.387, 0.943),
    (0.500, 0.969), (0.613, 0.943), (0.705, 0.872), (0.768, 0.781),
    (0.807, 0.689), (0.832, 0.605), (0.848, 0.526), (0.855, 0.450),
    (0.856, 0.374), (0.214, 0.302), (0.269, 0.267), (0.324, 0.261),
    (0.379, 0.270), (0.434, 0.283), (0.566, 0.283), (0.621, 0.270),
    (0.676, 0.261), (0.731, 0.267), (0.786, 0.302), (0.500, 0.359),
    (0.500, 0.426), (0.500, 0.493), (0.500, 0.560), (0.421, 0.601),
    (0.461, 0.616), (0.500, 0.625), (0.539, 0.616), (0.579, 0.601),
    (0.264, 0.363), (0.307, 0.338), (0.364, 0.339), (0.411, 0.374),
    (0.364, 0.388), (0.307, 0.385), (0.589, 0.374), (0.636, 0.339),
    (0.693, 0.338), (0.736, 0.363), (0.693, 0.385), (0.636, 0.388),
    (0.360, 0.728), (0.413, 0.710), (0.469, 0.694), (0.500, 0.712),
    (0.531, 0.694), (0.587, 0.710), (0.640, 0.728), (0.581, 0.758),
    (0.538, 0.768), (0.500, 0.775), (0.462, 0.768), (0.419, 0.758),
    (0.379, 0.728), (0.454, 0.726), (0.500, 0.732), (0.546, 0.726),
    (0.621, 0.728), (0.546, 0.726), (0.500, 0.732), (0.454, 0.726),
], dtype=np.float32)

#: ``landmarks[MIRROR]`` puts the points of a mirrored face into the order of iBUG
MIRROR = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65])


def mirror(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks of the image flipped from left to right, ``[..., 68, 2]`` fractions."""
    flipped = landmarks[..., MIRROR, :].copy()
    flipped[..., 0] = 1 - flipped[..., 0]
    return flipped


def symmetric(landmarks: np.ndarray) -> np.ndarray:
    """The mean of a shape and its mirror image, ``[68, 2]`` fractions."""
    return (landmarks + mirror(landmarks)) / 2
