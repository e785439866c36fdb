# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RoI inpainting: what is drawn, what is removed, what is compared."""

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from fmae_iat_plugin.datasets.mean_shape import MEAN_SHAPE
from fmae_iat_plugin.models.rtatl import RoIInpainting, cut_regions
from fmae_iat_plugin.models.rtatl.inpainting import draw_removed, surroundings
from fmae_iat_plugin.models.rtatl.regions import boxes

AUS = (1, 2, 6, 12)
FACE = torch.from_numpy(MEAN_SHAPE)
REGIONS = boxes(FACE[None], AUS, (FACE[39, 0] - FACE[42, 0]).abs()).expand(3, -1, -1, -1)


def samples(*names):
    return [DataSample(metainfo=dict(img_path=name)) for name in names]


def test_the_mask_covers_exactly_the_removed_regions():
    images = torch.from_numpy(np.random.default_rng(0).normal(2, 0.1, (3, 3, 20, 20))).float()
    removed = torch.tensor([[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]).bool()
    cut = cut_regions(images, REGIONS, removed)
    for image in range(3):
        for y in range(20):
            for x in range(20):
                gone = any(box[0] <= (x + .5) / 20 < box[2] and box[1] <= (y + .5) / 20 < box[3]
                           for au in range(4) if removed[image, au]
                           for box in REGIONS[image, au].tolist())
                assert bool(cut.mask[image, y, x]) == gone
    assert torch.equal(cut.images == 0, cut.mask[:, None].expand(-1, 3, -1, -1))
    kept = ~cut.mask[:, None].expand_as(images)
    assert torch.equal(cut.images[kept], images[kept])
    assert cut.mask[0].any() and cut.mask[1].any() and not cut.mask[2].any()
    assert not (images == 0).any()  # the intact images are left alone


def test_the_draw_depends_on_seed_iteration_and_image_alone():
    first = draw_removed(samples('a', 'b', 'c'), 8, 0.25, 0, 5)
    assert (first.sum(axis=1) == 2).all()
    split = [draw_removed(samples(*names), 8, 0.25, 0, 5) for names in (('b', ), ('c', 'a'))]
    np.testing.assert_array_equal(np.concatenate(split), first[[1, 2, 0]])
    others = [draw_removed(samples('a', 'b', 'c'), 8, 0.25, *key) for key in ((0, 6), (1, 5))]
    assert all((other != first).any() for other in others)
    assert (draw_removed(samples('a'), 8, 0.01, 0, 0).sum(axis=1) == 1).all()  # one at least
    frequency = np.mean([draw_removed(samples('a'), 8, 0.25, 0, step) for step in range(400)],
                        axis=(0, 1))
    assert (abs(frequency - 0.25) < 0.08).all()


def test_loss_is_the_mean_square_over_the_removed_patches():
    torch.manual_seed(0)
    task = RoIInpainting(5, patch_size=4, hidden_dims=7, weight=0.5)
    images, tokens = torch.randn(3, 3, 30, 30), torch.randn(3, 4, 5)
    removed = torch.tensor([[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]).bool()
    cut = cut_regions(images, REGIONS, removed)
    loss = task.loss(tokens, images, REGIONS, cut)
    assert list(loss) == ['loss_inpainting']
    target, found = task.target(images, REGIONS), task(tokens, cut, REGIONS)
    assert target.shape == found.shape == (3, 4, 2, 3, 4, 4)
    squares = [(found[image, au] - target[image, au]).square().mean().item()
               for image, au in ((0, 0), (1, 2), (1, 3))]
    assert loss['loss_inpainting'].item() == pytest.approx(0.5 * np.mean(squares), rel=1e-5)


def test_target_of_a_slope_is_the_slope():
    """Bilinear sampling of a plane gives the plane back, cell by cell."""
    task = RoIInpainting(5, patch_size=4)
    across = (torch.arange(30) + 0.5) / 30
    image = torch.stack([across.expand(30, 30), across.expand(30, 30).T,
                         torch.ones(30, 30)])[None]
    found = task.target(image, REGIONS[:1])[0]
    for au in range(4):
        for side in range(2):
            x1, y1, x2, y2 = REGIONS[0, au, side].tolist()
            cells = torch.tensor([(i + 0.5) / 4 for i in range(4)])
            torch.testing.assert_close(found[au, side, 0, 1], x1 + cells * (x2 - x1))
            torch.testing.assert_close(found[au, side, 1, :, 2], y1 + cells * (y2 - y1))


def test_surroundings_are_the_colour_of_what_remains():
    """In an image of one colour they are that colour, whatever was removed; in one of two halves,
    that of the half around the region."""
    removed = torch.ones(3, 4).bool()
    plain = torch.full((3, 3, 60, 60), 0.7)
    found = surroundings(cut_regions(plain, REGIONS, removed), REGIONS)
    torch.testing.assert_close(found, torch.full((3, 4, 2, 3), 0.7))
    halves = plain.clone()
    halves[..., 30:, :] = -0.3  # AU12, at the mouth, is below; AU2, at the brows, above
    found = surroundings(cut_regions(halves, REGIONS, removed), REGIONS)
    torch.testing.assert_close(found[:, 1], torch.full((3, 2, 3), 0.7))
    torch.testing.assert_close(found[:, 3], torch.full((3, 2, 3), -0.3))


def test_the_decoder_adds_to_the_surroundings():
    torch.manual_seed(0)
    task = RoIInpainting(5, patch_size=4, hidden_dims=7)
    removed = torch.ones(3, 4).bool()
    tokens, plain = torch.randn(3, 4, 5), torch.full((3, 3, 60, 60), 0.7)
    first = task(tokens, cut_regions(plain, REGIONS, removed), REGIONS)
    other = task(tokens, cut_regions(plain - 1, REGIONS, removed), REGIONS)
    torch.testing.assert_close(first - other, torch.ones_like(first))
    torch.testing.assert_close(first - 0.7, task.decoder(tokens).reshape(3, 4, 2, 3, 4, 4))


def test_only_the_tokens_of_removed_action_units_get_a_gradient():
    task = RoIInpainting(5, patch_size=4)
    tokens = torch.randn(3, 4, 5, requires_grad=True)
    removed = torch.tensor([[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]).bool()
    images = torch.randn(3, 3, 30, 30)
    cut = cut_regions(images, REGIONS, removed)
    task.loss(tokens, images, REGIONS, cut)['loss_inpainting'].backward()
    assert torch.equal(tokens.grad.abs().sum(-1) > 0, removed)


@pytest.mark.parametrize('kwargs, words', [(dict(share=0.), 'share is 0.0'),
                                           (dict(weight=-1.), 'weight of the inpainting loss')])
def test_wrong_settings(kwargs, words):
    with pytest.raises(ValueError, match=words):
        RoIInpainting(5, **kwargs)
