# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The scene of a face: head pose, light, camera and the two framings."""
from dataclasses import dataclass

import numpy as np

# Largest angles of the height field before it shows its back.
MAX_YAW, MAX_PITCH, MAX_ROLL = 30.0, 20.0, 45.0


def _check(name, value, low, high):
    if not (np.isscalar(value) and np.isfinite(value) and low <= value <= high):
        raise ValueError(f'{name} must lie in [{low:g}, {high:g}], not {value!r}')


@dataclass(frozen=True)
class Window:
    """The square of the face plane that an image shows, in units of the pupil distance."""

    cx: float
    cy: float
    half: float


# 'crop': the box of a face detector, enlarged by 5 %; 'portrait': head and shoulders.
FRAMINGS = dict(crop=Window(0.0, 0.40, 1.52), portrait=Window(0.0, 0.52, 2.62))


@dataclass(frozen=True)
class Pose:
    """Head pose.

    Args:
        yaw (float): Degrees, positive turns the face to the right of the image. -30 to 30.
        pitch (float): Degrees, positive looks down. -20 to 20.
        roll (float): Degrees, clockwise in the image. -45 to 45.
        dx (float): Shift to the right as a fraction of the image. -0.3 to 0.3.
        dy (float): Shift down as a fraction of the image. -0.3 to 0.3.
        scale (float): Size of the head. 0.6 to 1.6.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0

    def __post_init__(self):
        for name, limit in (('yaw', MAX_YAW), ('pitch', MAX_PITCH), ('roll', MAX_ROLL),
                            ('dx', 0.3), ('dy', 0.3)):
            _check(f'Pose.{name}', getattr(self, name), -limit, limit)
        _check('Pose.scale', self.scale, 0.6, 1.6)

    def rotation(self):
        """Rotation of the head, [3, 3], in the frame x right, y down, z to the viewer."""
        yaw, pitch, roll = np.radians([self.yaw, self.pitch, self.roll])
        cy, sy, cp, sp, cr, sr = (np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch),
                                  np.cos(roll), np.sin(roll))
        turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return (tilt @ nod @ turn).astype(np.float32)


@dataclass(frozen=True)
class Light:
    """One distant lamp and an even ambient light.

    Args:
        azimuth (float): Degrees, positive from the right of the image. -90 to 90.
        elevation (float): Degrees above the eye line. -60 to 80.
        ambient (float): Strength of the ambient light. 0 to 2.
        strength (float): Strength of the lamp. 0 to 2.
        warmth (float): -1 blue to 1 orange.
    """

    azimuth: float = -24.0
    elevation: float = 34.0
    ambient: float = 0.42
    strength: float = 0.72
    warmth: float = 0.0

    def __post_init__(self):
        for name, low, high in (('azimuth', -90, 90), ('elevation', -60, 80), ('ambient', 0, 2),
                                ('strength', 0, 2), ('warmth', -1, 1)):
            _check(f'Light.{name}', getattr(self, name), low, high)

    def direction(self):
        """Unit vector from the face to the lamp, [3]."""
        azimuth, elevation = np.radians([self.azimuth, self.elevation])
        return np.array([np.sin(azimuth) * np.cos(elevation), -np.sin(elevation),
                         np.cos(azimuth) * np.cos(elevation)], np.float32)


@dataclass(frozen=True)
class Camera:
    """The effects after the lens.

    Args:
        gain (float): Multiplies the image. 0.2 to 3.
        contrast (float): Contrast about mid grey. 0.2 to 3.
        blur (float): Standard deviation in pixels of a 224 pixel image. 0 to 8.
        noise (float): Standard deviation of the sensor noise in grey levels. 0 to 60.
        grey (bool): Whether the three channels are equal.
        seed (int): Seed of the noise.
    """

    gain: float = 1.0
    contrast: float = 1.0
    blur: float = 0.0
    noise: float = 0.0
    grey: bool = False
    seed: int = 0

    def __post_init__(self):
        for name, low, high in (('gain', 0.2, 3), ('contrast', 0.2, 3), ('blur', 0, 8),
                                ('noise', 0, 60)):
            _check(f'Camera.{name}', getattr(self, name), low, high)


def as_pose(pose):
    """A ``Pose`` from a Pose, None or (yaw, pitch, roll)."""
    if pose is None:
        return Pose()
    return pose if isinstance(pose, Pose) else Pose(*(float(v) for v in pose))


def as_light(light):
    """A ``Light`` from a Light, None or (azimuth, elevation)."""
    if light is None:
        return Light()
    return light if isinstance(light, Light) else Light(*(float(v) for v in light))
