# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What stands behind the web page: bounds, two models on the same faces, files without paths."""

import json
import os
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from fmae_iat_plugin.faces import Detections
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.web.demo import Demo, merge_rows, purge
from fmae_iat_plugin.web.limits import LimitError, Limits

pytestmark = pytest.mark.slow

AUS = (12, 1, 24)


class Blobs:
    """Finds white rectangles."""

    batch_size = 3

    def __call__(self, images):
        out = []
        for image in images:
            stats = cv2.connectedComponentsWithStats((image.min(axis=2) > 200).astype(np.uint8))[2]
            boxes = [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:] if area > 100]
            out.append(Detections(np.array(boxes, dtype=np.float32).reshape(-1, 4),
                                  np.full(len(boxes), .9, dtype=np.float32)))
        return out


def scene(*corners):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 120, (120, 200, 3), dtype=np.uint8)
    for x, y in corners:
        image[y:y + 40, x:x + 40] = rng.integers(210, 256, (40, 40, 3))
    return image


@pytest.fixture(scope='module')
def models(repo):
    found = {}
    for seed, name in enumerate(('first', 'second')):
        cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
        cfg.model.head.num_classes = len(AUS)
        cfg.test_dataloader.dataset.aus = AUS[::-1] if seed else AUS
        torch.manual_seed(seed)
        found[name] = AUInferencer(cfg, None, 'cpu', Blobs())
        torch.nn.init.normal_(found[name].backend.model.head.fc.weight, std=.2)
    return found


@pytest.fixture
def demo(models, tmp_path):
    (tmp_path / 'root').mkdir()
    return Demo(models, Limits(), tmp_path / 'root')


def film(path, frames, rate=10):
    size = frames[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), rate, size)
    for frame in frames:
        writer.write(frame)
    writer.release()


def test_both_models_score_the_same_faces_as_each_does_alone(demo, models, tmp_path):
    path = tmp_path / 'p.png'
    cv2.imwrite(str(path), scene((20, 40), (130, 40)))
    found = demo.image(str(path))
    faces = merge_rows(found.rows, {name: infer.aus for name, infer in models.items()})
    assert sorted(faces) == [0, 1]
    for name, infer in models.items():
        for row in infer(path):
            for au, value in row['aus'].items():
                probability, present, _ = faces[row['face_id']][int(au[2:])][name]
                assert abs(probability - value['probability']) < 1e-6
                assert present == value['present']
    assert list(faces[0]) == sorted(AUS)
    assert found.picture.shape == (120, 200, 3)
    names = [file.name for file in found.files]
    assert names == ['first_p.csv', 'first_p.jsonl', 'second_p.csv', 'second_p.jsonl']
    for file in found.files:  # where the server keeps files is nobody's business
        assert str(tmp_path) not in file.read_text()
    row = json.loads(found.files[3].read_text().splitlines()[1])
    assert row['input'] == 'p.png'
    assert abs(row['aus']['AU24']['probability'] - faces[1][24]['second'][0]) < 1e-6


def test_a_video_gets_pictures_and_a_row_a_frame_of_each_model(demo, models, tmp_path):
    path = tmp_path / 'v.avi'
    film(path, [scene((20, 40)), scene(), scene((22, 40))])
    found = demo.video(str(path))
    assert [file.name for file in found.videos] == ['first_v_annotated.mp4',
                                                    'second_v_annotated.mp4']
    assert [file.name for file in found.timelines] == ['first_v_timeline.png',
                                                       'second_v_timeline.png']
    assert all(file.is_file() for file in found.files) and len(found.files) == 8
    for name, file in zip(models, found.files[::2]):
        table = pd.read_csv(file)
        assert table.success.tolist() == [1, 0, 1]
        alone = models[name](path)
        np.testing.assert_allclose(table.AU12_p[[0, 2]], [
            alone[k]['aus']['AU12']['probability'] for k in (0, 2)], atol=2e-6)


def test_a_camera_frame_leaves_no_file(demo):
    found = demo.frame(scene((20, 40))[..., ::-1])
    assert [row.box[:2] for row in found.rows['second']] == [(20, 40)]
    assert not list(demo.root.iterdir())


