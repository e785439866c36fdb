# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Renders a face: paint of the identity, folds of the action units, light, warp, camera.

This is a 2.5-D renderer: relief shading (Lambert with a soft terminator, ambient occlusion,
Blinn highlight) in the neutral face plane, one remap to the image, holes for eyes and mouth.
"""
import threading
from functools import lru_cache

import cv2
import numpy as np

from . import muscles
from .plates import plates_of
from .scene import Camera, as_light, as_pose
from .warp import Warp

MIN_SIZE = 16
_FINE = 128    # smaller images are rendered at a multiple of their size and averaged


# Blue, green, red from (level, level squared, highlight): blood under thin skin makes shadows
# redder; highlights are whiter than the skin.
_TONE = ((.90, .10, 1.25), (.95, .05, 1.05), (1.07, -.07, .85))
_WARM = (-.10, 0, .10)


class _Scratch(threading.local):
    """Reused arrays, because new megabytes for every face cost more than the arithmetic."""

    def __init__(self):
        self.size = None

    def fit(self, size):
        """Eight flat arrays, one of four and one of three channels; one set per thread."""
        if size != self.size:
            self.size = size
            self.flat = [np.empty((size, size), np.float32) for _ in range(8)]
            self.deep = [np.empty((size, size, d), np.float32) for d in (4, 3)]
        return (*self.flat, *self.deep)


_SCRATCH = _Scratch()


def shade(plates, drives, pose, light):
    """Lit paint and coverage of the neutral face plane with folds, uint8 [H, W, 4]."""
    normal, open_, direct = plates.normal, plates.open, plates.direct
    lit, mirror, sky, open_copy, direct_copy, *planes, tones, normal_copy = _SCRATCH.fit(
        plates.raster.pixels)
    used = [d for d in drives if d in plates.folds]
    if used:
        np.copyto(normal_copy, normal)
        np.copyto(open_copy, open_)
        normal, open_ = normal_copy, open_copy
        for drive in used:
            amount = np.float32(drives[drive])
            for box, change, lost in plates.folds[drive]:
                normal[box] += amount * change
                open_[box] *= 1 - amount * lost
        direct = np.multiply(open_, np.float32(0.65), out=direct_copy)
        direct += np.float32(0.35)
    back = pose.rotation().T
    lamp = back @ light.direction()
    half = lamp + back[:, 2]
    half /= np.linalg.norm(half)
    # Lambert with light leaking past the terminator, sky, Blinn's half vector to the 16th
    cv2.transform(normal, np.float32([[*(lamp * .86), .14]]) * light.strength, lit)
    cv2.transform(normal, np.float32([[0, -.12, 0, .94]]) * light.ambient, sky)
    cv2.transform(normal, np.float32([[*half, 0]]), mirror)
    np.maximum(lit, 0, out=lit)
    lit *= direct
    sky *= open_
    lit += sky
    np.maximum(mirror, 0, out=mirror)
    for _ in range(4):
        mirror *= mirror
    mirror *= plates.gloss
    mirror *= np.float32(light.strength)
    square = np.multiply(lit, lit, out=sky)
    channels, part = [], direct_copy
    for k, (once, twice, white) in enumerate(_TONE):
        gain = 1 + _WARM[k] * light.warmth
        tone = np.multiply(lit, np.float32(gain * once), out=planes[k])
        tone += np.multiply(square, np.float32(gain * twice), out=part)
        tone += np.multiply(mirror, np.float32(gain * white), out=part)
        channels.append(tone)
    cv2.merge([*channels, plates.full], tones)
    tones *= plates.paint
    return cv2.convertScaleAbs(tones)


@lru_cache(maxsize=4)
def _noise(size):
    return np.random.default_rng(5).standard_normal((2 * size, 2 * size, 3)).astype(np.float32)


def expose(image, camera):
    """Lens blur, exposure and sensor noise."""
    if camera == Camera():
        return image
    size = image.shape[0]
    if camera.blur:
        image = cv2.GaussianBlur(image, (0, 0), max(camera.blur * size / 224, 0.1))
    gain = np.float32(camera.gain * camera.contrast)
    if camera.grey:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = cv2.merge([grey, grey, grey])
    out = np.multiply(image, gain, dtype=np.float32)
    out += np.float32(127.5 * (1 - camera.contrast))
    if camera.noise:
        at = np.random.default_rng([camera.seed, 13]).integers(0, size, 2)
        grain = _noise(size)[at[0]:at[0] + size, at[1]:at[1] + size]
        out += np.float32(camera.noise) * (grain[..., :1] if camera.grey else grain)
    np.maximum(out, 0, out=out)
    return cv2.convertScaleAbs(out)


def _pick(picture, raster, points):
    """Sample a picture at face-plane points."""
    at = cv2.transform(points, raster.indexing)
    return cv2.remap(picture, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _eye_picture(eyeball, points, upper, level):
    """Lit eyeball with the shadow of the upper lid."""
    raster, picture = eyeball
    shadow = level * (1 - .52 * np.exp(np.minimum(upper, 0.3) * np.float32(-1 / .026)))
    return np.minimum(_pick(picture, raster, points) * np.minimum(shadow, 1.4)[..., None], 255)


def _mouth_picture(mouth, points, upper, lower, jaw, level):
    """The mouth: dark, tongue and lower teeth, upper teeth, shaded by the lips."""
    raster, above, below = mouth
    under = _pick(below, raster, points - np.float32([0, jaw])).astype(np.float32)
    over = _pick(above, raster, points).astype(np.float32)
    out = np.float32([26, 18, 42])
    for layer in (under, over):
        out = out + layer[..., 3:] * np.float32(1 / 255) * (layer[..., :3] - out)
    near = np.float32(.55) * np.exp(np.minimum(upper, .3) * np.float32(-1 / .022))
    near += np.float32(.30) * np.exp(np.minimum(lower, .3) * np.float32(-1 / .020))
    return np.clip(out * (level * (1 - np.minimum(near, 1)))[..., None], 0, 255)


def compose(plates, warp, drives, pose, light):
    """The picture before the camera and the geometry behind it.

    Returns:
        tuple: BGR uint8 [size, size, 3]; skin point at every pixel, float32 [size, size, 2];
        coverage by the skin and hair layer (holes cut out), by eyeballs and by the mouth, each
        float32 [size, size].
    """
    size = warp.size
    skin = warp.backward()
    under = plates.background.copy()
    eyes, mouth = np.zeros((2, size, size), np.float32)
    level = np.float32(np.clip(light.ambient + .62 * light.strength, .1, 1.4))
    scale = np.float32(warp.unit * pose.scale)
    eye_level = level * np.float32(muscles.eye_light(drives, plates.identity))
    boxes = []
    for k, slit in enumerate((*warp.anatomy.eyes, warp.anatomy.mouth)):
        box = warp.box(slit)
        part = skin[box]
        if part.size == 0:
            continue
        neutral_y, upper, lower = slit.inverse(part[..., 0], part[..., 1], warp.tables[slit])
        part[..., 1] = neutral_y
        cover = np.minimum(upper, lower) * scale + np.float32(.5)
        cover = np.clip(cover, 0, 1) * np.clip((upper + lower) * scale, 0, 1)
        rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
        if not rows.size:
            continue
        hole = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        box = tuple(slice(b.start + h.start, b.start + h.stop) for b, h in zip(box, hole))
        boxes.append((box, cover[hole]))
        points = warp.skull(box)
        if k < 2:
            eyes[box] = cover[hole]
            under[box] = _eye_picture(plates.eyeballs[k], points, upper[hole], eye_level)
        else:
            mouth[box] = cover[hole]
            jaw = muscles.JAW_DROP * .93 * drives.get(26, 0.0) + .23 * drives.get(27, 0.0)
            under[box] = _mouth_picture(plates.mouth, points, upper[hole], lower[hole], jaw, level)
    r = plates.raster
    at = cv2.transform(skin, r.indexing)
    paint = cv2.remap(shade(plates, drives, pose, light), at, None, cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE)
    body = paint[..., 3] * np.float32(1 / 255)
    paint = cv2.cvtColor(paint, cv2.COLOR_BGRA2BGR)
    for box, cover in boxes:
        body[box] *= 1 - cover
    image = cv2.blendLinear(paint, under, body, 1 - body)
    if plates.glasses is not None:
        full = slice(0, size), slice(0, size)
        top = _pick(plates.glasses, r, warp.skull(full))
        keep = 255 - top[..., 3:]
        image = cv2.add(cv2.multiply(image, cv2.merge([keep] * 3), scale=1 / 255), top[..., :3])
    return image, skin, body, eyes, mouth


# Landmarks on the rim of a slit: +1 upper, -1 lower lid or lip (they coincide when shut).
UPPER_SIDE = np.zeros(68, np.float32)
UPPER_SIDE[[48, 49, 50, 51, 52, 53, 54, 60, 61, 62, 63, 64]] = 1
UPPER_SIDE[[36, 37, 38, 39, 42, 43, 44, 45]] = 1
UPPER_SIDE[[40, 41, 46, 47, 55, 56, 57, 58, 59, 65, 66, 67]] = -1


def check_size(size):
    """The size as an int; ValueError if it is not an integer >= 16."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < MIN_SIZE:
        raise ValueError(f'size must be an integer >= {MIN_SIZE}, not {size!r}')
    return int(size)


