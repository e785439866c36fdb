# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which face is taken, and which gaps are bridged: bounds, boxes, order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmae_iat_plugin.faces import Detections
from fmae_iat_plugin.faces.tracking import Tracker, select_faces


def detections(*boxes):
    return Detections(np.array(boxes, np.float32).reshape(-1, 4),
                      np.linspace(1, 2, len(boxes), dtype=np.float32))


def follow(frames, max_gap):
    """{frame: boxes or None} -> {frame: [(state, box, track)]}; checks that order is kept."""
    tracker, out, held = Tracker(max_gap), [], 0
    for pushed, (number, boxes) in enumerate(frames, 1):
        done = tracker.push(number, number, [(tuple(map(float, box)), 1.) for box in boxes])
        out += done
        held = max(held, pushed - len(out))
    out += tracker.finish()
    assert [number for number, _ in out] == [number for number, _ in frames]
    assert held <= max_gap
    return {number: [(f.state, f.box, f.track) for f in faces] for number, faces in out}


def test_largest_central_all():
    found = detections((0, 0, 50, 50), (45, 45, 55, 55), (60, 10, 90, 40))
    (box, score), = select_faces(found, 100, 100, 'largest')
    assert box == (0, 0, 50, 50) and score == 1
    (box, score), = select_faces(found, 100, 100, 'central')
    assert box == (45, 45, 55, 55) and score == 1.5
    boxes = [box for box, _ in select_faces(found, 100, 100, 'all')]
    assert boxes == [(0, 0, 50, 50), (60, 10, 90, 40), (45, 45, 55, 55)]
    assert select_faces(detections(), 100, 100, 'all') == []


def test_boxes_outside_the_image_are_no_faces():
    found = detections((-50, 0, 0.5, 50), (101, 0, 200, 50), (-40, -40, 10, 10))
    assert [box for box, _ in select_faces(found, 100, 100, 'all')] == [(-40, -40, 10, 10)]


@pytest.mark.parametrize('missed', [1, 2, 3, 4])
def test_a_gap_is_bridged_up_to_its_bound_and_not_beyond(missed):
    a, b = (0, 0, 40, 40), (8, 4, 48, 44)
    last = missed + 1
    frames = [(0, [a]), *[(n, []) for n in range(1, last)], (last, [b])]
    got = follow(frames, max_gap=3)
    for n in range(1, last):
        if missed > 3:
            assert got[n] == []
            continue
        (state, box, track), = got[n]
        assert (state, track) == ('tracked', 1)
        np.testing.assert_allclose(box, np.array(a) + n / last * (np.array(b) - a))
    assert got[last] == [('detected', b, 1 if missed <= 3 else 2)]


def test_gaps_are_measured_in_frame_numbers():
    frames = [(10, [(0, 0, 9, 9)]), (12, []), (15, [(0, 0, 9, 9)])]  # four numbers between
    assert follow(frames, 3)[12] == []
    assert follow(frames, 4)[12] == [('tracked', (0, 0, 9, 9), 1)]


def test_nothing_before_the_first_nor_after_the_last():
    got = follow([(0, []), (1, [(0, 0, 9, 9)]), (2, []), (3, [])], 5)
    assert [len(got[n]) for n in range(4)] == [0, 1, 0, 0]


def test_another_face_is_not_bridged_to():
    got = follow([(0, [(0, 0, 10, 10)]), (1, []), (2, [(50, 0, 60, 10)])], 5)
    assert got[1] == [] and got[2][0][2] == 2


def test_without_bridging_nothing_is_held_back():
    tracker = Tracker(0)
    assert [item for item, _ in tracker.push(1, 'a', [])] == ['a']
    assert [item for item, _ in tracker.push(5, 'b', [((0., 0., 1., 1.), 1.)])] == ['b']
    assert tracker.finish() == []


def test_unrelated_frames_number_their_own_faces():
    tracker, faces = Tracker(), [((0., 0., 9., 9.), 1.), ((50., 0., 59., 9.), .5)]
    for number, found in enumerate((faces, faces[1:], faces)):
        (item, got), = tracker.push(number, number, found)
        assert item == number and [(face.box, face.score, face.track) for face in got] == [
            (*face, place) for place, face in enumerate(found, 1)]


def test_a_missed_face_is_expected_where_its_motion_leads():
    """12 pixels a frame: after three missed frames the boxes have nothing in common."""
    def boxes(n):
        return [] if n in (6, 7, 8) else [(12 * n, 0, 12 * n + 40, 40)]
    got = follow([(n, boxes(n)) for n in range(12)], 3)
    assert [got[n][0][2] for n in range(12)] == [1] * 12
    assert got[7][0] == ('tracked', pytest.approx((84, 0, 124, 40)), 1)
    still = follow([(n, boxes(5) if n < 6 else boxes(n)) for n in range(12)], 3)  # it stood still
    assert still[7] == [] and still[9][0][2] == 2


def test_two_faces_that_pass_keep_their_numbers():
    """Left face drifts right, right face drifts left in another row; one is missed twice."""
    frames = []
    for n in range(10):
        left, right = (4 * n, 0, 4 * n + 30, 30), (90 - 4 * n, 28, 120 - 4 * n, 58)
        frames.append((n, [right, left] if n % 2 else ([left] if n == 4 else [left, right])))
    got = follow(frames, 2)
    for n in range(10):
        boxes = {track: box for _, box, track in got[n]}
        assert boxes[1] == pytest.approx((4 * n, 0, 4 * n + 30, 30))
        assert boxes[2] == pytest.approx((90 - 4 * n, 28, 120 - 4 * n, 58))
    assert got[4][1][0] == 'tracked'


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=30),
       st.integers(0, 6))
def test_any_pattern_of_misses_equals_a_look_in_both_directions(pattern, max_gap):
    numbers = np.cumsum([step for step, _ in pattern]).tolist()
    seen = {n: (n / 4, 1., n / 4 + 40, 41.) for n, (_, hit) in zip(numbers, pattern) if hit}
    got = follow([(n, [seen[n]] if n in seen else []) for n in numbers], max_gap)
    for n in numbers:
        before, after = (max((m for m in seen if m < n), default=None),
                         min((m for m in seen if m > n), default=None))
        if n in seen:
            assert [face[:2] for face in got[n]] == [('detected', seen[n])]
        elif None not in (before, after) and after - before - 1 <= max_gap:
            (state, box, _), = got[n]
            assert state == 'tracked' and box == pytest.approx((n / 4, 1., n / 4 + 40, 41.))
        else:
            assert got[n] == []
