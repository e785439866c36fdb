# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""People of varied proportions: faces that can exist, and skin that moves as far as they say."""

from dataclasses import replace

import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.proportions import UNIFORM, VARIED, sample_varied_identity
from fmae_iat_plugin.synthfacs.renderer import render, sample_identity
from fmae_iat_plugin.synthfacs.renderer.geometry import FaceCurves
from fmae_iat_plugin.synthfacs.renderer.muscles import JAW_DROP, drives, eye_light

# Mean and standard deviation of dlib's landmarks on 259 frontal photos, in pupil distances. Of
# nose, brows and lids dlib marks other edges than the renderer, so they are not compared here.
REAL = dict(corner=(1.003, .106), chin=(1.749, .158))
PARTS = dict(corner=(48, 54), chin=(8, ), brow=(19, 24), lid=(37, 38, 43, 44))


@pytest.fixture(scope='module')
def people():
    return [sample_varied_identity(seed) for seed in range(400)]


def test_landmarks_lie_where_those_of_photos_do(people):
    """And nearer to them than the people of the renderer itself."""

    def measured(persons):
        landmarks = np.stack([FaceCurves(person).landmarks[:, 1] for person in persons])
        return {name: landmarks[:, list(part)].mean(1) for name, part in PARTS.items()}

    ours, before = measured(people), measured([sample_identity(seed) for seed in range(400)])
    for name, (mean, spread) in REAL.items():
        assert abs(ours[name].mean() - mean) < abs(before[name].mean() - mean), name
        assert abs(ours[name].mean() - mean) < .6 * spread, name
        assert .6 * spread < ours[name].std() < 1.1 * spread, name
    for name in ('brow', 'lid'):  # lower brows, eyes less open
        assert .02 < ours[name].mean() - before[name].mean() < .07, name


def test_every_face_is_in_order(people):
    for person in people:
        y = FaceCurves(person).landmarks[:, 1]
        assert y[[19, 24]].max() < y[[37, 38, 43, 44]].min() - .028  # brows above the eyes
        assert y[[33]].max() < y[51] < y[57] < y[8]  # nose, upper lip, lower lip, chin
        assert all(low <= getattr(person, name) <= high
                   for name, (_, _, low, high) in VARIED.items())
        assert all(low <= getattr(person, name) <= high for name, (low, high) in UNIFORM.items())


def test_the_same_seed_gives_the_same_person_and_others_stay_themselves():
    assert sample_varied_identity(7) == sample_varied_identity(7) != sample_varied_identity(8)
    ours, person = sample_varied_identity(7), sample_identity(7)
    assert (ours.skin, ours.hair_style, ours.age) == (person.skin, person.hair_style, person.age)
    with pytest.raises(ValueError, match='>= 0'):
        sample_varied_identity(-1)


@pytest.mark.parametrize('au, field, still', [(1, 'brow_mobility', 'mobility'),
                                              (12, 'mobility', 'brow_mobility')])
def test_mobility_scales_the_displacement(au, field, still):
    """Half the mobility at twice the intensity is the same face, whatever the other is."""
    person = sample_identity(3)
    full = render(person, {au: 2.0}, size=64)
    half = render(replace(person, **{field: .5, still: 3.0}), {au: 4.0}, size=64)
    np.testing.assert_array_equal(half[0], full[0])
    np.testing.assert_array_equal(half[1], full[1])
    assert np.abs(full[1] - render(person, {}, size=64)[1]).max() > .5


@pytest.mark.parametrize('anchor', [0.0, 1.0])
def test_an_anchored_eye_stays_when_the_brow_rises(anchor):
    person = replace(sample_varied_identity(5), eye_anchor=anchor, brow_mobility=1.0)
    rest, raised = (render(person, aus, size=128)[1] for aus in ({}, {1: 5, 2: 5}))
    moved = np.abs(raised - rest).max(1)
    eyes = moved[[40, 41, 46, 47]]  # lower lids, which neither AU moves by itself
    assert moved[[19, 24]].min() > 4  # pixels
    assert eyes.max() < .3 if anchor else eyes.min() > .5


def test_the_whole_brow_rises_only_where_both_its_ends_do():
    plain = replace(sample_varied_identity(5), brow_mobility=1.0, whole_brow=0.0)
    whole = replace(plain, whole_brow=1.0)
    middle = [19, 24]

    def height(person, aus):
        return render(person, aus, size=128)[1][:, 1]

    for aus in ({1: 4}, {2: 4}, {4: 4}):
        np.testing.assert_array_equal(height(whole, aus), height(plain, aus))
    rise = height(plain, {1: 4, 2: 4}) - height(whole, {1: 4, 2: 4})
    assert rise[middle].min() > 1.5 and np.abs(rise[[8, 33, 57]]).max() < .1  # pixels


