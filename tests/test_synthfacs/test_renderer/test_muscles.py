# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every action unit moves the landmarks FACS says, in the right direction, with intensity.

The measures are formulas on the 68 landmarks in pupil distances, independent of the muscle table.
"""
import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.renderer import muscles
from fmae_iat_plugin.synthfacs.renderer.plates import plates_of
from fmae_iat_plugin.synthfacs.renderer.render import UPPER_SIDE
from fmae_iat_plugin.synthfacs.renderer.scene import Pose
from fmae_iat_plugin.synthfacs.renderer.warp import Warp

PEOPLE = (1, 5)
LEVELS = (0, 1, 2, 3, 4, 5)
UNIT = 224 / (2 * 1.52)     # pixels per pupil distance in the crop


def landmarks(seed, aus):
    plates = plates_of(seed, 'crop', 128)
    warp = Warp(plates.anatomy, muscles.drives(aus), Pose(), 224)
    return warp.forward(plates.curves.landmarks, UPPER_SIDE) / UNIT


def y(p, *points):
    return float(np.mean([p[i, 1] for i in points]))


def apart(p, i, j):
    return float(p[j, 0] - p[i, 0])


def aperture(p):
    return y(p, 40, 41, 46, 47) - y(p, 37, 38, 43, 44)


def lips(p):
    """Red of both lips at the middle."""
    return (p[62, 1] - p[51, 1]) + (p[57, 1] - p[66, 1])


# AU: measures that grow with intensity and by how much at least at 5
GROWS = {
    1: {'inner brow up': (lambda p: -y(p, 21, 22), .08)},
    2: {'outer brow up': (lambda p: -y(p, 17, 18, 25, 26), .08)},
    4: {'inner brow down': (lambda p: y(p, 21, 22), .05),
        'brows together': (lambda p: -apart(p, 21, 22), .06)},
    5: {'upper lid up': (lambda p: -y(p, 37, 38, 43, 44), .05), 'aperture': (aperture, .05)},
    6: {'lower lid up': (lambda p: -y(p, 40, 41, 46, 47), .02)},
    7: {'narrow aperture': (lambda p: -aperture(p), .05),
        'lower lid up': (lambda p: -y(p, 40, 41, 46, 47), .02)},
    9: {'wings up': (lambda p: -y(p, 31, 35), .06),
        'inner brow down': (lambda p: y(p, 21, 22), .03)},
    10: {'upper lip up': (lambda p: -y(p, 50, 52), .05)},
    12: {'corners up': (lambda p: -y(p, 48, 54), .08), 'wide': (lambda p: apart(p, 48, 54), .15)},
    14: {'corners in': (lambda p: -apart(p, 48, 54), .08)},
    15: {'corners down': (lambda p: y(p, 48, 54), .08)},
    17: {'lower lip up': (lambda p: -y(p, 57, 56, 58), .04), 'chin up': (lambda p: -p[8, 1], .03)},
    20: {'wide': (lambda p: apart(p, 48, 54), .2)},
    23: {'thin lips': (lambda p: -lips(p), .06), 'narrow': (lambda p: -apart(p, 48, 54), .05)},
    24: {'thin lips': (lambda p: -lips(p), .08)},
    25: {'gap': (lambda p: p[66, 1] - p[62, 1], .08)},
    26: {'gap': (lambda p: p[66, 1] - p[62, 1], .15), 'chin down': (lambda p: p[8, 1], .15)},
}
BROWS, EYES, MOUTH, CHIN = range(17, 27), range(36, 48), range(48, 68), range(6, 11)
UPPER_LIDS, LOWER_LIDS = (37, 38, 43, 44), (40, 41, 46, 47)
# AU: landmarks that it must leave where they are (to 0.02 pupil distances, 1.3 mm)
STAYS = {
    1: (*LOWER_LIDS, *MOUTH, *CHIN, 17, 26), 2: (*MOUTH, *CHIN, 21, 22), 4: (*MOUTH, *CHIN),
    5: (*BROWS, *MOUTH, *CHIN, *LOWER_LIDS), 6: (*CHIN, 21, 22, 51, 57),
    7: (*BROWS, *MOUTH, *CHIN), 9: (*CHIN, 17, 26), 10: (*BROWS, *UPPER_LIDS, *CHIN),
    12: (*BROWS, *UPPER_LIDS, *CHIN), 14: (*BROWS, *EYES, *CHIN), 15: (*BROWS, *EYES, *CHIN),
    17: (*BROWS, *EYES, 48, 54), 20: (*BROWS, *EYES), 23: (*BROWS, *EYES, *CHIN),
    24: (*BROWS, *EYES), 25: (*BROWS, *EYES, *CHIN, 48, 54), 26: (*BROWS, *EYES, 51),
}


@pytest.mark.parametrize('au', muscles.AUS)
def test_direction_and_monotony(au):
    for seed in PEOPLE:
        path = [landmarks(seed, {au: level}) for level in LEVELS]
        for name, (measure, least) in GROWS[au].items():
            values = np.array([measure(p) for p in path])
            assert np.all(np.diff(values) > 0), (seed, name, values)
            assert values[-1] - values[0] > least, (seed, name, values)


@pytest.mark.parametrize('au', muscles.AUS)
def test_leaves_other_regions_alone(au):
    for seed in PEOPLE:
        moved = np.abs(landmarks(seed, {au: 5}) - landmarks(seed, {})).max(1)[list(STAYS[au])]
        assert moved.max() < 0.02, (seed, STAYS[au][int(moved.argmax())], moved.max())


@pytest.mark.parametrize('au', muscles.AUS)
def test_bilateral(au):
    """The two halves mirror each other."""
    mirror = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
              45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
              *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
    p = landmarks(1, {au: 4})
    flipped = p[mirror]
    flipped[:, 0] = 223 / UNIT - flipped[:, 0]
    np.testing.assert_allclose(p, flipped, atol=0.005)


def test_units_add_up_where_they_do_not_interact():
    rest = landmarks(1, {})
    for a, b in ((1, 2), (1, 15), (4, 20), (5, 24), (9, 25), (2, 17)):
        both = landmarks(1, {a: 3, b: 4}) - rest
        apart_ = landmarks(1, {a: 3}) + landmarks(1, {b: 4}) - 2 * rest
        np.testing.assert_allclose(both, apart_, atol=0.03)


def test_known_interactions():
    cheek_6, cheek_12, both = (muscles.drives(d) for d in ({6: 5}, {12: 5}, {6: 5, 12: 5}))
    assert both['6x12'] == 1 and '6x12' not in cheek_6 and '6x12' not in cheek_12

    def gap(aus):
        p = landmarks(1, aus)
        return p[66, 1] - p[62, 1]

    # jaw and lips together open wider than either, but not as wide as their sum
    assert max(gap({25: 5}), gap({26: 5})) < gap({25: 5, 26: 5}) < gap({25: 5}) + gap({26: 5})


@pytest.mark.parametrize('aus', [{3: 1}, {12: -0.1}, {12: 5.1}, {12: float('nan')}, {'12': 1}])
def test_bad_values_are_named(aus):
    with pytest.raises(ValueError, match=f'AU {next(iter(aus))!r}'):
        muscles.check_intensities(aus)


def test_bad_types_are_named():
    with pytest.raises(TypeError, match='list'):
        muscles.check_intensities([12])


def test_order_of_the_dict_does_not_matter():
    one, other = muscles.drives({12: 5, 6: 3}), muscles.drives({6: 3, 12: 5})
    assert list(one.items()) == list(other.items())
