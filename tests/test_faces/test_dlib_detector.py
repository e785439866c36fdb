# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""dlib as a detector: boxes on rendered and real faces, small images, what is not installed."""

import sys
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import cv2
import numpy as np
import pytest

from fmae_iat_plugin.faces import CropError, CropOptions, DetectorSpec, build_detector, crop_faces
from fmae_iat_plugin.faces.dlib_detector import DlibDetector
from fmae_iat_plugin.faces.frames import read_frames
from fmae_iat_plugin.faces.structures import Unit
from fmae_iat_plugin.synthfacs.renderer import render

pytest.importorskip('dlib', reason="pip install 'fmae_iat_plugin[face]'")


def overlap(a, b) -> float:
    """Intersection over union of two boxes."""
    width, height = (max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in (0, 1))
    return width * height / (np.prod(np.subtract(a[2:], a[:2])) + np.prod(np.subtract(b[2:], b[:2]))
                             - width * height)


def test_a_rendered_face_is_found_where_it_is(portrait):
    image, landmarks = portrait
    found, none = build_detector('dlib')([image, np.zeros_like(image)])
    assert found.boxes.shape == (1, 4) and found.scores.shape == (1, ) and found.scores[0] > 0
    truth = (*landmarks.min(axis=0), *landmarks.max(axis=0))
    assert overlap(tuple(found.boxes[0].tolist()), truth) > .5
    assert none.boxes.shape == (0, 4) and none.scores.shape == (0, )


def test_a_shift_of_the_image_shifts_the_box(portrait):
    image, _ = portrait
    detect = build_detector('dlib')
    wide = cv2.copyMakeBorder(image, 96, 0, 48, 0, cv2.BORDER_REPLICATE)
    (plain,), (moved,) = detect([image])[0].boxes, detect([wide])[0].boxes
    assert overlap(tuple(moved - (48, 96, 48, 96)), tuple(plain)) > .6 > overlap(
        tuple(moved), tuple(plain))


def test_colours_are_bgr(portrait):
    """dlib is handed RGB: blue is last."""
    image, _ = portrait
    detector = build_detector('dlib')
    with patch.object(detector, '_detector') as inner:
        inner.run.return_value = ([], [], [])
        detector([image])
    np.testing.assert_array_equal(inner.run.call_args.args[0], image[..., ::-1])


@pytest.mark.parametrize('shape', [(1, 1), (3, 300), (20, 20), (48, 48)])
def test_tiny_images_have_no_face_and_no_error(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert len(build_detector('dlib')([image])[0].boxes) == 0


def test_small_faces_are_found_by_enlarging(portrait):
    small = cv2.resize(portrait[0], (72, 72), interpolation=cv2.INTER_AREA)
    (box,) = build_detector('dlib')([small])[0].boxes
    assert (box >= -8).all() and (box <= 80).all()  # in pixels of the small image


def test_the_threshold_moves_what_is_found(portrait):
    image, _ = portrait
    score = build_detector('dlib')([image])[0].scores[0]
    assert len(build_detector('dlib', threshold=float(score) + .1)([image])[0].boxes) == 0
    assert len(build_detector('dlib', threshold=-.5)([image])[0].boxes) >= 1


def test_threads_find_what_one_finds(portrait):
    images = [np.ascontiguousarray(np.roll(portrait[0], 8 * i, axis=1)) for i in range(8)]
    detector = DlibDetector()
    alone = detector(images)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: detector([image])[0], images * 2))
    for one, other in zip(found, alone * 2):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_without_dlib_the_error_says_what_to_install():
    with patch.dict(sys.modules, dlib=None), \
            pytest.raises(CropError, match=r"pip install 'fmae_iat_plugin\[face\]'"):
        build_detector('dlib', threshold=.123)


def crops(source, out, **options):
    result = crop_faces(source, out, DetectorSpec(), CropOptions(**options))
    return result, sorted((out / 'faces').rglob('*.jpg'))


def test_real_photographs(real_data, tmp_path):
    result, files = crops(real_data / 'media/single_face.jpg', tmp_path / '1', faces='all')
    assert result['detected'] == len(files) == 1
    result, files = crops(real_data / 'media/multi_face.jpg', tmp_path / '5', faces='all')
    assert result['detected'] == len(files) >= 4
    assert all(cv2.imread(str(file)).shape == (224, 224, 3) for file in files)


@pytest.mark.parametrize('name,start,faces', [
    ('single_face.mp4', 0, True), ('single_face.mp4', 60, True), ('face_noface.mov', 60, True),
    ('face_noface.mov', 73, False), ('face_noface.mov', 160, False)])
def test_real_videos(real_data, name, start, faces):
    """Every 4th of twelve frames: a face in each, or none where the video shows no person."""
    pytest.importorskip('av', reason="pip install 'fmae_iat_plugin[face]'")
    frames = list(read_frames(Unit(name, [], real_data / 'media' / name), []))
    images = [frame.image for frame in frames[start:start + 9:4]]
    found = [len(one.boxes) for one in build_detector('dlib')(images)]
    assert found == [int(faces)] * 3


def test_huge_images_are_shrunk_and_the_boxes_are_not():
    """20,000 pixels wide: as on the image shrunk by hand, in the pixels of the large one."""
    face = render(3, size=900, framing='portrait')[0][..., ::-1]
    wide = np.full((1000, 20000, 3), 128, dtype=np.uint8)
    wide[50:950, 12000:12900] = face
    found, = DlibDetector()([wide])
    scale = 20000 / 4096
    small = cv2.resize(wide, (4096, round(1000 / scale)), interpolation=cv2.INTER_AREA)
    expected, = DlibDetector()([small])
    assert len(found.boxes) == 1
    assert overlap(found.boxes[0], scale * expected.boxes[0]) > .65  # dlib's scales: 1.2 apart
    x1, y1, x2, y2 = found.boxes[0]
    assert 12000 < x1 < x2 < 12900 and 50 < y1 < y2 < 950
