# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The future of a rendered frame: relaxes, is reproducible, and its flow is exact."""

import numpy as np
import pytest

from fmae_iat_plugin.synthfacs import Population, render, warp_back
from fmae_iat_plugin.synthfacs.motion import flow_of_frame, later

PEOPLE = Population(subjects=2, frames=4, folds=2, aus=(4, 12, 25))


def test_action_units_relax_by_one_factor():
    for frame in range(4):
        now, then = PEOPLE.face(1, frame), later(PEOPLE, 1, frame, 4)
        ratios = [then.coded[au] / now.coded[au] for au in now.coded if now.coded[au]]
        assert np.ptp(ratios) < 1e-9 if ratios else True
        assert all(0.5**4 <= ratio <= 0.5**(4 / 3) for ratio in ratios)
        assert abs(then.pose.yaw) < abs(now.pose.yaw) + 1 and then.identity == now.identity
        assert then.pose.scale == now.pose.scale
    assert later(PEOPLE, 1, 2, 4) == later(PEOPLE, 1, 2, 4) != later(PEOPLE, 1, 2, 1)


def test_less_is_left_after_more_frames():
    one, four = later(PEOPLE, 0, 1, 1), later(PEOPLE, 0, 1, 4)
    for au, value in one.shown.items():
        assert four.shown[au] == pytest.approx(
            PEOPLE.face(0, 1).shown[au] * (value / PEOPLE.face(0, 1).shown[au])**4
            if value else 0)


def test_flow_leads_to_that_future():
    """The future warped back by the flow is the present, where it is visible."""
    frame = max(range(4), key=lambda frame: sum(PEOPLE.face(0, frame).coded.values()))
    now, then = PEOPLE.face(0, frame), later(PEOPLE, 0, frame, 4)
    before, after = (render(face.identity, face.shown, face.pose, size=96)[0].astype(float)
                     for face in (now, then))
    flow = flow_of_frame(PEOPLE, 0, frame, 4, 96)
    error = np.abs(warp_back(after, flow.flow) - before).mean(-1)[flow.visible].mean()
    still = np.abs(after - before).mean(-1)[flow.visible].mean()
    assert error < 0.7 * still  # the folds of the skin fade, so it is not exact
    assert np.linalg.norm(flow.flow, axis=-1).max() > 1


def test_no_future_is_an_error_in_words():
    with pytest.raises(ValueError, match='delta is 0. Remedy'):
        later(PEOPLE, 0, 0, 0)
