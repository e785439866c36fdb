# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Random expressions and views, and subjects whose identity predicts their action units.

Every draw comes from a generator the caller seeds. ``shortcut`` is the controlled confound of the
data set: at 0 every subject has the same base rates, at 1 each subject shows an action unit
either almost always or almost never.
"""
from dataclasses import dataclass

import numpy as np

from .muscles import AUS
from .scene import Camera, Light, Pose

# Expressions that people show, as probabilities of the units in them (Ekman and Friesen's
# prototypes with their variants); single units are drawn beside them.
PROTOTYPES = (
    {6: .8, 12: 1, 25: .6, 26: .2, 7: .2},                        # joy
    {1: 1, 2: 1, 5: .9, 25: .8, 26: .8},                          # surprise
    {1: .9, 4: .7, 15: .9, 17: .7},                               # sadness
    {1: .8, 2: .6, 4: .8, 5: .8, 20: .9, 25: .7, 26: .2},         # fear
    {4: 1, 5: .3, 7: .8, 23: .7, 24: .5, 17: .4, 10: .2},         # anger
    {9: .7, 10: .6, 4: .3, 7: .4, 6: .2, 15: .3, 17: .6, 25: .3},  # disgust
    {14: 1, 12: .2, 24: .2},                                      # contempt
    {24: .8, 17: .6, 14: .5}, {23: .9, 17: .4}, {1: .6, 2: .9},   # talk and thought
    {4: .9, 7: .5}, {25: .9, 26: .3}, {10: .9, 25: .4}, {20: .8, 25: .4})


def sample_intensities(rng, rates=None):
    """A random expression.

    Args:
        rng (np.random.Generator): Source of the draw.
        rates (Mapping | None): AU number -> probability of being active. Without it, half of the
            expressions are prototypes with variants and half are independent units.

    Returns:
        dict[int, float]: AU number -> intensity above 0.
    """
    if rates is None:
        kind = rng.random()
        if kind < .5:
            rates = PROTOTYPES[rng.integers(len(PROTOTYPES))]
        else:
            rates = dict.fromkeys(AUS, .04 if kind < .6 else .16)
    chosen = [au for au in AUS if rng.random() < rates.get(au, 0.0)]
    # traces are common, extremes are not: the shape of DISFA's intensities
    out = {au: float(np.round(5 * rng.beta(2.0, 1.5), 3)) for au in chosen}
    if 26 in out:    # a dropped jaw parts the lips, and coders score both
        out[25] = max(out.get(25, 0.0), out[26])
    return out


def sample_view(rng, spread=1.0):
    """A random head pose, light and camera.

    Args:
        rng (np.random.Generator): Source of the draw.
        spread (float): 0 is the frontal, evenly lit standard view, 1 is a laboratory with several
            cameras and lamps. 0 to 1.5.

    Returns:
        tuple[Pose, Light, Camera]
    """
    def near(mean, sd, limit=2.2):
        return float(mean + spread * sd * np.clip(rng.standard_normal(), -limit, limit))

    pose = Pose(yaw=near(0, 5.5), pitch=near(0, 4.0), roll=near(0, 3.0), dx=near(0, .02),
                dy=near(0, .02), scale=near(1.06, .06))
    light = Light(azimuth=near(-5, 24), elevation=near(32, 13), ambient=max(near(.46, .11), .1),
                  strength=max(near(.66, .15), .1), warmth=float(np.clip(near(0, .35), -1, 1)))
    camera = Camera(gain=float(np.exp(near(0, .18))), contrast=float(np.exp(near(0, .16))),
                    blur=abs(near(0, .6)), noise=abs(near(0, 3.0)),
                    seed=int(rng.integers(2 ** 31)))
    return pose, light, camera


@dataclass(frozen=True)
class Subject:
    """A person who takes part in a recording.

    Attributes:
        identity (int): Seed of the face.
        rates (dict): AU number -> how often this subject shows it.
        resting (dict): AU number -> intensity below 1 that is always there (resting face).
    """

    identity: int
    rates: dict
    resting: dict


def sample_subject(seed, shortcut=0.0, base_rate=.25):
    """A subject with base rates of their own.

    Args:
        seed (int): Seed of face and rates.
        shortcut (float): How far identity predicts the units: a subject's rate is
            ``(1 - shortcut) * base_rate + shortcut * own`` where ``own`` is .97 or .03, the first
            with probability ``base_rate``, so that the mean rate stays. 0 to 1.
        base_rate (float): Mean rate of every unit, 0 to 1.

    Returns:
        Subject

    Raises:
        ValueError: If ``shortcut`` or ``base_rate`` lies outside [0, 1].
    """
    for name, value in (('shortcut', shortcut), ('base_rate', base_rate)):
        if not 0 <= value <= 1:
            raise ValueError(f'{name} must lie in [0, 1], not {value!r}')
    rng = np.random.default_rng([int(seed), 21])
    draw, rest = rng.random(len(AUS)), rng.random(len(AUS))
    rates, resting = {}, {}
    for au, d, r in zip(AUS, draw, rest):
        own = .97 if d < base_rate else .03
        rates[au] = float((1 - shortcut) * base_rate + shortcut * own)
        if r < .2:
            resting[au] = float(np.round(4 * r, 3))
    return Subject(int(seed), rates, resting)