def _grey(person, aus=None, **change):
    """Grey picture ``[256, 256]`` and the landmarks as whole pixels."""
    image, landmarks = render(replace(person, **change), aus, size=256)
    return image.mean(axis=2, dtype=float), landmarks.round().astype(int)


def _patch(image, place):
    return image[place[1] - 2:place[1] + 3, place[0] - 2:place[0] + 3]


SHADES = ('glabella_shade', 'eye_shade', 'orbit_shade', 'lid_shade')


@pytest.fixture
def evenly_lit():
    return replace(sample_varied_identity(5), glasses='none', mouth_stretch=0.0, mobility=1.0,
                   brow_mobility=1.0, **dict.fromkeys(SHADES, 0.0))


def test_shade_darkens_its_place_by_its_share_and_nothing_else(evenly_lit):
    """A picture is about proportional to its paint: 0.6 is left, but for highlights."""
    before, landmarks = _grey(evenly_lit)
    between = landmarks[[21, 22]].mean(0).round().astype(int)
    chin = landmarks[8] - (0, 20)
    eyes = [landmarks[first:first + 6].mean(0).round().astype(int) for first in (36, 42)]
    skin, _ = _grey(evenly_lit, glabella_shade=.4)
    assert .5 < _patch(skin, between).mean() / _patch(before, between).mean() < .8
    assert np.array_equal(_patch(skin, chin), _patch(before, chin))
    eye, _ = _grey(evenly_lit, eye_shade=.4)
    for place in eyes:
        assert .5 < _patch(eye, place).mean() / _patch(before, place).mean() < .85
    assert np.array_equal(_patch(eye, between), _patch(before, between))
    lids, _ = _grey(evenly_lit, lid_shade=.6)
    for edge in (37, 38, 43, 44):  # just above the upper lid's edge
        place = landmarks[edge] - (0, 3)
        assert .3 < _patch(lids, place).mean() / _patch(before, place).mean() < .85
    assert np.array_equal(_patch(lids, between), _patch(before, between))


def test_eyes_darken_as_they_narrow_and_brows_shade_the_lids(evenly_lit):
    shaded = dict(orbit_shade=.5)
    assert np.array_equal(_grey(evenly_lit)[0], _grey(evenly_lit, **shaded)[0])
    for aus, left in (({6: 2}, 1 - .5 * .8 * .4), ({7: 1, 12: 2}, 1 - .5 * (.6 * .2 + .3 * .4)),
                      ({4: 5, 6: 5, 7: 5}, .5), ({2: 5}, 1)):
        person = replace(evenly_lit, **shaded)
        assert eye_light(drives(aus, person), person) == pytest.approx(left)
    before, landmarks = _grey(evenly_lit, {6: 2})
    after, _ = _grey(evenly_lit, {6: 2}, **shaded)
    for first in (36, 42):
        place = landmarks[first:first + 6].mean(0).round().astype(int)
        assert _patch(after, place).mean() / _patch(before, place).mean() == pytest.approx(
            .84, abs=.04)
    for au, low, high in ((4, .5, .85), (1, 1.02, 1.3), (2, 1.02, 1.3)):
        before, landmarks = _grey(evenly_lit, {au: 5})
        after, _ = _grey(evenly_lit, {au: 5}, **shaded)
        for lid, brow in ((37, 20), (44, 23)):
            place = landmarks[[lid, lid, brow]].mean(0).round().astype(int)
            assert low < _patch(after, place).mean() / _patch(before, place).mean() < high, au
        chin = landmarks[8] - (0, 20)
        assert np.array_equal(_patch(after, chin), _patch(before, chin))


def test_the_mouth_is_stretched_only_where_the_jaw_drops_far(evenly_lit):
    wide = replace(evenly_lit, mouth_stretch=.5)
    for aus in ({}, {26: 1.0}, {25: 5}, {12: 5}):
        np.testing.assert_array_equal(_grey(evenly_lit, aus)[0], _grey(wide, aus)[0])
    assert drives({26: 4}, evenly_lit) == {26: .8}
    assert drives({26: 4}, wide) == pytest.approx({26: .9, 27: .5})
    assert drives({26: 2.5}, wide) == pytest.approx({26: .5 * (1 + .25 * .25), 27: .25})

    def mouth(person):
        """In pupil distances: inner height and width."""
        x, y = render(person, {26: 4}, size=256)[1].T
        unit = x[42:48].mean() - x[36:42].mean()
        return (y[66] - y[62]) / unit * 2 * person.eye_x, (x[54] - x[48]) / unit * 2 * person.eye_x

    (height, width), (stretched, narrowed) = mouth(evenly_lit), mouth(wide)
    lips = .5 * (.165 + .012) + .1 * (.39 + .44) * JAW_DROP  # rims of AU 27, and more of AU 26
    # the skin between them is stretched by the jaw as well
    assert 1 < (stretched - height) / lips < 1.6
    assert .02 < width - narrowed < .15
