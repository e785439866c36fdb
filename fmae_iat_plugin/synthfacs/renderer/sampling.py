# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Random expressions, head poses, lights and cameras; the caller seeds the generator."""
import numpy as np

from .muscles import AUS
from .scene import Camera, Light, Pose

# Expressions that people show, as probabilities of the units in them (Ekman and Friesen's
# prototypes with their variants); single units are drawn besides.
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
