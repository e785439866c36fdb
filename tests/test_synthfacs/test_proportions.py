# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""People of varied proportions: faces that can exist, and skin that moves as far as they say."""

from dataclasses import replace

import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.proportions import VARIED, sample_varied_identity
from fmae_iat_plugin.synthfacs.renderer import render, sample_identity
from fmae_iat_plugin.synthfacs.renderer.geometry import FaceCurves

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
        assert y[[19, 24]].max() < y[[37, 38, 43, 44]].min() - .03  # brows above the eyes
        assert y[[33]].max() < y[51] < y[57] < y[8]  # nose, upper lip, lower lip, chin
        assert all(low <= getattr(person, name) <= high
                   for name, (_, _, low, high) in VARIED.items())


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


def test_shade_darkens_its_place_by_its_share_and_nothing_else():
    """A picture is about proportional to its paint: 0.6 is left, but for highlights."""
    plain = replace(sample_varied_identity(5), glabella_shade=0.0, eye_shade=0.0, glasses='none')

    def picture(**change):
        image, landmarks = render(replace(plain, **change), size=256)
        return image.mean(axis=2, dtype=float), landmarks

    before, landmarks = picture()
    between = landmarks[[21, 22]].mean(0).round().astype(int)
    chin = landmarks[8].round().astype(int) - (0, 20)
    eyes = [landmarks[first:first + 6].mean(0).round().astype(int) for first in (36, 42)]

    def patch(image, place):
        return image[place[1] - 2:place[1] + 3, place[0] - 2:place[0] + 3]

    skin, _ = picture(glabella_shade=.4)
    assert .5 < patch(skin, between).mean() / patch(before, between).mean() < .8
    assert np.array_equal(patch(skin, chin), patch(before, chin))
    eye, _ = picture(eye_shade=.4)
    for place in eyes:
        assert .5 < patch(eye, place).mean() / patch(before, place).mean() < .85
    assert np.array_equal(patch(eye, between), patch(before, between))
