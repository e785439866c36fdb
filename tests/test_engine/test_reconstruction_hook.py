# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Input, masked input and prediction stand beside each other, in the image's own colours."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from PIL import Image

from fmae_iat_plugin.engine import ReconstructionHook
from fmae_iat_plugin.engine.reconstruction_hook import reconstructions

SIDE, PATCH, NUMBER = 48, 6, 3


@pytest.fixture
def mae(repo):
    cfg = Config.fromfile(repo / 'configs/_base_/models/mae_vit-tiny-48px.py').model
    cfg.backbone.arch = dict(embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=32)
    cfg.neck.update(embed_dim=32, decoder_embed_dim=32, decoder_depth=1)
    torch.manual_seed(0)
    return MODELS.build(cfg)


@pytest.fixture
def inputs():
    """BGR bytes."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (NUMBER, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)


def columns(picture):
    assert picture.shape == (NUMBER * SIDE, 3 * SIDE, 3) and picture.dtype == torch.uint8
    rows = picture.numpy().reshape(NUMBER, SIDE, 3 * SIDE, 3)
    return [rows[:, :, part * SIDE:(part + 1) * SIDE] for part in range(3)]


@pytest.mark.parametrize('norm_pix', [True, False])
def test_a_perfect_decoder_gives_the_image(mae, inputs, norm_pix, monkeypatch):
    mae.head.norm_pix = norm_pix
    images = mae.data_preprocessor(dict(inputs=inputs, data_samples=[]), False)['inputs']
    monkeypatch.setattr(mae.neck, 'forward', lambda x, ids: mae.head.construct_target(images))
    before = torch.random.get_rng_state()
    shown, masked, predicted = columns(reconstructions(mae.train(), inputs))
    assert mae.training and torch.equal(torch.random.get_rng_state(), before)
    rgb = inputs.numpy().transpose(0, 2, 3, 1)[..., ::-1]
    np.testing.assert_array_equal(shown, rgb)
    np.testing.assert_allclose(predicted, rgb, atol=1)
    grey = (masked == 128).all(-1).reshape(NUMBER, SIDE // PATCH, PATCH, SIDE // PATCH, PATCH)
    hidden = grey.all((2, 4))
    assert hidden.sum((1, 2)).tolist() == [48] * NUMBER  # three quarters of 64
    seen = ~np.kron(hidden, np.ones((1, PATCH, PATCH), bool))
    np.testing.assert_array_equal(masked[seen], rgb[seen])


def test_only_hidden_patches_are_predicted(mae, inputs, monkeypatch):
    monkeypatch.setattr(mae.neck, 'forward', lambda x, ids: torch.zeros(
        NUMBER, 64, 3 * PATCH**2))
    shown, masked, predicted = columns(reconstructions(mae, inputs))
    hidden = (masked == 128).all(-1) & (shown != 128).any(-1)
    np.testing.assert_array_equal(predicted[~hidden], shown[~hidden])
    # with zeros, a patch is its mean over pixels and normalised channels
    at = np.argwhere(hidden)[0]
    mean, std = (part.view(3).numpy() for part in (mae.data_preprocessor.mean,
                                                   mae.data_preprocessor.std))
    row, column = (int(place) // PATCH * PATCH for place in at[1:])
    patch = shown[at[0], row:row + PATCH, column:column + PATCH]
    expected = ((patch - mean) / std).mean() * std + mean
    np.testing.assert_allclose(predicted[tuple(at)], expected, atol=1)


def test_images_of_other_sizes_are_resized(mae, inputs):
    """As Pillow does it; those that fit stay as they are."""
    large = np.asarray(Image.effect_mandelbrot((70, 90), (-2, -1.5, 1, 1.5), 90).convert('RGB'))
    bgr = torch.from_numpy(large[..., ::-1].copy()).permute(2, 0, 1)
    shown, _, _ = columns(reconstructions(mae, [inputs[0], bgr, inputs[1]]))
    expected = np.asarray(Image.fromarray(large).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(shown[1].astype(int), expected, atol=6)  # clips between two passes
    rgb = inputs.numpy().transpose(0, 2, 3, 1)[..., ::-1]
    np.testing.assert_array_equal(shown[[0, 2]], rgb[:2])


def test_the_hook_draws_at_its_epochs(mae, inputs, make_runner):
    drawn = []

    class Painter:

        def add_image(self, name, image, step):
            drawn.append((name, step, image))

    def run(hook):
        rows = [dict(inputs=image, data_samples=DataSample()) for image in inputs]
        runner = make_runner(model=mae, max_epochs=5, hooks=[hook], train_dataloader=dict(
            dataset=rows, batch_size=NUMBER, collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=True)))
        monkey = runner.visualizer.add_image
        runner.visualizer.add_image = Painter().add_image
        try:
            runner.train()
        finally:
            runner.visualizer.add_image = monkey
        return {name: value.clone() for name, value in mae.state_dict().items()}

    mae.init_weights()  # once, and not again by the runner
    start = {name: value.clone() for name, value in mae.state_dict().items()}
    with_hook = run(ReconstructionHook(interval=2, images=2))
    assert [(name, step) for name, step, _ in drawn] == [
        ('reconstruction', step) for step in (2, 4, 5)]
    assert all(image.shape == (2 * SIDE, 3 * SIDE, 3) for *_, image in drawn)
    # the same images and masks each time, and another prediction
    for part, same in ((slice(0, 2 * SIDE), True), (slice(2 * SIDE, 3 * SIDE), False)):
        assert np.array_equal(drawn[0][2][:, part], drawn[1][2][:, part]) is same
    mae.load_state_dict(start)
    torch.manual_seed(0)
    without = run(ReconstructionHook(interval=99))
    assert all(torch.equal(with_hook[name], without[name]) for name in without)


def test_another_model_is_refused(make_runner):
    with pytest.raises(ValueError, match='no head of MAE.*Remedy'):
        make_runner(hooks=[ReconstructionHook()]).train()
    with pytest.raises(ValueError, match='images=0'):
        ReconstructionHook(images=0)
