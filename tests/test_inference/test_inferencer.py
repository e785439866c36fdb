# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AUInferencer: scores are those of the test pipeline, every frame has a row, ids are stable."""

import itertools
import threading
from fractions import Fraction

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.logging import MMLogger
from mmpretrain.registry import DATASETS, MODELS
from PIL import Image

from fmae_iat_plugin.faces import Detections
from fmae_iat_plugin.inference.inferencer import AUInferencer

AUS = (12, 1, 24)


def config(repo):
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    cfg.model.head.num_classes = len(AUS)
    cfg.test_dataloader.dataset.aus = AUS
    return cfg


@pytest.fixture(scope='module')
def trained(repo, tmp_path_factory):
    """A config and weights with an adversary, whose scores spread."""
    torch.manual_seed(0)
    cfg = config(repo)
    cfg.model.pretrained = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.nn.init.normal_(model.head.fc.weight, std=.1)
    path = tmp_path_factory.mktemp('weights') / 'w.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return cfg, path, model.eval()


class Blobs:
    """Finds white rectangles: left half of the image first."""

    batch_size = 3

    def __call__(self, images):
        out = []
        for image in images:
            _, _, stats, _ = cv2.connectedComponentsWithStats(
                (image.min(axis=2) > 200).astype(np.uint8))
            boxes = [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:] if area > 100]
            out.append(Detections(np.array(boxes, dtype=np.float32).reshape(-1, 4),
                                  np.full(len(boxes), .9, dtype=np.float32)))
        return out


def scene(*corners):
    image = np.zeros((120, 200, 3), dtype=np.uint8)
    for x, y in corners:
        image[y:y + 30, x:x + 30] = 255
    return image


def test_scores_equal_the_test_data_sets(trained, face_table):
    cfg, path, model = trained
    root = face_table([f'{i}.png,S{i % 3},0,1,0' for i in range(7)],
                      header='image,subject,AU1,AU12,AU24', size=60)
    data = DATASETS.build(dict(cfg.test_dataloader.dataset, data_root=str(root), data_prefix='',
                               ann_file='annotation.csv', split='all'))
    with torch.no_grad():
        truth = [sample.pred_score.numpy() for sample in
                 model.test_step(default_collate([data[i] for i in range(7)]))]
    assert np.std(truth) > .01
    for size in (1, 4, 32):
        rows = AUInferencer(cfg, path, 'cpu', detector=None)(str(root), batch_size=size)
        found = [[row['aus'][f'AU{au}']['probability'] for au in AUS] for row in rows]
        np.testing.assert_allclose(found, truth, atol=1e-5)
        assert [row['input'] for row in rows] == [str(root / f'{i}.png') for i in range(7)]


def test_a_video_keeps_every_frame_and_the_ids(trained, tmp_path):
    cfg, path, _ = trained
    frames = [scene((20, 40), (130, 40)), scene((22, 40), (128, 40)), scene(), scene((126, 42)),
              scene((26, 44), (124, 44)), scene((124, 44))]
    writer = cv2.VideoWriter(str(tmp_path / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10,
                             (200, 120))
    for frame in frames:
        writer.write(frame)
    writer.release()
    infer = AUInferencer(cfg, path, 'cpu', detector=Blobs())
    rows = infer(tmp_path / 'v.avi', pred_out_dir=tmp_path / 'out', formats=['openface'])
    assert [(row['frame'], row['success']) for row in rows] == [
        (1, True), (1, True), (2, True), (2, True), (3, False), (4, True), (5, True), (5, True),
        (6, True)]
    place = {row['face_id']: row['box'][0] > 75 for row in rows if row['success']}
    assert sorted(place) == [0, 1]  # two people all along
    assert all((row['box'][0] > 75) == place[row['face_id']] for row in rows if row['success'])
    np.testing.assert_allclose([row['timestamp'] for row in rows],
                               [(row['frame'] - 1) / 10 for row in rows])
    table = pd.read_csv(tmp_path / 'out' / 'v.csv')
    assert table.success.tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1]
    strided = infer(tmp_path / 'v.avi', stride=2)
    assert [row['frame'] for row in strided] == [1, 1, 3, 5, 5]


