# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The classifier: feature, adversary, initialisation, loading."""

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
VIT = dict(type='VisionTransformer', arch=ARCH, img_size=16, patch_size=8,
           out_type='avg_featmap', final_norm=False)
ADVERSARY = dict(neck=dict(type='GradReverse', scale=2.0),
                 head=dict(type='LinearIdentityHead', in_channels=24, num_subjects=5))


def build(**kwargs):
    torch.manual_seed(0)
    model = MODELS.build(dict(type='AUClassifier', backbone=VIT, **{
        **dict(head=dict(type='AUHead', in_channels=24, num_classes=3)), **kwargs}))
    model.init_weights()
    return model


def batch(n=4):
    torch.manual_seed(1)
    data = [DataSample().set_gt_score(torch.tensor([1., 0., 1.])) for _ in range(n)]
    for i, sample in enumerate(data):
        sample.set_field(i, 'subject')
    return torch.randn(n, 3, 16, 16), data


def test_feature_is_layer_norm_of_the_mean_of_the_patch_tokens():
    model, (x, _) = build(), batch()
    model.eval()
    vit = model.backbone
    tokens = vit.patch_embed(x)[0]
    tokens = torch.cat([vit.cls_token.expand(4, -1, -1), tokens], dim=1) + vit.pos_embed
    for layer in vit.layers:
        tokens = layer(tokens)
    mean = tokens[:, 1:].mean(dim=1)
    centred = mean - mean.mean(dim=1, keepdim=True)
    feature = centred / (centred.pow(2).mean(dim=1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(model.extract_feat(x)[-1], feature)  # ln2 starts at 1/0
    assert vit.ln2.eps == 1e-6


def test_backbone_runs_once_and_losses_are_named(monkeypatch):
    model, (x, data) = build(adversary=ADVERSARY), batch()
    calls = []
    forward = model.backbone.forward
    monkeypatch.setattr(model.backbone, 'forward', lambda x: calls.append(1) or forward(x))
    assert list(model.loss(x, data)) == ['loss_au', 'loss_id']
    assert calls == [1]


def test_total_loss_is_their_unweighted_sum():
    """``parse_losses`` sums every key that contains "loss", so no key may be a second copy."""
    model, (x, data) = build(adversary=ADVERSARY), batch()
    losses = model.loss(x, data)
    total, log = model.parse_losses(losses)
    assert total.item() == pytest.approx(sum(v.item() for v in losses.values()), rel=1e-6)
    assert set(log) == {'loss', 'loss_au', 'loss_id'}


def test_without_adversary_there_is_no_identity_loss_and_no_parameter_of_it():
    model, (x, data) = build(), batch()
    assert list(model.loss(x, data)) == ['loss_au']
    assert not [name for name, _ in model.named_parameters() if 'adversary' in name]


def test_prediction_does_not_touch_the_adversary(monkeypatch):
    model, (x, data) = build(adversary=ADVERSARY), batch()
    model.eval()
    monkeypatch.setattr(model.adversary['head'], 'forward', None)
    plain = build()
    plain.eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    for one, other in zip(model.predict(x, data), plain.predict(x, data)):
        assert torch.equal(one.pred_score, other.pred_score)


def test_init_weights_reaches_the_adversary(monkeypatch):
    """A plain nn.ModuleDict would hide the head from init_weights."""
    from fmae_iat_plugin.models import LinearIdentityHead
    calls = []
    monkeypatch.setattr(LinearIdentityHead, 'init_weights', lambda self: calls.append(self))
    model = build(adversary=ADVERSARY)
    assert calls == [model.adversary['head']]


def test_layer_depth_of_what_follows_the_blocks_is_the_last():
    """Heads, adversary and the feature's norm learn at the full rate, as in MAE."""
    model = build(adversary=ADVERSARY)
    for name, _ in model.named_parameters():
        depth, layers = model.get_layer_depth(name)
        assert layers == 4
        if name.startswith(('head', 'adversary', 'backbone.ln')):
            assert depth == 3, name
        elif name.startswith('backbone.layers'):
            assert depth == int(name.split('.')[2]) + 1, name
        else:
            assert depth == 0, name


@pytest.mark.parametrize('adversary', [dict(head=ADVERSARY['head']),
                                       dict(ADVERSARY, loss=dict())])
def test_half_an_adversary_is_an_error(adversary):
    with pytest.raises(ValueError, match='adversary has the keys.*Remedy'):
        build(adversary=adversary)


def test_pretrained_encoder_is_loaded_after_the_initialisation(tmp_path):
    """mmpretrain's ViT draws a new position embedding unless its own loader is used."""
    mae = MODELS.build(dict(type='MAEViT', arch=ARCH, img_size=16, patch_size=8))
    mae.init_weights()
    state = {f'backbone.{name}': value for name, value in mae.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'mae.pth')
    model = build(pretrained=str(tmp_path / 'mae.pth'))
    for name, value in model.backbone.state_dict().items():
        if name.startswith('ln2'):  # MAE's final norm is not loaded into the feature's
            assert torch.equal(value, torch.full_like(value, float('weight' in name)))
        else:
            assert torch.equal(value, mae.state_dict()[name]), name


def test_checkpoint_of_another_architecture_is_an_error_in_words(tmp_path):
    mae = MODELS.build(dict(type='MAEViT', arch=dict(ARCH, num_layers=3), img_size=16,
                            patch_size=8))
    torch.save(dict(state_dict={f'backbone.{k}': v for k, v in mae.state_dict().items()}),
               tmp_path / 'mae.pth')
    with pytest.raises(ValueError, match='mae.pth'):
        build(pretrained=str(tmp_path / 'mae.pth'))


def test_autocast_on_the_cpu():
    """The accelerator's AMP wrapper refuses CPUs; the model itself runs in bf16."""
    model, (x, data) = build(adversary=ADVERSARY), batch()
    exact = model.loss(x, data)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(x, data)
    sum(losses.values()).backward()
    for key in losses:
        assert losses[key].dtype == torch.float32
        assert losses[key].item() == pytest.approx(exact[key].item(), rel=0.02)
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@torch.no_grad()
def test_a_mirrored_prediction_is_that_of_the_mean_logit_of_both_sides():
    model, (x, data) = build(test_mirror=True), batch()
    model.eval()
    torch.nn.init.normal_(model.head.fc.weight)
    turned = torch.stack([image[:, :, [15 - k for k in range(16)]] for image in x])
    logits = [model.head(model.backbone(images)) for images in (x, turned)]
    found = torch.stack([sample.pred_score for sample in model.predict(x, data)])
    torch.testing.assert_close(found, torch.sigmoid((logits[0] + logits[1]) / 2))
    assert (logits[0] - logits[1]).abs().max() > .1
    model.test_mirror = False
    found = torch.stack([sample.pred_score for sample in model.predict(x, data)])
    torch.testing.assert_close(found, torch.sigmoid(logits[0]))
