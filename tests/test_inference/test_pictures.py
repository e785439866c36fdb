# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Pictures of inputs: every frame is there, at its time; files have the inputs' names."""

import av
import cv2
import numpy as np
import pytest

from fmae_iat_plugin.inference.pictures import PictureWriter
from fmae_iat_plugin.inference.predictions import FacePrediction

AUS = (1, 12)


def row(name, number=1, time=None, success=True):
    values = dict(probabilities=(.3, .8), present=(False, True)) if success else {}
    return FacePrediction(name, number, time, 0, success, .9 if success else None,
                          (10., 10., 50., 60.) if success else None, 96, 80, **values)


def frame(grey):
    return np.full((80, 96, 3), grey, dtype=np.uint8)


def times(path):
    with av.open(str(path)) as container:
        return [float(image.time) for image in container.decode(video=0)]


def test_files_have_the_names_of_the_inputs_and_videos_their_times(tmp_path):
    uneven = [.2, .24, .5, 1.6, 1.61]
    with PictureWriter(tmp_path, AUS) as writer:
        writer.write(frame(90), [row('x/a.jpg')])
        for number, time in enumerate(uneven, 1):
            writer.write(frame(90), [row('x/v.mp4', number, time, number != 3)])
        for number in (1, 2):
            writer.write(frame(90), [row('y/v.mp4', number)])  # a container without times
        writer.write(frame(90), [row('y/a.jpg')])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in writer.paths) == [
        'a.jpg_annotated.jpg', 'a_annotated.jpg', 'v.mp4_annotated.mp4', 'v.mp4_timeline.png',
        'v_annotated.mp4', 'v_timeline.png']
    np.testing.assert_allclose(times(tmp_path / 'v_annotated.mp4'), uneven, atol=2e-5)
    np.testing.assert_allclose(times(tmp_path / 'v.mp4_annotated.mp4'), [0, .04], atol=2e-5)
    image = cv2.imread(str(tmp_path / 'a_annotated.jpg'))
    assert image.shape[1] > 96 and abs(image[70, 80].astype(int) - 90).max() < 12


def test_an_interrupted_video_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError):
        with PictureWriter(tmp_path, AUS) as writer:
            writer.write(frame(90), [row('v.mp4', 1, 0.)])
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_it_only_paints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with PictureWriter(None, AUS) as writer:
        painted = [writer.write(frame(90), [row('v.mp4', number, number / 25)])
                   for number in (1, 2)]
    assert (painted[0][:70, 60:96] == 90).all() and not list(tmp_path.iterdir())
    with PictureWriter(tmp_path / 'out', AUS) as writer:  # what is written is what is returned
        again = writer.write(frame(90), [row('a.png')])
    saved = cv2.imread(str(tmp_path / 'out' / 'a_annotated.jpg'))
    assert np.abs(saved.astype(int) - again).mean() < 3


@pytest.mark.parametrize('name', ['single_face.mp4', 'face_noface.mov'])
def test_real_videos_keep_their_times(real_data, tmp_path, name):
    path = real_data / 'media' / name
    with av.open(str(path)) as container, PictureWriter(tmp_path, AUS) as writer:
        source = []
        for number, image in enumerate(container.decode(video=0), 1):
            if len(source) == 30:
                break
            source.append(float(image.time))
            shown = np.ascontiguousarray(image.to_ndarray(format='bgr24')[::4, ::4])
            writer.write(shown, [row(str(path), number, round(source[-1], 6))])
    np.testing.assert_allclose(times(next(tmp_path.glob('*.mp4'))), source, atol=2e-5)
