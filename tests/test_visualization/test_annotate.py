# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Annotated frames: what is drawn is measured in pixels and compared with the rows."""

import numpy as np
import pytest

from fmae_iat_plugin.inference.predictions import FacePrediction
from fmae_iat_plugin.visualization.annotate import ABSENT, PRESENT, Painter, face_colour, lay_out

AUS = (1, 12, 26)
SIZES = [(640, 360), (640, 480), (480, 640), (1280, 720), (3840, 2160)]


def prediction(face=0, box=(100, 80, 200, 190), values=(.25, .5, 1.), time=None, number=1,
               size=(640, 480)):
    return FacePrediction('v', number, time, face, True, .9, box, *size, tuple(values),
                          tuple(value >= .5 for value in values))


def nobody(time=None, number=1, size=(640, 480)):
    return FacePrediction('v', number, time, 0, False, None, None, *size)


def is_colour(picture, colour):
    return (picture == np.array(colour, dtype=np.uint8)).all(axis=2)


def bars(picture, painter, block=0):
    """Longest run of a bar's colour in each line of a block."""
    plan, found = painter.layout, []
    x, y = plan.corner(block)
    for number in range(1, len(painter.aus) + 1):
        lane = picture[y + number * plan.line:y + (number + 1) * plan.line, x:x + plan.panel]
        lane = lane[:, plan.label:plan.label + plan.bar]
        found.append(tuple(int(is_colour(lane, colour).sum(axis=1).max())
                           for colour in (PRESENT, ABSENT)))
    return found


@pytest.mark.parametrize('size', SIZES)
def test_bars_are_as_long_as_the_probability(size):
    painter = Painter(AUS)
    image = np.full((size[1], size[0], 3), 90, dtype=np.uint8)
    values = (.1, .333, .86)
    picture = painter.paint(image, [prediction(values=values, size=size)])
    full = bars(painter.paint(image, [prediction(values=(1., 1., 1.), size=size)]), painter)[0][0]
    assert full >= 90
    for value, (present, absent) in zip(values, bars(picture, painter)):
        length, other = (present, absent) if value >= .5 else (absent, present)
        assert other == 0 and abs(length - value * full) <= .5
    # readable: a line of text takes 16 pixels or more, and 1/30 of a larger frame
    assert painter.layout.line >= max(16, min(size) / 30)
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0


def test_a_box_lies_where_the_row_says_and_the_rest_of_the_frame_stays():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    faces = [prediction(0, (100.2, 80, 199.7, 190)), prediction(1, (300, 200, 420, 340))]
    painter = Painter(AUS)
    picture = painter.paint(image, faces)
    for row in faces:
        mask = is_colour(picture[:, :640], face_colour(row.face_id))
        x1, y1, x2, y2 = (round(side) for side in row.box)
        assert mask[y1:y2, x1].all() and mask[y1:y2, x2 - 1].all()  # outermost pixels inside
        assert mask[y1, x1:x2].all() and mask[y2 - 1, x1:x2].all()
        assert mask[y1 + 20:y2 - 20, x1 + 20:x2 - 20].mean() < .01
    outside = np.ones((480, 640), dtype=bool)
    for x1, y1, x2, y2 in ((98, 50, 202, 192), (298, 170, 422, 342)):  # boxes and their tags
        outside[y1:y2, x1:x2] = False
    assert (picture[:480, :640][outside] == image[outside]).all()


def test_a_large_frame_is_drawn_smaller_with_its_boxes():
    size, box = (8192, 1024), (4000, 200, 6000, 800)
    painter = Painter(AUS)
    picture = painter.paint(np.full((size[1], size[0], 3), 90, np.uint8),
                            [prediction(box=box, size=size)])
    assert picture.shape[1] < 8192
    mask = is_colour(picture[:, :4096], face_colour(0))
    assert mask[100:400, 2000].all() and mask[100:400, 2999].all()


def test_blocks_do_not_overlap_and_all_faces_of_an_image_have_one():
    for faces in (1, 2, 5, 13, 40):
        plan = lay_out(640, 480, AUS, faces, False)
        corners = [plan.corner(number) for number in range(faces)]
        for number, (x, y) in enumerate(corners):
            assert x >= 640 and x + plan.panel - plan.line // 2 <= plan.width
            assert y + plan.block - plan.line // 4 <= plan.height
            for other_x, other_y in corners[:number]:
                assert abs(x - other_x) >= plan.panel or abs(y - other_y) >= plan.block


