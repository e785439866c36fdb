# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The printed table holds the faces of photos and no others."""

import io

from fmae_iat_plugin.inference.face_table import MOST, FaceTable
from fmae_iat_plugin.inference.predictions import FacePrediction

ROW = FacePrediction('a.jpg', 1, None, 0, True, .9, (0, 0, 9, 9), 10, 10, (.25, .75), (False, True))


def printed(*rows):
    table, out = FaceTable((12, 4)), io.StringIO()
    for row in rows:
        table.add(row)
    table.print(out)
    return out.getvalue()


def test_units_stand_in_the_order_of_their_numbers():
    text = printed(ROW)
    lines = [line for line in text.splitlines() if 'AU' in line and '.' in line]
    assert 'a.jpg, face 0' in text
    assert [line.split()[1] for line in lines] == ['AU4', 'AU12']
    assert 'Brow lowerer' in lines[0] and '0.75' in lines[0] and 'yes' in lines[0]
    assert 'Lip corner puller' in lines[1] and '0.25' in lines[1] and 'yes' not in lines[1]


def test_videos_and_frames_without_a_face_are_passed_over():
    none = ROW._replace(success=False, probabilities=None, present=None)
    assert printed(none, ROW._replace(timestamp=.1), ROW._replace(input='b.mp4')) == ''


def test_many_faces_are_counted():
    text = printed(*[ROW._replace(face_id=number) for number in range(MOST + 3)])
    assert f'face {MOST - 1}' in text and f'face {MOST}' not in text
    assert 'and 3 more faces' in text
