# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The neck: regions by hand, relation, what landmarks change, attention."""

import numpy as np
import pytest
import torch

from fmae_iat_plugin.datasets.mean_shape import MEAN_SHAPE
from fmae_iat_plugin.models.rtatl import AURelationNeck
from fmae_iat_plugin.models.rtatl.pooling import pool_boxes

AUS = (1, 6, 12)


def build(**kwargs):
    torch.manual_seed(0)
    neck = AURelationNeck(6, AUS, embed_dims=8, depth=2, num_heads=2, roi_size=2, **kwargs)
    neck.init_weights()
    return neck.eval()


def maps(number=3):
    return (torch.from_numpy(np.random.default_rng(0).normal(size=(number, 6, 7, 7))).float(), )


def test_tokens_and_global_feature_step_by_step():
    neck, feats = build(), maps()
    tokens, pooled = neck(feats)
    mean = feats[0].mean(dim=(2, 3))
    centred = mean - mean.mean(1, keepdim=True)
    torch.testing.assert_close(
        pooled, centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt())
    channels = feats[0].permute(0, 2, 3, 1)
    centred = channels - channels.mean(-1, keepdim=True)
    normal = (centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()).permute(0, 3, 1, 2)
    rois = pool_boxes(normal, neck.mean_boxes().flatten(0, 1).expand(3, -1, -1), 2)
    # both sides of an AU stand one after the other: left, right
    x = torch.stack([rois[:, 2 * a:2 * a + 2].reshape(3, -1) for a in range(3)], dim=1)
    x = x @ neck.embed.weight.T + neck.embed.bias + neck.au_embedding
    for layer in neck.layers:
        x = layer(x)
    torch.testing.assert_close(tokens, neck.final_norm(x), rtol=1e-4, atol=1e-5)


def test_mean_regions_ignore_landmarks_and_the_others_use_them():
    feats, face = maps(), torch.from_numpy(MEAN_SHAPE)
    moved = face + 0.1
    landmarks = torch.stack([face, moved, face])
    fixed, own = build(), build(regions='landmarks')
    torch.testing.assert_close(fixed(feats, landmarks)[0], fixed(feats)[0])
    found = own(feats, landmarks)[0]
    torch.testing.assert_close(found[[0, 2]], fixed(feats)[0][[0, 2]], rtol=1e-4, atol=1e-5)
    assert (found[1] - fixed(feats)[0][1]).abs().max() > 1e-2
    torch.testing.assert_close(own(feats)[0], fixed(feats)[0])  # none given: the mean shape
    torch.testing.assert_close(own(feats, landmarks)[1], fixed(feats)[1])  # global: no regions


def test_mean_shape_is_in_the_checkpoint():
    neck, other = build(), build()
    neck.set_mean_shape(MEAN_SHAPE + 0.05)
    other.load_state_dict(neck.state_dict())
    torch.testing.assert_close(other.mean_boxes(), build().mean_boxes() + 0.05)


@pytest.mark.parametrize('shape', [np.zeros((5, 2)), np.full((68, 2), np.nan)])
def test_no_mean_shape(shape):
    with pytest.raises(ValueError, match='68 finite points'):
        build().set_mean_shape(shape)


def test_attention_is_that_of_the_layers():
    neck, feats = build(), maps()
    found = neck.attention(feats)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(3, 3))
    x, seen = None, []
    inputs = []
    hook = neck.layers[0].register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    neck(feats)
    hook.remove()
    x = inputs[0]
    for layer in neck.layers:
        qkv = layer.attn.qkv(layer.ln1(x))
        query, key, _ = (part.reshape(3, 3, 2, 4) for part in qkv.chunk(3, dim=-1))
        for head in range(2):
            logits = torch.einsum('nid,njd->nij', query[:, :, head], key[:, :, head]) / 2
            seen.append(logits.exp() / logits.exp().sum(-1, keepdim=True))
        x = layer(x)
    torch.testing.assert_close(found, torch.stack(seen).mean(0))


@pytest.mark.parametrize('kwargs, words', [
    (dict(regions='learned'), 'regions .learned. is none of mean, landmarks'),
    (dict(share=0.), 'share is 0.0. Remedy')])
def test_wrong_settings(kwargs, words):
    with pytest.raises(ValueError, match=words):
        build(**kwargs)