class Overtaking(Blobs):
    """Of each two calls the first ends after the second, which therefore ran beside it."""

    batch_size, thread_safe = 1, True

    def __init__(self):
        self.calls, self.second = itertools.count(), threading.Event()

    def __call__(self, images):
        found = super().__call__(images)
        if next(self.calls) % 2:
            self.second.set()
        else:
            assert self.second.wait(20)
            self.second.clear()
        return found


def test_faces_are_looked_for_in_several_threads_and_stay_in_order(trained, torch_threads):
    cfg, path, _ = trained
    torch_threads(2)
    images = [scene((10 + 3 * i, 40), *[(110 + 5 * i, 20)] * (i % 3 == 0)) for i in range(12)]
    alone = AUInferencer(cfg, path, 'cpu', Blobs())(images, batch_size=4)
    assert AUInferencer(cfg, path, 'cpu', Overtaking())(images, batch_size=4) == alone
    assert [row['input'] for row in alone if row['face_id'] == 0] == [
        f'array {i + 1}' for i in range(12)]


class Turns:
    """A backend; of each two batches the first ends after the second, which ran beside it."""

    def __init__(self, backend, together):
        self.backend, self.together = backend, together
        self.calls, self.second, self.running = itertools.count(), threading.Event(), 0

    def __call__(self, packed):
        self.running += 1
        assert self.running <= 1 + self.together
        if self.together and next(self.calls) % 2:
            self.second.set()
        elif self.together:
            assert self.second.wait(20)
            self.second.clear()
        scores = self.backend(packed)
        self.running -= 1
        return scores


@pytest.mark.parametrize('cores,size,together', [(2, 4, True), (1, 4, False), (2, 1, False)])
def test_two_batches_are_under_way_and_stay_in_order(trained, torch_threads, cores, size, together):
    cfg, path, _ = trained
    torch_threads(cores)
    images = [scene((10, 40)) for _ in range(16)]  # four batches of four
    for shade, image in enumerate(images):
        image[45:65, 15:35] = 201 + 3 * shade
    infer = AUInferencer(cfg, path, 'cpu', Blobs())
    alone = infer(images, batch_size=16)
    assert len({row['aus']['AU12']['probability'] for row in alone}) == 16
    infer.backend = Turns(infer.backend, together)
    rows = infer(images, batch_size=size)
    for row, wanted in zip(rows, alone, strict=True):
        assert (row['input'], row['box']) == (wanted['input'], wanted['box'])
        assert row['aus']['AU12']['probability'] == pytest.approx(
            wanted['aus']['AU12']['probability'], abs=1e-5)


def test_the_batch_goes_on_after_what_cannot_be_read(trained, tmp_path):
    cfg, path, _ = trained
    (tmp_path / 'a.jpg').write_bytes(b'no image')
    (tmp_path / 'b.mp4').write_text('a text')
    cv2.imwrite(str(tmp_path / 'c.png'), scene((10, 10)))
    infer = AUInferencer(cfg, path, 'cpu', detector=Blobs())
    rows = infer(str(tmp_path / '*'), pred_out_dir=tmp_path / 'out', formats=['json'])
    assert [row['input'][-5:] for row in rows] == ['c.png'[-5:]]
    assert [entry.reason for entry in infer.problems] == ['unreadable image', 'unreadable video']
    assert len(pd.read_csv(tmp_path / 'out' / 'skipped.csv')) == 2
    for wrong, error in (('none.jpg', FileNotFoundError), ([], ValueError),
                         (np.zeros((4, 4), np.uint8), ValueError)):
        with pytest.raises(error):
            infer(wrong)


