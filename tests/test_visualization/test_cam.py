# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Grad-CAM against its formula, and on a model that looks at one known patch."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from fmae_iat_plugin.visualization.cam import CELL, grad_cam, overlay

pytest.importorskip('pytorch_grad_cam')


@pytest.fixture(scope='module')
def model(repo):
    torch.manual_seed(0)
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    model = MODELS.build({**cfg.model, 'adversary': None, 'pretrained': None})
    model.init_weights()
    torch.nn.init.normal_(model.head.fc.weight, std=.2)
    return model.eval()


def by_hand(model, inputs, output):
    """ReLU of the sum over channels of (gradient averaged over the patches) x activation."""
    kept = []
    hook = model.backbone.layers[-1].ln1.register_forward_hook(lambda *call: kept.append(call[2]))
    logits = model(inputs)
    hook.remove()
    gradient, = torch.autograd.grad(logits[:, output].sum(), kept[0])
    extra = model.backbone.num_extra_tokens
    side = int((kept[0].shape[1] - extra)**.5)
    weight = gradient[:, extra:].mean(1, keepdim=True)
    heat = torch.relu((weight * kept[0][:, extra:]).sum(2)).reshape(-1, side, side)
    heat = np.stack([cv2.resize(one, inputs.shape[:1:-1]) for one in heat.detach().numpy()])
    heat = heat - heat.min((1, 2), keepdims=True)
    return heat / heat.max((1, 2), keepdims=True)


def test_it_is_the_papers_formula(model):
    inputs = torch.randn(3, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():  # as where the inferencer calls it
        found = [grad_cam(model, inputs, output) for output in (0, 4)]
    for heat, output in zip(found, (0, 4)):
        np.testing.assert_allclose(heat, by_hand(model, inputs, output), atol=1e-4)
    assert np.abs(found[0] - found[1]).max() > .1  # of this output, not of the face
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


class Patch(torch.nn.Module):
    """Stands for a classifier whose score is the brightness of each patch after `ln1`."""

    class Backbone(torch.nn.Module):

        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([torch.nn.Module()])
            self.layers[0].ln1 = torch.nn.Identity()
            self.num_extra_tokens = 1
            self.patch_embed = torch.nn.Module()
            self.patch_embed.init_out_size = (2, 3)  # not square

    def __init__(self):
        super().__init__()
        self.backbone, self.factor = self.Backbone(), torch.nn.Parameter(torch.ones(()))

    def forward(self, image):
        patches = image.mean(1).unfold(1, 8, 8).unfold(2, 8, 8).mean((3, 4)).flatten(1)
        tokens = torch.cat([torch.full_like(patches[:, :1], 9), patches], 1)[..., None]
        tokens = tokens * self.factor
        return self.backbone.layers[0].ln1(tokens).sum((1, 2))[:, None]


def test_the_map_lies_where_the_score_comes_from():
    image = torch.zeros(1, 3, 16, 24)
    image[:, :, 8:, 16:] = 1  # lower right of 2 x 3 patches
    heat = grad_cam(Patch(), image, 0)[0]
    assert heat.shape == (16, 24) and heat[12:, 20:].min() > .9 and heat[:4].max() < .1
    assert heat[:, :8].max() < .1


def test_overlay_is_light_where_the_map_is_hot():
    heat = np.zeros((8, 8), dtype=np.float32)
    heat[:, 4:] = 1
    shown = overlay(np.full((48, 48, 3), 120, dtype=np.uint8), heat)
    assert shown.shape == (CELL, CELL, 3)
    assert shown[:, CELL - 40:].mean() > shown[:, :40].mean() + 40
