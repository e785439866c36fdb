# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The loss of the pretraining configs against a formula.

MAE (He et al., 2022), as FMAE pretrains: mean squared error on the removed patches only, each
patch normalised by its own mean and (unbiased) variance. The mask is drawn again from the seed.
"""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

MODEL = Path(__file__).parents[2] / 'configs' / '_base_' / 'models' / 'mae_vit-tiny-48px.py'
SIDE, PATCH, SEED = 8, 6, 7  # 8 x 8 patches of 6 px


@pytest.fixture(scope='module')
def step():
    """Images, the prediction [N, L, 108] with its gradient, and the loss of one step."""
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(MODEL).model)
    model.init_weights()
    images, seen = torch.randn(3, 3, 48, 48), []
    with torch.no_grad():
        images[1] = 0.5 * images[1] + 2  # another mean and contrast
    model.neck.register_forward_hook(lambda module, args, output: seen.append(output))
    torch.manual_seed(SEED)
    losses = model.loss(images, None)
    assert list(losses) == ['loss']
    seen[0].retain_grad()
    losses['loss'].backward()
    return images, seen[0], losses['loss'].item()


def removed_patches(count):
    """[N, L] bool: the 75 % of the patches that drew the largest numbers."""
    torch.manual_seed(SEED)
    noise = torch.rand(count, SIDE * SIDE)
    return noise > noise.sort(dim=1).values[:, SIDE * SIDE // 4 - 1:SIDE * SIDE // 4]


def formula(images, prediction):
    errors = []
    for image, patches, removed in zip(images, prediction, removed_patches(len(images))):
        for number in removed.nonzero().flatten().tolist():
            row, column = divmod(number, SIDE)
            pixels = image[:, PATCH * row:PATCH * (row + 1), PATCH * column:PATCH * (column + 1)]
            pixels = pixels.permute(1, 2, 0).flatten()  # rows, columns, channels
            variance = ((pixels - pixels.mean())**2).sum() / (len(pixels) - 1)
            target = (pixels - pixels.mean()) / (variance + 1e-6).sqrt()
            errors.append(((patches[number] - target)**2).mean())
    assert len(errors) == len(images) * SIDE * SIDE * 3 // 4
    return torch.stack(errors).mean()


def test_loss_is_the_formula(step):
    images, prediction, loss = step
    assert loss == pytest.approx(formula(images, prediction.detach()).item(), rel=1e-6)


def test_only_removed_patches_are_learnt(step):
    images, prediction, _ = step
    touched = prediction.grad.abs().amax(dim=2) > 0
    assert torch.equal(touched, removed_patches(len(images)))
    free = prediction.detach().clone().requires_grad_()
    formula(images, free).backward()
    torch.testing.assert_close(prediction.grad, free.grad, rtol=1e-5, atol=1e-9)


def test_pretraining_configs_share_this_loss():
    """Ratio, normalisation and criterion of every size are those tried here."""
    heads = set()
    for path in sorted((MODEL.parents[2] / 'fmae').glob('*.py')):
        model = Config.fromfile(path).model
        head = model.head
        assert head.patch_size == model.backbone.patch_size == model.neck.patch_size
        heads.add((model.type, model.backbone.mask_ratio, head.type, head.norm_pix,
                   head.loss.type, head.loss.criterion))
    assert heads == {
        ('MAE', 0.75, 'MAEPretrainHead', True, 'PixelReconstructionLoss', 'L2')}