def test_datasamples_and_thresholds(trained):
    cfg, path, _ = trained
    scores = AUInferencer(cfg, path, 'cpu', detector=Blobs())([scene((10, 10)), scene()],
                                                              return_datasamples=True)
    values = scores[0].pred_score.numpy()
    infer = AUInferencer(cfg, path, 'cpu', detector=Blobs(),
                         threshold=[values[0] - 1e-3, values[1] + 1e-3, values[2] - 1e-3])
    row = infer(scene((10, 10)))[0]
    assert [row['aus'][f'AU{au}']['present'] for au in AUS] == [True, False, True]
    assert not scores[1].success and 'pred_score' not in scores[1]


def test_names_must_fit(trained):
    cfg, path, _ = trained
    with pytest.raises(ValueError, match='2 action units .* 3 outputs'):
        AUInferencer(cfg, path, 'cpu', detector=None, aus=(1, 2))


@pytest.mark.parametrize('name,frames', [('single_face.mp4', 72), ('face_noface.mov', 169)])
def test_real_videos_keep_their_frames(trained, real_data, name, frames):
    pytest.importorskip('dlib')
    cfg, path, _ = trained
    rows = AUInferencer(cfg, path, 'cpu')(real_data / 'media' / name, stride=24)
    assert [row['frame'] for row in rows] == list(range(1, frames + 1, 24))
    assert [row['success'] for row in rows] == [row['frame'] <= 72 for row in rows]


def test_a_checkpoint_says_its_action_units_and_thresholds(trained, tmp_path):
    cfg, path, _ = trained
    state = torch.load(path)['state_dict']
    noted = tmp_path / 'noted.pth'
    torch.save(dict(state_dict=state, meta=dict(
        dataset_meta=dict(aus=(4, 6, 7)), thresholds=[.2, .5, .8])), noted)
    image = scene((10, 10), (110, 20))
    plain = AUInferencer(cfg, path, 'cpu', Blobs())
    assert plain.aus == AUS and plain.thresholds.tolist() == [.5] * 3
    infer = AUInferencer(cfg, noted, 'cpu', Blobs())
    assert infer.aus == (4, 6, 7)
    for row, want in zip(infer(image), plain(image)):
        for au, other, limit in zip((4, 6, 7), AUS, (.2, .5, .8)):
            found = row['aus'][f'AU{au}']
            assert found['probability'] == want['aus'][f'AU{other}']['probability']
            assert found['present'] == (found['probability'] >= limit)
    same = AUInferencer(cfg, noted, 'cpu', Blobs(), aus=('AU4', 6, '7'), threshold=.3)
    assert same.aus == (4, 6, 7) and same.thresholds.tolist() == [.3] * 3


@pytest.mark.parametrize('aus, how', [((7, 6, 4), 'in another order'), ((4, 6, 12), 'others')])
def test_outputs_are_not_renamed_against_what_the_checkpoint_notes(trained, tmp_path, aus, how):
    cfg, path, _ = trained
    noted = tmp_path / 'noted.pth'
    torch.save(dict(state_dict=torch.load(path)['state_dict'],
                    meta=dict(dataset_meta=dict(aus=[4, 6, 7]))), noted)
    with pytest.raises(ValueError, match=rf'noted.pth has AU4, AU6, AU7, `aus` has '
                                         rf'.*{how}.*Remedy: aus=\(4, 6, 7\)'):
        AUInferencer(cfg, noted, 'cpu', Blobs(), aus=aus)
    assert AUInferencer(cfg, path, 'cpu', Blobs(), aus=aus).aus == aus  # this file says nothing


def test_on_frame_gets_every_image_with_its_rows(trained, tmp_path):
    cfg, path, _ = trained
    frames = [scene((20, 40), (130, 40)), scene(), scene((22, 40))]
    infer, seen = AUInferencer(cfg, path, 'cpu', Blobs()), []
    rows = list(infer.predict(frames, 2, on_frame=lambda image, rows: seen.append((image, rows))))
    assert [row for _, found in seen for row in found] == rows == list(infer.predict(frames, 2))
    for (image, _), frame in zip(seen, frames, strict=True):
        np.testing.assert_array_equal(image, frame)


