# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Normalisation and random erasing against the formula, the recipe's numbers and timm."""

import math
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from scipy.stats import kstest
from timm.data.random_erasing import RandomErasing

import fmae_iat_plugin.models.data_preprocessor  # noqa: F401

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def build(random_erasing=None, **kwargs):
    return MODELS.build(dict(type='FaceDataPreprocessor', mean=MEAN, std=STD, to_rgb=True,
                             random_erasing=random_erasing, **kwargs))


def images(n, size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), generator=generator, dtype=torch.uint8)


def normalised(inputs):
    """(RGB - mean) / std of BGR input, in float64."""
    mean, std = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in (MEAN, STD))
    return ((inputs[:, [2, 1, 0]].double() - mean) / std).float()


def seed_all(seed):
    random.seed(seed)
    torch.manual_seed(seed)


def test_evaluation_only_normalises():
    inputs = images(4)
    out = build(dict(prob=1.0))(dict(inputs=inputs), training=False)['inputs']
    torch.testing.assert_close(out, normalised(inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('training', [False, True])
def test_without_erasing_it_is_the_parent(training):
    parent = MODELS.build(dict(type='ClsDataPreprocessor', mean=MEAN, std=STD, to_rgb=True))
    inputs = images(4)
    assert torch.equal(build()(dict(inputs=inputs), training)['inputs'],
                       parent(dict(inputs=inputs), training)['inputs'])


@pytest.mark.parametrize('seed', range(3))
def test_training_is_timm_on_the_normalised_batch(seed):
    """timm erases sample by sample in the collated batch with MAE's settings."""
    inputs = images(32)
    clean = build()(dict(inputs=inputs))['inputs']
    seed_all(seed)
    got = build(dict(prob=0.25))(dict(inputs=inputs), training=True)['inputs']
    seed_all(seed)
    timm = RandomErasing(0.25, mode='pixel', max_count=1, num_splits=0, device='cpu')
    assert torch.equal(got, timm(clean.clone()))
    assert not torch.equal(got, clean)


def test_erased_boxes_follow_the_recipe():
    """Probability, area, aspect ratio and noise over 2,000 images; the rest bit for bit."""
    seed_all(0)
    size, count = 64, 2000
    inputs = images(1, size).expand(count, -1, -1, -1)
    clean = build()(dict(inputs=inputs[:1]))['inputs'][0]
    erased = build(dict(prob=0.25))(dict(inputs=inputs), training=True)['inputs']
    boxes, noise = [], []
    for image in erased:
        mask = (image != clean).all(0)
        if not mask.any():
            assert torch.equal(image, clean)
            continue
        rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        outside = torch.ones(size, size, dtype=torch.bool)
        outside[top:bottom, left:right] = False
        assert torch.equal(image[:, outside], clean[:, outside])
        boxes.append((int(bottom - top), int(right - left)))
        noise.append(image[:, top:bottom, left:right].flatten())

    assert abs(len(boxes) - 500) < 4 * math.sqrt(count * 0.25 * 0.75)
    areas = torch.tensor([h * w / size**2 for h, w in boxes])
    assert areas.min() > 0.02 * 0.85 and areas.max() < 1 / 3 * 1.03  # rounded to pixels
    # Boxes that do not fit are drawn again, which hardly matters below half the range.
    assert abs(areas.mean() - (0.02 + 1 / 3) / 2) < 0.02
    aspects = torch.tensor([math.log(h / w) for h, w in boxes])
    assert aspects.abs().max() < math.log(1 / 0.3) + 0.15
    assert abs(aspects.mean()) < 0.15
    assert abs(aspects.std() - 2 * math.log(1 / 0.3) / math.sqrt(12)) < 0.1  # log-uniform
    pixels = torch.cat(noise)
    assert kstest(pixels[::97].numpy(), 'norm').pvalue > 0.01
    assert pixels.max() > 3.5 and pixels.min() < -3.5  # not clipped to the image's range
    # Independent for every pixel and channel, not one colour a box.
    assert all(box.unique().numel() > 0.9 * box.numel() for box in noise[:20])


def test_options_reach_timm():
    seed_all(0)
    erase = dict(prob=1.0, mode='const', min_area=0.2, max_area=0.2, min_aspect=1.0)
    out = build(erase)(dict(inputs=images(1, 50)), training=True)['inputs'][0]
    assert (out == 0).all(0).sum() == 22 * 22  # sqrt(0.2 * 2500) = 22.4


def test_inputs_of_the_loader_are_left_alone():
    inputs = images(4)
    before = inputs.clone()
    build(dict(prob=1.0))(dict(inputs=inputs), training=True)
    assert torch.equal(inputs, before)


@pytest.mark.parametrize('collate', [default_collate, pseudo_collate])
def test_collated_batches_keep_their_scores(collate):
    """Samples whose AUs are all uncoded (NaN) pass through, the first one included."""
    scores = torch.tensor([[float('nan')] * 3, [0, 1, float('nan')], [1, 0, 0],
                           [float('nan')] * 3])
    inputs = images(4)
    batch = collate([
        dict(inputs=image, data_samples=DataSample().set_gt_score(score))
        for image, score in zip(inputs, scores)
    ])
    out = build(dict(prob=0.0))(batch, training=True)
    torch.testing.assert_close(out['inputs'], normalised(inputs), rtol=1e-5, atol=1e-6)
    got = torch.stack([sample.gt_score for sample in out['data_samples']])
    torch.testing.assert_close(got, scores, equal_nan=True)


@pytest.mark.parametrize('labelled', [0, 1])
def test_half_labelled_batches_are_refused(labelled):
    """The parent drops the other scores, or fails on a missing attribute."""
    samples = [DataSample(metainfo=dict(img_path=f'{i}.jpg')) for i in range(2)]
    samples[labelled].set_gt_score(torch.zeros(3))
    with pytest.raises(ValueError, match=rf"1 of 2 samples .* no gt_score.*{1 - labelled}.jpg"):
        build()(dict(inputs=images(2), data_samples=samples), training=True)


def test_class_labels_pass():
    samples = [DataSample().set_gt_label(i) for i in range(3)]
    out = build(dict(prob=0.25))(dict(inputs=images(3), data_samples=samples), training=True)
    assert [int(s.gt_label) for s in out['data_samples']] == [0, 1, 2]


@pytest.mark.parametrize('erase', [dict(), dict(prob=1.5), dict(prob=-0.1)])
def test_bad_probability(erase):
    with pytest.raises(ValueError, match='needs a probability'):
        build(erase)


def test_erasing_needs_normalisation():
    with pytest.raises(ValueError, match='Remedy: set `mean` and `std`'):
        MODELS.build(dict(type='FaceDataPreprocessor', random_erasing=dict(prob=0.25)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_on_the_gpu():
    """The noise is drawn on the device of the batch."""
    preprocessor = build(dict(prob=1.0)).cuda()
    seed_all(0)
    out = preprocessor(dict(inputs=images(8)), training=True)['inputs']
    clean = preprocessor(dict(inputs=images(8)))['inputs']
    assert out.is_cuda and ((out != clean).flatten(1).float().mean(1) > 0.01).all()


def test_grey_faces_have_the_same_light():
    """Mean 0 and nearly unit variance of BT.601's grey, by NumPy; gain and offset are gone."""
    faces = torch.from_numpy(np.random.default_rng(0).integers(40, 200, (3, 3, 8, 9), np.uint8))
    model = MODELS.build(dict(type='GreyDataPreprocessor'))
    seen = model(dict(inputs=faces))['inputs'].numpy()
    grey = np.einsum('nchw,c->nhw', faces.numpy().astype(float), [.114, .587, .299])
    for one, plane in zip(seen, grey):
        np.testing.assert_allclose(one[0], (plane - plane.mean()) / (plane.std() + 5), atol=1e-4)
    assert seen.shape == (3, 1, 8, 9)
    even = model(dict(inputs=torch.full((1, 3, 8, 8), 77, dtype=torch.uint8)))['inputs']
    assert even.abs().max() < 1e-4
    for wrong in (dict(mean=[1, 1, 1], std=[1, 1, 1]), dict(floor=0)):
        with pytest.raises(ValueError, match='GreyDataPreprocessor'):
            MODELS.build(dict(type='GreyDataPreprocessor', **wrong))
