# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Alignment: a face under a known similarity comes back to the same place."""

import cv2
import numpy as np
import pytest

from fmae_iat_plugin.faces import CropError, CropOptions
from fmae_iat_plugin.faces.crop import crop_face
from fmae_iat_plugin.faces.landmarks import chip, find_landmarks, find_predictor

dlib = pytest.importorskip('dlib', reason="pip install 'fmae_iat_plugin[face]'")
try:
    find_predictor(68)
except CropError as missing:
    pytest.skip(str(missing), allow_module_level=True)


def full(points):
    """Landmarks as dlib holds them, whole pixels."""
    return dlib.full_object_detection(dlib.rectangle(0, 0, 10, 10), [
        dlib.point(int(round(x)), int(round(y))) for x, y in points])


def array(landmarks):
    return np.array([(p.x, p.y) for p in landmarks.parts()], float)


def similarity(source, target):
    """Least squares of target = s R source + t (Umeyama), as a 2x3 matrix: an own derivation.

    With complex numbers z: w = a z + b, and a = sum(conj(z') w') / sum(|z'|^2), ' = centred.
    """
    z, w = source @ (1, 1j), target @ (1, 1j)
    a = (np.conj(z - z.mean()) * (w - w.mean())).sum() / (abs(z - z.mean())**2).sum()
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


@pytest.mark.parametrize('angle,scale', [(0, 1), (25, 1), (-40, .8), (10, 1.3)])
def test_a_known_similarity_is_undone(portrait, angle, scale):
    """Warp the picture and its landmarks; both chips show the same."""
    image, landmarks = portrait
    matrix = cv2.getRotationMatrix2D((128, 150), angle, scale)
    matrix[:, 2] += (250 - 128, 250 - 150)
    turned = cv2.warpAffine(image, matrix, (500, 500))
    moved = landmarks @ matrix[:, :2].T + matrix[:, 2]
    plain = cv2.warpAffine(image, np.float32([[1, 0, 122], [0, 1, 100]]), (500, 500))
    a = chip(plain, full(landmarks + (122, 100)), 96).astype(float)
    b = chip(turned, full(moved), 96).astype(float)
    assert np.abs(a - b).mean() < 4
    assert np.abs(a - a[:, ::-1]).mean() > 2 * np.abs(a - b).mean()  # it could have differed


def test_the_chip_is_a_warp_by_the_least_squares_similarity(portrait):
    """Which similarity: the one that the chips of two sizes and the landmarks imply."""
    image, landmarks = portrait
    first = chip(image, full(landmarks), 200, margin=.4)
    on_chip = similarity_of_chip(image, landmarks, 200, .4)
    expected = cv2.warpAffine(image, on_chip, (200, 200))
    assert np.abs(first.astype(float) - expected).mean() < 3


def similarity_of_chip(image, landmarks, size, margin):
    """Locate the chip by painting landmarks: dots are found again in the chip."""
    found, used = [], []
    for k in (36, 45, 30, 48, 54, 8):
        dot = np.zeros_like(image)
        cv2.circle(dot, tuple(int(round(v)) for v in landmarks[k]), 3, (255, 255, 255), -1)
        seen = chip(dot, full(landmarks), size, margin)[..., 0].astype(float)
        if seen.sum() > 0:
            rows, columns = np.mgrid[:size, :size]
            found.append(((columns * seen).sum() / seen.sum(), (rows * seen).sum() / seen.sum()))
            used.append([round(float(v)) for v in landmarks[k]])
    matrix = similarity(np.array(used, float), np.array(found))
    reached = np.array(used) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(reached, found, atol=.5)  # a similarity, nothing else
    eyes = similarity(np.array(landmarks[[36, 45]], float), np.array([[0., 0], [1, 0]]))
    assert abs(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])
                          - np.arctan2(eyes[1, 0], eyes[0, 0]))) < 3  # eyes are level
    return matrix


@pytest.mark.parametrize('points', [5, 68])
def test_a_tilted_face_is_levelled_by_the_predictor(portrait, points):
    image, truth = portrait
    matrix = cv2.getRotationMatrix2D((128, 128), 20, 1)
    tilted = cv2.warpAffine(image, matrix, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    moved = truth @ matrix[:, :2].T + matrix[:, 2]
    box = (*moved[17:].min(axis=0), *moved[17:].max(axis=0))
    crop = crop_face(tilted, box, CropOptions(align=points, size=160))
    assert crop.shape == (160, 160, 3)
    eyes = array(find_landmarks(crop, (25, 25, 135, 135), 68))
    slope = eyes[42:48].mean(axis=0) - eyes[36:42].mean(axis=0)
    assert abs(np.degrees(np.arctan2(slope[1], slope[0]))) < 6
    before = moved[42:48].mean(axis=0) - moved[36:42].mean(axis=0)
    assert abs(np.degrees(np.arctan2(before[1], before[0]))) > 14


def test_landmarks_of_a_rendered_face_are_near_the_truth(portrait):
    image, truth = portrait
    box = (*truth.min(axis=0), *truth.max(axis=0))
    found = array(find_landmarks(image, box, 68))
    between = np.linalg.norm(truth[36] - truth[45])
    assert np.linalg.norm(found - truth, axis=1)[17:].mean() < .15 * between


def test_a_missing_model_is_named():
    with pytest.raises(CropError, match='shape_predictor_7_face_landmarks.dat.*fmae_iat_plugin'):
        find_predictor(7)