def render(identity, au_intensities=None, pose=None, light=None, size=224, framing='crop',
           camera=None):
    """Render one face with its landmarks.

    Args:
        identity (int | Identity): A seed >= 0, or a person.
        au_intensities (Mapping | None): AU number -> intensity in [0, 5]; bilateral. See
            ``muscles.AUS`` for the 17 units.
        pose (Pose | tuple | None): Head pose, or (yaw, pitch, roll) in degrees. Frontal if None.
        light (Light | tuple | None): Light, or (azimuth, elevation) in degrees.
        size (int): Side of the image in pixels, at least 16.
        framing (str): 'crop' (a detector's face box) or 'portrait' (head and shoulders).
        camera (Camera | None): Exposure, blur and noise; None has no effect.

    Returns:
        tuple: RGB image, uint8 [size, size, 3]; 68 landmarks in iBUG order, float32 [68, 2],
        pixel coordinates (0 is the centre of the first pixel).

    Raises:
        TypeError: If ``au_intensities`` is not a mapping.
        ValueError: If an AU is unknown, an intensity is outside [0, 5], the size is below 16, the
            framing is unknown, or a pose, light or camera is out of range.
    """
    size = check_size(size)
    pose, light = as_pose(pose), as_light(light)
    finer = max(1, -(-_FINE // size))
    plates = plates_of(identity, framing, size * finer)
    drives = muscles.drives(au_intensities, plates.curves.id)
    warp = Warp(plates.anatomy, drives, pose, size * finer)
    image = compose(plates, warp, drives, pose, light)[0]
    landmarks = warp.forward(plates.curves.landmarks, UPPER_SIDE)
    if finer > 1:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        landmarks = (landmarks + 0.5) / finer - 0.5
    image = expose(image, Camera() if camera is None else camera)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), landmarks.astype(np.float32)
