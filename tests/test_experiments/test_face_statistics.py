# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Lengths and grey values are those that were drawn, however the face is turned and scaled."""

import cv2
import numpy as np
import pytest

from fmae_iat_plugin.experiments.face_statistics import (
    brightness,
    main,
    measure,
    photos,
    shape,
    statistics,
)
from fmae_iat_plugin.synthfacs.renderer import render, sample_identity


def _face():
    """68 points, 20 pixels between the eyes, whose middle is (40, 30)."""
    points = np.full((68, 2), 40.0)
    points[36:42] = [(26, 30), (28, 28), (32, 28), (34, 30), (32, 31), (28, 31)]
    points[42:48] = [(46, 30), (48, 28), (52, 28), (54, 30), (52, 31), (48, 31)]
    points[17:22] = [(22, 26), (25, 22), (28, 21), (32, 21), (36, 23)]
    points[22:27] = [(44, 23), (48, 21), (52, 21), (55, 22), (58, 26)]
    points[29], points[31], points[33], points[35] = (40, 40), (36, 45), (40, 46), (44, 45)
    points[48], points[54], points[62], points[66] = (32, 54), (48, 54), (40, 52), (40, 58)
    points[2], points[14], points[8] = (20, 45), (60, 45), (40, 70)
    return points


WANTED = {'inner brow': 7 / 20, 'outer brow': 4 / 20, 'brow gap': 4 / 20, 'eye opening': 3 / 20,
          'nose': -16 / 20, 'mouth corners': -24 / 20, 'mouth width': 16 / 20,
          'lips apart': 6 / 20, 'chin': -40 / 20}


@pytest.mark.parametrize('degrees, scale', [(0, 1), (25, 3.7), (-80, .2)])
def test_lengths_do_not_depend_on_place_turn_and_scale(degrees, scale):
    turn = np.radians(degrees)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    assert shape(_face() @ linear.T + (300, -20)) == pytest.approx(WANTED)


@pytest.mark.parametrize('scale', [1, 4])
def test_brightness_is_read_where_it_was_drawn(scale):
    picture = np.full((90, 80), 120, np.uint8)
    for x, grey in ((30, 30), (50, 60)):
        cv2.rectangle(picture, (x - 4, 28), (x + 4, 31), grey, -1)  # the eyes
    cv2.rectangle(picture, (38, 20), (42, 25), 90, -1)  # between the brows
    cv2.rectangle(picture, (39, 51), (41, 59), 12, -1)  # the mouth
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    points = (_face() + .5) * scale - .5
    wanted = {'brow': 1, 'inner brow': 1, 'pupil': 45 / 120, 'eye': 45 / 120, 'lid': 1,
              'between brows': 90 / 120, 'mouth': 12 / 120}
    assert brightness(picture, points) == pytest.approx(wanted)


def test_a_rendered_face_measures_as_the_renderer_says():
    pytest.importorskip('dlib', reason="pip install 'fmae_iat_plugin[face]'")
    picture, landmarks = render(sample_identity(3), {1: 4, 2: 4, 26: 4}, size=256,
                                framing='portrait')
    found = measure(np.ascontiguousarray(picture[..., ::-1]))['shape']
    for name, value in shape(landmarks).items():
        assert found[name] == pytest.approx(value, abs=.12), name  # dlib is no ruler
    blank = np.full((100, 100, 3), 90, np.uint8)
    assert measure(blank) is None


def test_means_and_spreads():
    rows = [dict(shape=dict(nose=value), brightness=dict(lid=2 * value)) for value in (1., 2., 6.)]
    assert statistics(rows) == dict(shape=dict(nose=(3., pytest.approx(np.sqrt(14 / 3)))),
                                    brightness=dict(lid=(6., pytest.approx(np.sqrt(56 / 3)))))


def test_photos_that_show_action_units(tmp_path):
    for name in 'abc':
        cv2.imwrite(str(tmp_path / f'{name}.png'), np.zeros((8, 8, 3), np.uint8))
    assert [path.name for path in photos(tmp_path)] == ['a.png', 'b.png', 'c.png']
    with pytest.raises(ValueError, match='neither annotation.csv .*Remedy'):
        photos(tmp_path, [1])
    (tmp_path / 'labels.csv').write_text(
        'image,subject,AU1,AU2\na.png,S1,1,1\nb.png,S1,1,0\nc.png,S1,3,5\n')
    assert [path.name for path in photos(tmp_path, [1, 2])] == ['a.png', 'c.png']
    with pytest.raises(ValueError, match='no image with AU1, AU2'):
        (tmp_path / 'labels.csv').write_text('image,subject,AU1,AU2\na.png,S1,1,0\n')
        photos(tmp_path, [1, 2])


def test_the_command(tmp_path, capsys):
    pytest.importorskip('dlib', reason="pip install 'fmae_iat_plugin[face]'")
    (tmp_path / 'real').mkdir()
    wanted = []
    for seed in (1, 2):
        picture = render(sample_identity(seed), size=256, framing='portrait')[0][..., ::-1]
        cv2.imwrite(str(tmp_path / f'real/{seed}.png'), picture)
        wanted.append(measure(np.ascontiguousarray(picture))['shape']['chin'])
    assert main([str(tmp_path / 'real'), '--rendered', '2', '--aus', '12=4', '--workers', '1']) == 0
    said = capsys.readouterr().out
    assert '2 of 2' in said and f'{np.mean(wanted):.2f} ± {np.std(wanted):.2f}' in said
    assert main([]) == 2 and 'Remedy: a folder of photos' in capsys.readouterr().err
