# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""People whose proportions vary as those of real people, for models that shall see real faces.

The people of :func:`~fmae_iat_plugin.synthfacs.renderer.sample_identity` are alike: their brows lie
higher, their eyes are wider open and their noses are longer than real ones. A model that is trained
on them takes a real resting brow for a lowered one. Here the 68 landmarks that dlib finds on
neutral renders have about the mean and the spread of those on 259 frontal photos (ORL and Yale);
no photo itself is used.
"""

from dataclasses import replace
from typing import Dict, Tuple

import numpy as np

from .renderer import Identity, sample_identity

# Field of Identity -> (shift of the mean, further spread, smallest, largest)
VARIED: Dict[str, Tuple[float, float, float, float]] = dict(
    brow_y=(.045, .055, -.45, -.13), brow_tilt=(-.015, .04, -.15, .15),
    brow_arch=(-.005, .02, 0, .15), brow_thickness=(-.004, .012, .025, .09),
    brow_density=(-.20, .17, .12, 1), brow_inner_x=(-.005, .02, .12, .3),
    brow_outer_x=(.01, .02, .75, 1), lid_up=(-.033, .014, .03, .15),
    lid_low=(-.034, .010, .012, .1), crease=(0, .012, .01, .12), eye_x=(0, .012, .45, .55),
    eye_half_width=(0, .01, .18, .27), mouth_half_width=(.03, .035, .3, .6),
    nose_width=(.04, .022, .17, .35), lip_up=(.018, .02, .04, .2), lip_low=(.045, .024, .06, .26),
    face_width=(0, .03, .9, 1.25), socket_depth=(.03, .04, .04, .3),
    brow_relief=(.01, .02, 0, .13), cheek_relief=(0, .02, .02, .2),
    chin_relief=(0, .02, .02, .2), mouth_rest=(0, .015, -.06, .06),
    glabella_shade=(.22, .12, 0, .5), eye_shade=(.24, .13, 0, .55))
# Of one length, the part below the one before: (mean, spread)
NOSE, MOUTH, CHIN = (.64, .06), (.31, .035), (.85, .065)
# Uniform: (smallest, largest)
UNIFORM: Dict[str, Tuple[float, float]] = dict(
    brow_mobility=(.9, 1.5), mobility=(.8, 1.25), eye_anchor=(.6, .95), whole_brow=(.4, 1),
    orbit_shade=(.3, .9), lid_shade=(.1, .9), mouth_stretch=(.2, 1))
IRIS = .25, .8  # brightness of the iris, as a factor


def sample_varied_identity(seed: int) -> Identity:
    """The person of :func:`sample_identity` with other proportions and another mobility.

    Args:
        seed: Any integer >= 0.

    Returns:
        Identity: The same for the same seed on every machine.

    Raises:
        ValueError: If the seed is negative or not an integer.
    """
    person = sample_identity(seed)
    rng = np.random.default_rng([int(seed), 99])

    def near(mean: float, spread: float) -> float:
        return float(mean + spread * np.clip(rng.standard_normal(), -2, 2))

    fields = {name: float(np.clip(near(getattr(person, name) + shift, spread), low, high))
              for name, (shift, spread, low, high) in VARIED.items()}
    nose = near(*NOSE)
    mouth = nose + near(*MOUTH)
    nose_mouth_chin = dict(nose_length=nose, mouth_y=mouth, chin_y=mouth + near(*CHIN))
    uniform = {name: float(rng.uniform(*ends)) for name, ends in UNIFORM.items()}
    level = rng.uniform(*IRIS)
    return replace(person, **fields, **nose_mouth_chin, **uniform,
                   iris_colour=tuple(float(level * value) for value in person.iris_colour))
