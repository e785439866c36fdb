# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RTATL: which loss reaches which part, what prediction uses, unlabelled frames."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from fmae_iat_plugin.datasets.mean_shape import MEAN_SHAPE

AUS = (1, 6, 12)
BACKBONES = dict(
    resnet=(dict(type='ResNet', depth=18, num_stages=2, stem_channels=8, base_channels=8,
                 strides=(1, 2), dilations=(1, 1), out_indices=(1, )), 16),
    vit=(dict(type='VisionTransformer', img_size=32, patch_size=8, out_type='featmap',
              final_norm=False, arch=dict(embed_dims=24, num_layers=2, num_heads=2,
                                          feedforward_channels=48)), 24))
PARTS = ('backbone', 'neck.global_norm', 'neck.norm', 'neck.embed', 'neck.au_embedding',
         'neck.layers', 'neck.final_norm', 'head.fc', 'head.regional', 'flow', 'inpainting',
         'adversary')
REGIONAL = {'neck.norm', 'neck.embed', 'neck.au_embedding', 'neck.layers', 'neck.final_norm'}
REACHED = dict(
    loss_au={'backbone', 'neck.global_norm', 'head.fc', 'head.regional', *REGIONAL},
    loss_flow={'backbone', 'neck.global_norm', 'flow'},
    loss_inpainting={'backbone', 'inpainting', *REGIONAL},
    loss_id={'backbone', 'neck.global_norm', 'adversary'})


def build(kind='vit', regions='mean', scale=2., **kwargs):
    torch.manual_seed(0)
    backbone, width = BACKBONES[kind]
    parts = dict(
        inpainting=dict(type='RoIInpainting', embed_dims=8, patch_size=4, hidden_dims=8),
        flow=dict(type='SingleImageFlow', in_channels=width, size=8, channels=(8, )),
        adversary=dict(neck=dict(type='GradReverse', scale=scale),
                       head=dict(type='LinearIdentityHead', in_channels=width, num_subjects=4)))
    model = MODELS.build(dict(
        type='RTATL', backbone=backbone,
        neck=dict(type='AURelationNeck', in_channels=width, aus=AUS, embed_dims=8, depth=1,
                  num_heads=2, roi_size=2, regions=regions),
        head=dict(type='RTATLHead', in_channels=width, num_classes=3, embed_dims=8),
        **{**parts, **kwargs}))
    model.init_weights()
    if model.flow is not None:
        torch.nn.init.normal_(model.flow.last.weight)  # it starts at 0 and passes no gradient on
    return model


def batch(number=4, landmarks=False, labelled=2):
    rng = np.random.default_rng(0)
    samples = []
    for row in range(number):
        score = torch.tensor([1., 0., 1.]) if row < labelled else torch.full((3, ), torch.nan)
        sample = DataSample(metainfo=dict(img_path=f'{row}.png')).set_gt_score(score)
        sample.set_field(row, 'subject')
        sample.set_field(rng.normal(0, .01, (8, 8, 2)).astype(np.float32), 'flow')
        if landmarks:
            sample.set_field(MEAN_SHAPE + np.float32(0.03 * row), 'landmarks')
        samples.append(sample)
    return torch.from_numpy(rng.normal(size=(number, 3, 32, 32))).float(), samples


def part_of(name):
    return next(part for part in PARTS if name == part or name.startswith(part + '.'))


@pytest.mark.parametrize('loss', REACHED)
@pytest.mark.parametrize('kind', BACKBONES)
def test_each_loss_reaches_the_parts_it_should_and_no_other(kind, loss):
    model, (images, samples) = build(kind), batch()
    model.loss(images, samples)[loss].backward()
    reached = {part_of(name) for name, value in model.named_parameters()
               if value.grad is not None and value.grad.abs().max() > 0}
    assert reached == REACHED[loss]


