# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Landmarks of a table: exact ones, misses counted and listed, resumption."""

import json
from importlib.util import find_spec

import cv2
import numpy as np
import pandas as pd
import pytest

import fmae_iat_plugin.faces.landmark_files as landmark_files
from fmae_iat_plugin.datasets.landmarks import read_landmarks
from fmae_iat_plugin.faces.landmark_files import find_table_landmarks, main
from fmae_iat_plugin.synthfacs import Population, render, write_synthfacs


@pytest.fixture
def rendered(tmp_path):
    folder = tmp_path / 'synthfacs'
    write_synthfacs(folder, subjects=2, frames=3, size=32, folds=2, sessions=1, workers=1)
    return folder


def test_rendered_landmarks_are_exact(rendered):
    found = find_table_landmarks(rendered, source='rendered')
    assert (found.images, found.missing) == (6, 0)
    points = read_landmarks(found.path).points
    people = Population(**json.loads((rendered / 'synthfacs.json').read_text())['population'])
    for image, fraction in points.items():
        face = people.face(*people.parse(image))
        wanted = render(face.identity, face.shown, face.pose, face.light, size=32)[1]
        np.testing.assert_allclose(fraction * 32 - 0.5, wanted, atol=6e-3)
    assert len(points) == 6


def test_misses_are_counted_and_listed(face_table):
    pytest.importorskip('dlib', reason="pip install 'fmae_iat_plugin[face]'")
    root = face_table([f'{row}.png,P,1,0' for row in range(3)], size=40)
    (root / '2.png').write_bytes(b'no image')
    cv2.imwrite(str(root / '1.png'), render(3, size=160)[0][..., ::-1])
    found = find_table_landmarks(root)
    listed = pd.read_csv(found.missing_path)
    reasons = dict(zip(listed['item'], listed['reason']))
    assert reasons['0.png'] == 'no face found' and reasons['2.png'] == 'unreadable image'
    assert found.missing == len(listed) and found.images == 3
    whole = find_table_landmarks(root, str(root / 'whole.csv'), whole=True)
    assert whole.missing == 1 and set(read_landmarks(whole.path).points) == {'0.png', '1.png'}


def test_dlib_is_near_the_rendered_landmarks(tmp_path):
    pytest.importorskip('dlib', reason="pip install 'fmae_iat_plugin[face]'")
    if find_spec('face_recognition_models') is None:  # its import needs pkg_resources
        pytest.skip("pip install 'fmae_iat_plugin[face]'")
    image, wanted = render(3, size=200)
    cv2.imwrite(str(tmp_path / 'a.png'), image[..., ::-1])
    (tmp_path / 'annotation.csv').write_text('image,subject,AU1\na.png,P,1\n')
    found = find_table_landmarks(tmp_path, whole=True)
    points = read_landmarks(found.path).points['a.png'] * 200 - 0.5
    assert np.linalg.norm(points[17:] - wanted[17:], axis=-1).mean() < 12  # 6 % of the face


def test_a_stopped_command_goes_on(rendered, monkeypatch):
    monkeypatch.setattr(landmark_files, 'CHUNK', 2)
    calls, original = [], landmark_files._rendered

    def stop(*args):
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(landmark_files, '_rendered', stop)
    with pytest.raises(KeyboardInterrupt):
        find_table_landmarks(rendered, source='rendered')
    assert not (rendered / 'landmarks.csv').is_file()
    find_table_landmarks(rendered, source='rendered')
    assert len(calls) == 4 + 4  # two images of the first chunk were done
    first = (rendered / 'landmarks.csv').read_bytes()
    find_table_landmarks(rendered, source='rendered')
    assert (rendered / 'landmarks.csv').read_bytes() == first
    assert not list(rendered.glob('.landmarks*'))


def test_the_command(rendered, capsys):
    assert main([str(rendered), '--source', 'rendered', '--out', str(rendered / 'l.csv')]) == 0
    assert '6 of 6 faces have landmarks' in capsys.readouterr().out
    assert main([str(rendered / 'none')]) == 2
    assert 'does not exist' in capsys.readouterr().err