def video_of_uneven_frames(path, times):
    """H.264 with these presentation times (ms); frame k is one grey value."""
    av = pytest.importorskip('av')
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=30)
        stream.width, stream.height, stream.pix_fmt = 200, 120, 'yuv420p'
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for k, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(scene((10 + k, 40)), format='bgr24')
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_times_of_a_variable_frame_rate(trained, tmp_path):
    times = [0, 33, 40, 140, 141, 500, 1234, 1300]
    path = video_of_uneven_frames(tmp_path / 'v.mkv', times)
    infer = AUInferencer(*trained[:2], 'cpu', Blobs())
    rows = infer(path, pred_out_dir=tmp_path / 'out')
    assert [row['frame'] for row in rows] == list(range(1, 9))
    np.testing.assert_allclose([row['timestamp'] for row in rows], np.array(times) / 1000,
                               atol=5e-4)
    table = pd.read_csv(tmp_path / 'out' / 'v.csv')
    np.testing.assert_allclose(table.timestamp, np.array(times) / 1000, atol=5e-4)


def test_smoothing_is_an_average_over_time_for_each_face(trained, tmp_path):
    times = [0, 33, 40, 140, 141, 500]
    path = video_of_uneven_frames(tmp_path / 'v.mkv', times)
    cfg, weights, _ = trained
    noise = np.random.default_rng(0).random((6, 3))
    found = []
    for constant in (0., .2):
        infer = AUInferencer(cfg, weights, 'cpu', Blobs(), smoothing=constant)
        values = iter(noise)
        infer.scores = lambda crops, values=values: np.stack([next(values) for _ in crops])
        found.append(np.array([[row['aus'][f'AU{au}']['probability'] for au in AUS]
                               for row in infer(path)]))
    np.testing.assert_array_equal(found[0], noise)
    expected = [noise[0]]
    for k in range(1, 6):
        part = 1 - np.exp(-(times[k] - times[k - 1]) / 1000 / .2)
        expected.append((1 - part) * expected[-1] + part * noise[k])
    np.testing.assert_allclose(found[1], expected, atol=1e-9)
    with pytest.raises(ValueError, match='smoothing is -1'):
        AUInferencer(cfg, weights, 'cpu', Blobs(), smoothing=-1)