def test_the_adversary_sees_the_global_feature_and_turns_its_gradient():
    """The gradient at the backbone is -lambda times that of the same head without reversal."""
    grads = []
    for scale in (2., 0.5):
        model, (images, samples) = build(scale=scale), batch()
        model.loss(images, samples)['loss_id'].backward()
        grads.append(model.backbone.patch_embed.projection.weight.grad)
    pooled = (model := build()).extract_feat(images)[-1]
    model.adversary['head'].loss((pooled, ), samples)['loss_id'].backward()
    plain = model.backbone.patch_embed.projection.weight.grad
    torch.testing.assert_close(grads[0], -2 * plain, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(grads[1], -0.5 * plain, rtol=1e-4, atol=1e-7)


def test_the_au_loss_is_that_of_the_intact_image():
    images, samples = batch()
    model, plain = build(), build(inpainting=None, flow=None, adversary=None)
    plain.load_state_dict(model.state_dict(), strict=False)
    whole, alone = model.loss(images, samples), plain.loss(images, samples)
    assert list(alone) == ['loss_au']
    assert set(whole) == {'loss_au', 'loss_flow', 'loss_inpainting', 'loss_id'}
    assert whole['loss_au'].item() == pytest.approx(alone['loss_au'].item(), rel=1e-6)


def test_unlabelled_frames_train_the_tasks_and_not_the_head():
    """The AU loss of a batch with unlabelled frames is that of its labelled ones; the tasks' is
    not."""
    images, samples = batch(labelled=2)
    mixed = build().loss(images, samples)
    first = build().loss(images[:2], samples[:2])
    assert mixed['loss_au'].item() == pytest.approx(first['loss_au'].item(), rel=1e-5)
    for name in ('loss_flow', 'loss_inpainting'):
        assert abs(mixed[name].item() - first[name].item()) > 1e-4
    unlabelled = build()
    losses = unlabelled.loss(*batch(labelled=0))
    assert losses['loss_au'].item() == 0
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in unlabelled.parameters())  # DDP needs every one


def test_total_loss_is_the_sum_with_the_weights_of_the_config():
    images, samples = batch()
    one = build().loss(images, samples)
    # the same seed draws the same weights
    other = build(inpainting=dict(type='RoIInpainting', embed_dims=8, patch_size=4, hidden_dims=8,
                                  weight=0.25)).loss(images, samples)
    assert other['loss_inpainting'].item() == pytest.approx(one['loss_inpainting'].item() / 4)
    total, _ = build().parse_losses(one)
    assert total.item() == pytest.approx(sum(value.item() for value in one.values()))


def test_prediction_uses_backbone_neck_and_head_alone():
    images, samples = batch()
    model, plain = build().eval(), build(inpainting=None, flow=None, adversary=None).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    for part in ('inpainting', 'flow'):
        setattr(model, part, None)  # a call would fail
    model.adversary = None
    for one, other in zip(model.predict(images, samples), plain.predict(images, samples)):
        assert torch.equal(one.pred_score, other.pred_score)
    assert set(model.training_only) == {'adversary', 'inpainting', 'flow'}


def test_landmarks_are_used_where_samples_carry_them():
    model = build(regions='landmarks').eval()
    images, samples = batch(landmarks=True)
    with_landmarks = [sample.pred_score for sample in model.predict(images, samples)]
    images, bare = batch()
    without = [sample.pred_score for sample in model.predict(images, bare)]
    torch.testing.assert_close(with_landmarks[0], without[0], rtol=1e-4, atol=1e-5)
    assert (with_landmarks[3] - without[3]).abs().max() > 1e-5
    mixed = [*batch(landmarks=True)[1][:1], *batch()[1][1:3], *batch(landmarks=True)[1][3:]]
    found = [sample.pred_score for sample in model.predict(images, mixed)]
    for row, wanted in enumerate((with_landmarks[0], without[1], without[2], with_landmarks[3])):
        torch.testing.assert_close(found[row], wanted, rtol=1e-4, atol=1e-5)


def test_training_on_regions_without_landmarks_is_an_error_in_words():
    images, samples = batch()
    with pytest.raises(ValueError, match="regions is 'landmarks', but '0.png' has none. Remedy: .*"
                                         'find_landmarks.py'):
        build(regions='landmarks').loss(images, samples)


def test_features_of_every_stage():
    model, (images, _) = build(), batch()
    assert model.extract_feat(images, 'backbone')[-1].shape == (4, 24, 4, 4)
    tokens, pooled = model.extract_feat(images)
    assert tokens.shape == (4, 3, 8) and pooled.shape == (4, 24)
    assert torch.equal(model.extract_feat(images, 'pre_logits'), pooled)
    assert torch.equal(model(images), model.head((tokens, pooled)))


def test_fmae_encoder_is_loaded(tmp_path):
    mae = MODELS.build(dict(type='MAEViT', arch=BACKBONES['vit'][0]['arch'], img_size=32,
                            patch_size=8))
    mae.init_weights()
    torch.save(dict(state_dict={f'backbone.{name}': value
                                for name, value in mae.state_dict().items()}), tmp_path / 'mae.pth')
    model = build(pretrained=str(tmp_path / 'mae.pth'))
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, mae.state_dict()[name]), name