def test_bounds(models, tmp_path):
    small, long = tmp_path / 's.png', tmp_path / 'v.avi'
    cv2.imwrite(str(small), scene())
    film(long, [scene()] * 12)
    for limits, function, path, message in (
            (Limits(pixels=200 * 120 - 1), 'image', small, '200 x 120 pixels'),
            (Limits(megabytes=0), 'image', small, 'at most 0 are allowed'),
            (Limits(seconds=1.), 'video', long, 'longer than 1 seconds'),
            (Limits(frames=11), 'video', long, '11 frames'),
            (Limits(pixels=200 * 120 - 1), 'video', long, '200 x 120 pixels')):
        with pytest.raises(LimitError, match=message):
            getattr(Demo(models, limits, tmp_path), function)(str(path))
    Demo(models, Limits(pixels=200 * 120, seconds=1.2, frames=12), tmp_path).video(str(long))


def test_a_header_that_lies_about_the_length_does_not_help(models, tmp_path, monkeypatch):
    film(tmp_path / 'v.avi', [scene()] * 12)
    demo = Demo(models, Limits(frames=5), tmp_path)
    monkeypatch.setattr(demo, '_check_video', lambda path: None)
    with pytest.raises(LimitError, match='5 frames'):
        demo.video(str(tmp_path / 'v.avi'))


@pytest.mark.parametrize('content', [
    'ffconcat version 1.0\nfile secret.avi\n',
    '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.avi\n#EXT-X-ENDLIST\n'])
def test_a_playlist_that_names_a_file_of_the_server_is_refused(demo, tmp_path, content):
    film(tmp_path / 'secret.avi', [scene((20, 40))] * 3)
    (tmp_path / 'list.mp4').write_text(content)
    with pytest.raises(ValueError, match='cannot be read as a video'):
        demo.video(str(tmp_path / 'list.mp4'))


def test_what_cannot_be_read_is_said(demo, tmp_path):
    (tmp_path / 'a.png').write_text('a text')
    (tmp_path / 'a.txt').write_text('a text')
    for function, name, message in (('image', 'a.png', 'cannot be read as an image'),
                                    ('image', 'a.txt', 'by its suffix'),
                                    ('video', 'a.png', 'by its suffix')):
        with pytest.raises(ValueError, match=message):
            getattr(demo, function)(str(tmp_path / name))


def test_old_files_go_and_new_ones_stay(tmp_path):
    for name in ('old', 'new', 'used'):
        (tmp_path / name / 'deep').mkdir(parents=True)
        (tmp_path / name / 'deep' / 'f').write_text('')
    (tmp_path / 'old.txt').write_text('')
    past = time.time() - 100
    for path in (*tmp_path.rglob('*'), ):
        if path.relative_to(tmp_path).parts[0] != 'new':
            os.utime(path, (past, past))
    os.utime(tmp_path / 'used' / 'deep' / 'f')
    purge(tmp_path, 50)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['new', 'used']


def test_a_clock_that_begins_at_an_hour_does_not_make_a_long_video(models, tmp_path):
    path = tmp_path / 'late.mkv'
    with av.open(str(path), 'w') as box:
        stream = box.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 200, 120, 'yuv420p'
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(scene((10, 10)), format='bgr24')
            frame.pts, frame.time_base = 36000 + number, Fraction(1, 10)
            box.mux(stream.encode(frame))
        box.mux(stream.encode(None))
    outcome = Demo(models, Limits(seconds=2), tmp_path).video(str(path))
    times = [row.timestamp for row in next(iter(outcome.rows.values()))]
    np.testing.assert_allclose(times, 3600 + np.arange(4) / 10, atol=1e-3)
    with av.open(str(outcome.videos[0])) as box:  # what is drawn begins at once
        np.testing.assert_allclose([float(frame.time) for frame in box.decode(video=0)],
                                   np.arange(4) / 10, atol=1e-3)


def test_of_an_animation_the_page_shows_the_first_frame_and_says_so(demo, tmp_path):
    frames = [Image.fromarray(scene((10 + 20 * k, 10))[..., ::-1]) for k in range(3)]
    frames[0].save(tmp_path / 'a.webp', save_all=True, append_images=frames[1:], lossless=True)
    outcome = demo.image(str(tmp_path / 'a.webp'))
    assert outcome.warning == 'only the first of its 3 frames was looked at'
    assert {row.input for rows in outcome.rows.values() for row in rows} == {'a.webp'}
