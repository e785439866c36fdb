# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The faces of the default model: the same on every way, and cut as inference cuts them."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from fmae_iat_plugin.experiments import rendered_crops
from fmae_iat_plugin.experiments.rendered_crops import (
    box_of_landmarks,
    draw,
    expression,
    write_rendered_crops,
)
from fmae_iat_plugin.faces.crop import crop_face
from fmae_iat_plugin.faces.dlib_detector import DlibDetector
from fmae_iat_plugin.faces.structures import CropOptions
from fmae_iat_plugin.synthfacs.proportions import sample_varied_identity
from fmae_iat_plugin.synthfacs.renderer import AUS, render
from fmae_iat_plugin.synthfacs.renderer.sampling import sample_intensities

pytest.importorskip('dlib')


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*')
            if path.is_file() and path.name != rendered_crops.PARAMETERS}


def test_one_or_two_processes_or_stopped_between(tmp_path):
    options = dict(people=2, frames=3, size=48)
    write_rendered_crops(tmp_path / 'one', workers=1, **options)
    write_rendered_crops(tmp_path / 'two', workers=2, **options)
    write_rendered_crops(tmp_path / 'again', workers=1, **options)
    for name in ('P00001/001.jpg', rendered_crops.TABLE):
        (tmp_path / 'again' / name).unlink()
    write_rendered_crops(tmp_path / 'again', workers=1, **options)
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two') == contents(tmp_path / 'again')
    table = pd.read_csv(tmp_path / 'one' / rendered_crops.TABLE)
    assert len(table) == 6 and (table[[f'AU{au}' for au in AUS]] <= 5).all(axis=None)
    for row in table.itertuples():
        coded = draw(0, int(row.subject[1:]), row.frame).coded
        assert [getattr(row, f'AU{au}') for au in AUS] == pytest.approx(
            [coded.get(au, 0) for au in AUS], abs=.006)
    with pytest.raises(ValueError, match='size'):
        write_rendered_crops(tmp_path / 'one', **{**options, 'size': 64}, workers=1)


def test_units_of_an_expression_are_of_one_strength_and_the_outer_brow_brings_the_inner():
    rng = np.random.default_rng(0)
    drawn = [expression(rng) for _ in range(4000)]
    assert all(0 < value <= 5 for one in drawn for value in one.values())
    assert all(one[25] >= one[26] for one in drawn if 26 in one)
    with_outer = [one for one in drawn if 2 in one]
    assert np.mean([1 in one for one in with_outer]) > .8
    pairs = np.array([(one[4], one[7]) for one in drawn if 4 in one and 7 in one])
    apart = [sample_intensities(rng) for _ in range(4000)]
    before = np.array([(one[4], one[7]) for one in apart if 4 in one and 7 in one])
    assert np.corrcoef(pairs.T)[0, 1] > .4 > .2 > abs(np.corrcoef(before.T)[0, 1])


def test_the_first_frame_is_neutral_and_the_rest_face_is_the_persons():
    assert all(not draw(0, person, 0).coded for person in range(20))
    resting = [draw(0, person, 0).shown for person in range(200)]
    assert resting[3] == draw(0, 3, 0).shown
    share = np.mean([len(one) / len(AUS) for one in resting])
    assert share == pytest.approx(.12, abs=.02)
    assert max(max(one.values(), default=0) for one in resting) < 1  # nobody would code it


def test_the_crop_is_that_of_inference(tmp_path):
    """Rendered, found and cropped by the functions of tools/predict.py."""
    write_rendered_crops(tmp_path, people=1, frames=2, size=64, workers=1, room=.05, first=7)
    drawn = draw(0, 7, 1)
    person = sample_varied_identity(rendered_crops.FIRST_IDENTITY + 7)
    image, _ = render(person, drawn.shown, drawn.pose, drawn.light, 192, 'portrait')
    image = image[..., ::-1].copy()
    box = DlibDetector()([image])[0].boxes[0]
    expected = crop_face(image, box, CropOptions(size=64))
    stored = cv2.imread(str(tmp_path / 'P00007/001.jpg'))
    assert np.abs(stored.astype(int) - expected).mean() < 3  # JPEG


def test_a_face_that_is_not_found_is_cut_by_its_landmarks_and_listed(tmp_path, monkeypatch):
    """Not far from where dlib finds it."""
    write_rendered_crops(tmp_path / 'found', people=1, frames=2, size=64, workers=1)
    monkeypatch.setattr(rendered_crops, '_detector', lambda: (
        lambda images: [type('None', (), dict(boxes=np.zeros((0, 4))))]))
    write_rendered_crops(tmp_path / 'missed', people=1, frames=2, size=64, workers=1)
    missed = pd.read_csv(tmp_path / 'missed' / rendered_crops.MISSES).image.tolist()
    assert missed == ['P00000/000.jpg', 'P00000/001.jpg']
    for name in (rendered_crops.TABLE, rendered_crops.MISSES):  # stopped before its end
        (tmp_path / 'missed' / name).unlink()
    monkeypatch.undo()
    write_rendered_crops(tmp_path / 'missed', people=1, frames=2, size=64, workers=1)
    assert pd.read_csv(tmp_path / 'missed' / rendered_crops.MISSES).image.tolist() == missed
    assert json.loads((tmp_path / 'missed' / rendered_crops.PARAMETERS).read_text())['room'] == .3
    _, landmarks = render(5, size=192, framing='portrait')
    image = render(5, size=192, framing='portrait')[0][..., ::-1].copy()
    box = np.array(DlibDetector()([image])[0].boxes[0])
    assert np.abs(np.array(box_of_landmarks(landmarks)) - box).max() < .2 * (box[2] - box[0])
