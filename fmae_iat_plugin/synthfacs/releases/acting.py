# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Turns occurrences into performances: who acts, how strongly, with what head pose and light.

Everything is a pure function of the seed and of names, so any process can draw any frame.
"""

from dataclasses import dataclass, replace
from typing import Dict, Mapping, Tuple

import numpy as np

from ..renderer import Camera, Identity, Light, Pose, render, sample_identity
from .labels import markov, stream

POSITIVE = 2  # intensity from which a frame is positive, as in DISFA
FRAMINGS = ('portrait', 'crop')


def person(seed: int, name: str) -> Identity:
    """The face of subject ``name``; those whose name starts with F have no beard."""
    identity = sample_identity(int(stream(seed, name, 'identity').integers(2**31)))
    return replace(identity, beard='none') if name.startswith('F') else identity


def intensities(seed: int, key: str, au: int, occurrence: np.ndarray) -> np.ndarray:
    """Integer intensities of one AU through a recording.

    A positive run rises from 2 to a peak of 2 to 5 and falls again. Between the runs there are
    traces of intensity 1.

    Args:
        seed, key: Seed and key of the recording.
        au: The action unit.
        occurrence: ``[T]`` bool.

    Returns:
        np.ndarray: ``[T]`` int, 0 to 5, at least 2 exactly where ``occurrence``.
    """
    rng = stream(seed, key, 'intensity', au)
    out = markov(rng, .08, len(occurrence), 5).astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], occurrence.astype(int), [0]])))
    for begin, end in zip(edges[::2], edges[1::2]):
        peak = rng.choice([2, 3, 4, 5], p=[.35, .35, .2, .1])
        arc = np.sin(np.pi * (np.arange(end - begin) + .5) / (end - begin))
        out[begin:end] = np.round(POSITIVE + (peak - POSITIVE) * arc)
    return out


@dataclass(frozen=True)
class Recording:
    """One person before one camera.

    Attributes:
        seed (int), subject (str), key (str): The key names the recording, e.g. ``F001_T1``.
        size (int): Side of the pictures.
        framing (str): ``'portrait'`` or ``'crop'``.
        yaw (float): Angle of the camera to the side, in degrees.
    """

    seed: int
    subject: str
    key: str
    size: int
    framing: str = 'portrait'
    yaw: float = 0.0

    def picture(self, frame: int, shown: Mapping[int, float]) -> np.ndarray:
        """Render frame number ``frame`` with AU -> intensity: RGB uint8 ``[size, size, 3]``."""
        return self.draw(frame, shown)[0]

    def draw(self, frame: int, shown: Mapping[int, float]) -> Tuple[np.ndarray, np.ndarray]:
        """The picture and its 68 landmarks, float32 ``[68, 2]`` in pixels."""
        room = stream(self.seed, self.key, 'room')
        light = Light(azimuth=room.uniform(-40, 40), elevation=room.uniform(15, 50),
                      ambient=room.uniform(.36, .5), strength=room.uniform(.6, .8),
                      warmth=room.uniform(-.3, .3))
        period, phase = room.uniform(60, 200, 5), room.uniform(0, 2 * np.pi, 5)
        yaw, pitch, roll, dx, dy = np.sin(2 * np.pi * frame / period + phase) * (
            6, 4, 3, .015, .015)
        noise = int(stream(self.seed, self.key, 'noise', frame).integers(2**31))
        return render(person(self.seed, self.subject), shown,
                      Pose(yaw + self.yaw, pitch, roll, dx, dy), light, size=self.size,
                      framing=self.framing, camera=Camera(noise=2.0, seed=noise))


def at(track: Dict[int, np.ndarray], t: int) -> Dict[int, float]:
    """AU -> intensity at position ``t`` of a track of AU -> ``[T]``."""
    return {au: float(values[t]) for au, values in track.items()}


def check_options(size: int, framing: str, **counts: int) -> None:
    """Raise ValueError if the size is odd or below 32, a framing unknown, or a count below 1."""
    if size < 32 or size % 2:
        raise ValueError(f'size must be even (video codecs need it) and at least 32, '
                         f'not {size!r}')
    if framing not in FRAMINGS:
        raise ValueError(f'framing={framing!r} is not one of {FRAMINGS}')
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f'{name} must be at least 1, not {value!r}')
