# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The identity of a rendered face: a seed gives some fifty numbers that no action unit changes.

Lengths are in units of the mean distance between the pupils (63 mm); y points down and the
eye line is y = 0. The means follow adult anthropometry, and the spreads give dissimilar people of
every skin tone. Shape, skin, hair and surroundings come from separate random streams.
"""
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

HAIR_STYLES = ('bald', 'short', 'parted', 'long', 'bob', 'back', 'curly', 'fringe')
BEARDS = ('none', 'stubble', 'moustache', 'full')
GLASSES = ('none', 'thin', 'thick')

# Skin from light to deep and hair from black to grey, as R, G, B in 0-255.
SKIN_TONES = np.float32([[243, 212, 194], [232, 192, 166], [214, 167, 135], [184, 133, 101],
                         [144, 98, 72], [102, 69, 53]])
HAIR_COLOURS = np.float32([[24, 20, 19], [43, 30, 24], [74, 49, 33], [112, 78, 48],
                           [176, 136, 84], [134, 62, 34], [150, 148, 146]])
IRIS_COLOURS = np.float32([[58, 36, 22], [84, 56, 32], [104, 92, 52], [84, 112, 84],
                           [92, 122, 148], [104, 116, 126]])


@dataclass(frozen=True)
class Identity:
    """One person. Every field is a number, a name or a colour; see the module docstring."""

    seed: int
    # outline
    face_width: float
    cheek_width: float
    jaw_width: float
    chin_width: float
    chin_y: float
    hairline_y: float
    # eyes and brows
    eye_x: float
    eye_half_width: float
    lid_up: float
    lid_low: float
    canthal_tilt: float
    crease: float
    iris: float
    brow_y: float
    brow_tilt: float
    brow_arch: float
    brow_thickness: float
    brow_inner_x: float
    brow_outer_x: float
    brow_density: float
    # nose, mouth, relief
    nose_length: float
    nose_width: float
    nose_height: float
    mouth_y: float
    mouth_half_width: float
    lip_up: float
    lip_low: float
    cupid: float
    mouth_rest: float
    cheek_relief: float
    brow_relief: float
    chin_relief: float
    socket_depth: float
    # surface
    age: float
    skin: tuple
    redness: float
    freckles: float
    moles: int
    oil: float
    lip_tint: float
    iris_colour: tuple
    hair_colour: tuple
    hair_style: str
    hair_volume: float
    beard: str
    glasses: str
    makeup: float
    clothes: tuple
    background: tuple
    # how far the same contraction moves the skin, as a factor: of AUs 1, 2 and 4, and of the others
    brow_mobility: float = 1.0
    mobility: float = 1.0
    # how far the eye stays where it is when the brow above it moves, 0 to 1
    eye_anchor: float = 0.0
    # how far the middle of the brow rises with its ends, where AUs 1 and 2 act together, 0 to 1
    whole_brow: float = 0.0
    # how much darker the skin between the brows and the eyeballs are, 0 to 1: few faces are lit
    # as evenly as the rendered head
    glabella_shade: float = 0.0
    eye_shade: float = 0.0
    # how much darker lids and eyeballs get where the brow is lowered or the eye narrowed, 0 to 1
    orbit_shade: float = 0.0
    # how dark the rims of the lids are, beyond the lash lines, 0 to 1
    lid_shade: float = 0.0
    # how far the mouth is torn open (AU 27) where the jaw drops far, 0 to 1
    mouth_stretch: float = 0.0


def _mix(table, x):
    """Colour at x in [0, 1] along the rows of ``table``."""
    at = np.clip(x, 0, 1) * (len(table) - 1)
    i = min(int(at), len(table) - 2)
    return table[i] + (table[i + 1] - table[i]) * (at - i)


def _colour(values):
    return tuple(float(v) for v in np.clip(np.round(values, 3), 0, 255))


@lru_cache(maxsize=1024)
def sample_identity(seed):
    """The person with this seed.

    Args:
        seed (int): Any integer >= 0.

    Returns:
        Identity: The same for the same seed on every machine.

    Raises:
        ValueError: If the seed is negative or not an integer.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f'identity must be an integer >= 0 or an Identity, not {seed!r}')
    shape, surface, scene = (np.random.default_rng([int(seed), 68, k]) for k in range(3))

    def near(mean, spread, rng=shape):
        """A normal draw that is cut at two spreads, so that no face is a caricature."""
        return float(mean + spread * np.clip(rng.standard_normal(), -2, 2))

    male = bool(surface.random() < 0.5)
    sign = 1.0 if male else -1.0
    tone = float(surface.random())
    age = float(surface.random())
    dark = tone > 0.62
    skin = _mix(SKIN_TONES, tone) + near(0, 5, surface) * np.float32([0.6, 0.2, -1.0])
    hair = HAIR_COLOURS[surface.choice(7, p=[.5, .35, .1, .02, .01, .01, .01] if dark else
                                       [.14, .2, .24, .16, .13, .06, .07])]
    styles = dict(male=[.08, .42, .26, .03, .0, .05, .12, .04],
                  female=[.0, .05, .10, .32, .15, .20, .08, .10])['male' if male else 'female']
    beard = str(surface.choice(BEARDS, p=[.5, .26, .09, .15])) if male else 'none'
    iris = IRIS_COLOURS[surface.choice(2 if dark else 6)]
    return Identity(
        seed=int(seed),
        face_width=near(1.08 + 0.015 * sign, 0.045), cheek_width=near(1.0, 0.03),
        jaw_width=near(1.0 + 0.035 * sign, 0.05), chin_width=near(1.0 + 0.05 * sign, 0.12),
        chin_y=near(1.83 + 0.03 * sign, 0.06), hairline_y=near(-1.10, 0.07),
        eye_x=near(0.5, 0.018), eye_half_width=near(0.224, 0.012),
        lid_up=near(0.102 - 0.004 * sign, 0.011), lid_low=near(0.064, 0.007),
        canthal_tilt=near(0.016, 0.013), crease=near(0.055, 0.014), iris=near(0.094, 0.003),
        brow_y=near(-0.258 + 0.016 * sign, 0.026), brow_tilt=near(0.02, 0.025),
        brow_arch=near(0.075 - 0.02 * sign, 0.022),
        brow_thickness=near(0.050 + 0.010 * sign, 0.008),
        brow_inner_x=near(0.20, 0.022), brow_outer_x=near(0.87, 0.03),
        brow_density=near(0.72 + 0.1 * sign, 0.10),
        nose_length=near(0.78, 0.04), nose_width=near(0.235 + 0.035 * (tone - 0.4), 0.018),
        nose_height=near(0.27, 0.03), mouth_y=near(1.09, 0.03),
        mouth_half_width=near(0.425 + 0.012 * sign, 0.028),
        lip_up=near(0.092 + 0.03 * (tone - 0.5) - 0.008 * sign, 0.014),
        lip_low=near(0.130 + 0.03 * (tone - 0.5) - 0.008 * sign, 0.016),
        cupid=near(0.30, 0.10), mouth_rest=near(0.0, 0.016),
        cheek_relief=near(0.085, 0.02), brow_relief=near(0.05 + 0.02 * sign, 0.012),
        chin_relief=near(0.10, 0.02), socket_depth=near(0.12, 0.02),
        age=age, skin=_colour(skin), redness=near(0.5, 0.22, surface),
        freckles=float(max(0.0, surface.normal(-0.4, 0.5))) * (tone < 0.5),
        moles=int(surface.poisson(1.2)), oil=near(0.5, 0.2, surface),
        lip_tint=near(0.50 - 0.12 * sign, 0.12, surface), iris_colour=_colour(iris),
        hair_colour=_colour(hair * near(1, 0.12, surface)),
        hair_style=str(surface.choice(HAIR_STYLES, p=styles)),
        hair_volume=near(0.5, 0.2, surface), beard=beard,
        glasses=str(scene.choice(GLASSES, p=[.82, .10, .08])),
        makeup=0.0 if male else float(surface.random()),
        clothes=_colour(scene.uniform(25, 225, 3)),
        background=_colour(scene.uniform(60, 225) + scene.normal(0, 14, 3)))
