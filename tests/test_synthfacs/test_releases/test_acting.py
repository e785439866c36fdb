# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Performances keep the labels, and every frame is a function of its names alone."""

import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.releases.acting import (
    Recording,
    at,
    check_options,
    intensities,
    person,
)


def test_intensity_is_positive_exactly_where_the_unit_occurs():
    rng = np.random.default_rng(0)
    occurrence = np.repeat(rng.random(400) < .4, rng.integers(1, 30, 400))
    track = intensities(0, 'F001_T1', 12, occurrence)
    np.testing.assert_array_equal(track >= 2, occurrence)
    assert set(track) == {0, 1, 2, 3, 4, 5}


def test_intensity_rises_and_falls_once_in_a_run():
    for seed in range(20):
        track = intensities(seed, 'k', 4, np.ones(40, bool))
        steps = np.sign(np.diff(track))
        steps = steps[steps != 0]
        assert (np.diff(steps) <= 0).all()  # no rise after a fall


def test_frames_do_not_depend_on_the_order():
    recording = Recording(0, 'M001', 'M001_T1', 32)
    track = {12: np.array([0, 3, 5])}
    forward = [recording.picture(t, at(track, t)) for t in range(3)]
    backward = [recording.picture(t, at(track, t)) for t in (2, 1, 0)][::-1]
    assert all((a == b).all() for a, b in zip(forward, backward))
    assert (forward[0] != forward[2]).any()


def test_landmarks_follow_the_camera():
    points = [Recording(0, 'M001', 'k', 64, yaw=yaw).draw(0, {})[1] for yaw in (-9, 9)]
    nose = [p[30, 0] - (p[0, 0] + p[16, 0]) / 2 for p in points]
    assert nose[0] < nose[1]  # the nose points further to the right of the image


def test_people_are_told_apart_and_women_have_no_beard():
    assert person(0, 'F001') == person(0, 'F001') != person(0, 'F002')
    assert person(0, 'F001') != person(1, 'F001')
    assert {person(0, f'F{k:03d}').beard for k in range(30)} == {'none'}
    assert len({person(0, f'M{k:03d}').beard for k in range(30)}) > 1


@pytest.mark.parametrize('arguments, message', [
    ((30, 'crop'), 'at least 32'), ((65, 'crop'), 'even'), ((64, 'face'), "framing='face'")])
def test_bad_options(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_options(*arguments)


def test_bad_count():
    with pytest.raises(ValueError, match='frames must be at least 1, not 0'):
        check_options(64, 'crop', frames=0)