def test_a_frame_without_face_is_kept_and_says_so():
    image = np.full((480, 640, 3), 200, dtype=np.uint8)
    painter = Painter(AUS)
    empty = painter.paint(image, [nobody()])
    changed = (empty[:480, :640] != 200).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.max() < 30 and 30 < columns.max() < 200  # the words, in the corner
    assert not is_colour(empty, PRESENT).any()


def sparkline(picture, painter, line):
    """Mean height of the line in each column of a sparkline, 0..1; NaN where there is none."""
    plan = painter.layout
    x, y = plan.corner(0)
    x += plan.label + plan.bar + plan.value
    y += (line + 1) * plan.line
    inset = max(2, plan.line // 6)
    lane = picture[y + inset - 1:y + plan.line - inset + 1, x:x + plan.spark].astype(int)
    ink = np.clip(255 - lane[..., 2], 0, None) * (lane[..., 0] - lane[..., 2] > 20)  # bluish
    height = np.arange(len(ink))[::-1, None] - 1
    with np.errstate(invalid='ignore'):
        return (ink * height).sum(axis=0) / ink.sum(axis=0) / (len(ink) - 3)


def test_a_sparkline_is_the_curve_of_the_last_seconds_with_its_gaps():
    painter = Painter(AUS, seconds=4.)
    image = np.zeros((810, 810, 3), dtype=np.uint8)
    curve = lambda time: .5 + .5 * np.cos(time)  # noqa: E731
    times = np.arange(0, 10, .1)
    for number, time in enumerate(times, 1):
        here = not 7.95 < time < 8.85
        row = prediction(values=(curve(time), 0., 1.), time=time, number=number) if here \
            else nobody(time, number)
        picture = painter.paint(image, [row], float(time))
    found = sparkline(picture, painter, 0)
    when = np.linspace(times[-1] - 4, times[-1], len(found))
    gap = (when > 8) & (when < 8.8)
    assert np.isnan(found[gap]).all()
    solid = ~((when > 7.85) & (when < 8.95)) & (when > 6)
    assert np.abs(found[solid] - curve(when[solid])).max() < .08
    assert np.abs(sparkline(picture, painter, 2)[solid] - 1).max() < .08


def test_frames_of_a_video_have_one_size_and_count_the_faces_without_room():
    painter = Painter(AUS)
    image = np.zeros((120, 160, 3), dtype=np.uint8)
    first = painter.paint(image, [nobody(0.)], 0.)
    room = painter.layout.across * painter.layout.down
    faces = [prediction(face, (5, 5, 40, 40), time=.1) for face in range(room)]
    fits = painter.paint(image, faces, .1)
    more = painter.paint(image, [*faces, prediction(room, (5, 5, 40, 40), time=.2)], .2)
    assert first.shape == fits.shape == more.shape
    line = painter.layout.line
    tag = np.s_[first.shape[0] - line:, painter.layout.left:]
    dark = [int((picture[tag].max(axis=2) < 60).sum()) for picture in (fits, more)]
    assert dark[1] > dark[0] + line * line


def test_the_threshold_is_marked():
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    painter = Painter(AUS, thresholds=(.2, .5, .9))
    picture = painter.paint(image, [prediction(values=(0., 0., 0.))])
    plan = painter.layout
    x, y = plan.corner(0)
    for number, value in enumerate((.2, .5, .9)):
        row = picture[y + (number + 1) * plan.line + plan.line // 2, x + plan.label:][:plan.bar]
        dark = np.flatnonzero(row.max(axis=1) < 60)
        assert len(dark) and abs(dark.mean() - value * plan.bar) <= 1


def test_an_intensity_is_a_bar_from_0_to_5_without_a_mark():
    """AU number 0 keeps its probability and mark; the others show fifths, in their own order."""
    image = np.full((480, 640, 3), 90, dtype=np.uint8)
    painter = Painter(AUS, thresholds=(.2, .2, .2), intensity_aus=(AUS[2], AUS[1]))
    row = prediction(values=(.3, .9, .1))._replace(intensities=(4., 1.5))
    picture = painter.paint(image, [row])
    whole = prediction(values=(1., 1., 1.))._replace(intensities=(5., 5.))
    full = bars(painter.paint(image, [whole]), painter)[0][0]
    for share, present, found in zip((.3, .3, .8), row.present, bars(picture, painter)):
        assert abs(found[0 if present else 1] - share * full) <= 2  # the mark of the first
    plan = painter.layout
    x, y = plan.corner(0)
    marks = []
    for number in range(3):
        line = picture[y + (number + 1) * plan.line + 1, x + plan.label:][:plan.bar]
        marks.append(bool((line.max(axis=1) < 60).any()))
    assert marks == [True, False, False]