def test_pictures_are_returned_and_written(trained, tmp_path):
    cfg, path, _ = trained
    cv2.imwrite(str(tmp_path / 'a.png'), scene((10, 40), (110, 50)))
    infer = AUInferencer(cfg, path, 'cpu', Blobs())
    inputs = [str(tmp_path / 'a.png'), scene()]
    result = infer(inputs, return_vis=True, show_dir=tmp_path / 'out')
    assert result['predictions'] == infer(inputs)
    boxes, empty = result['visualization']
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'a_annotated.jpg', 'array 2_annotated.jpg', 'prediction.json']
    saved = cv2.imread(str(tmp_path / 'out' / 'a_annotated.jpg'))
    assert np.abs(saved.astype(int) - boxes).mean() < 4
    for row in result['predictions'][:2]:
        x1, y1, x2, y2 = map(int, row['box'])
        edge = boxes[(y1 + y2) // 2, x1]
        assert not (edge == 255).all() and (boxes[(y1 + y2) // 2, x1 + 5] == 255).all()
    assert (empty[40:120, :200] == 0).all()


def test_calls_into_one_folder_lose_nothing(trained, tmp_path):
    cfg, path, _ = trained
    for name in 'ab':
        cv2.imwrite(str(tmp_path / f'{name}.png'), scene((10, 40)))
    infer = AUInferencer(cfg, path, 'cpu', Blobs())
    out = tmp_path / 'out'
    for name in 'ab':
        infer(tmp_path / f'{name}.png', pred_out_dir=out)
    assert sorted(file.name for file in out.iterdir()) == [
        'a.csv', 'b.csv', 'prediction.json', 'skipped.csv']
    infer(tmp_path / 'a.png', pred_out_dir=tmp_path / 'lines', formats=['json'])
    with pytest.raises(ValueError, match='predictions.jsonl would be overwritten'):
        infer(tmp_path / 'b.png', pred_out_dir=tmp_path / 'lines', formats=['json'])
    infer(tmp_path / 'b.png', pred_out_dir=tmp_path / 'lines', formats=['json'], overwrite=True)
    text = (tmp_path / 'lines' / 'predictions.jsonl').read_text()
    assert 'b.png' in text and 'a.png' not in text


def test_a_pillow_image_is_the_file_it_was_opened_from(trained, tmp_path):
    cfg, path, _ = trained
    cv2.imwrite(str(tmp_path / 'a.png'), scene((10, 40)))
    infer = AUInferencer(cfg, path, 'cpu', Blobs())
    expected, = infer(tmp_path / 'a.png')
    found, = infer(Image.open(tmp_path / 'a.png'))
    assert found['aus'] == expected['aus'] and found['box'] == expected['box']


@pytest.mark.parametrize('threshold', [1.5, -.1, float('nan'), 'high', [.5, 2., .5], [.5, .5]])
def test_thresholds_out_of_range(trained, threshold):
    cfg, path, _ = trained
    with pytest.raises(ValueError, match='threshold'):
        AUInferencer(cfg, path, 'cpu', Blobs(), threshold=threshold)


def test_scores_that_are_not_finite_are_refused(trained, tmp_path):
    cfg, path, _ = trained
    infer = AUInferencer(cfg, path, 'cpu', Blobs())
    infer.backend.model.head.fc.bias.data[1] = float('nan')
    with pytest.raises(ValueError, match=f'{path} gives probabilities that are not finite'):
        infer(scene((10, 40)), pred_out_dir=tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


NOTE = dict(detector=None, margin=.2, square=True, align=None, halve=True, size=80)


@pytest.fixture
def noted(trained, tmp_path):
    """The checkpoint, with a note on how its training's faces were cropped."""
    content = torch.load(trained[1])
    content['meta'] = dict(dataset_meta=dict(aus=AUS, cropping=NOTE))
    torch.save(content, tmp_path / 'noted.pth')
    return tmp_path / 'noted.pth'


def test_faces_are_cropped_as_for_the_training(trained, noted):
    """Halved, then the square around the box, enlarged by a fifth on each side."""
    infer = AUInferencer(trained[0], noted, 'cpu', Blobs())
    image = scene((40, 40))
    image[50:60, 50:60] = (255, 230, 210)
    image[38:40] = 90
    row, = infer.predict(image)
    assert row.box == (40, 40, 70, 70)
    half = image.reshape(60, 2, 100, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    region = Image.fromarray(half).resize((80, 80), Image.BILINEAR, box=(17, 17, 38, 38))
    truth = infer.scores([np.asarray(region)])[0]
    np.testing.assert_allclose(row.probabilities, truth, atol=1e-3)
    whole = infer.scores([cv2.resize(image[40:70, 40:70], (80, 80))])[0]
    assert np.abs(whole - truth).max() > 3e-3  # another crop has other scores


def test_another_crop_than_the_trainings_is_said(trained, noted, monkeypatch):
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning',
                        lambda text, *values: said.append(text % values))
    AUInferencer(trained[0], noted, 'cpu', None, dict(margin=.4))
    assert said == []
    infer = AUInferencer(trained[0], noted, 'cpu', Blobs(), dict(margin=.4, halve=False))
    assert infer.crop.margin == .4 and not infer.crop.halve and infer.crop.square
    line, = said
    assert str(noted) in line and 'other face crops' in line
    assert 'margin 0.2 there, 0.4 here; halve True there, False here' in line
