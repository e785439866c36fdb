# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Compiled blocks compute what the others do, under the same names."""

import copy

import numpy as np
import pytest
import torch
from mmcv.cnn.bricks.drop import DropPath
from mmengine.config import Config
from mmengine.hooks import Hook
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from fmae_iat_plugin.engine import CompileBlocksHook
from fmae_iat_plugin.engine.compiled_blocks import TensorDropPath, compile_blocks, find_blocks

SIDE, NUMBER = 48, 4


@pytest.fixture
def mae(repo):
    """Encoder and decoder of one width, so that there is one code to compile."""
    cfg = Config.fromfile(repo / 'configs/_base_/models/mae_vit-tiny-48px.py').model
    cfg.backbone.arch = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=128)
    cfg.neck.update(embed_dim=32, decoder_embed_dim=32, decoder_depth=2, decoder_num_heads=2)
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


@pytest.fixture
def classifier(repo):
    cfg = Config.fromfile(repo / 'configs/_base_/models/iat_vit-tiny-48px.py').model
    cfg.backbone.update(arch=dict(embed_dims=32, num_layers=3, num_heads=2,
                                  feedforward_channels=128), drop_path_rate=.3)
    cfg.head.in_channels = cfg.adversary.head.in_channels = 32
    cfg.pretrained = None
    return MODELS.build(cfg)


@pytest.fixture(autouse=True)
def as_before():
    yield
    torch.compiler.set_stance('default')
    torch.compiler.reset()


@pytest.mark.slow
def test_a_training_with_compiled_blocks_is_the_plain_one(mae, make_runner):
    """Several steps through the hook, with inductor: losses, and weights under their names."""
    images = torch.randint(0, 256, (3 * NUMBER, 3, SIDE, SIDE), dtype=torch.uint8,
                           generator=torch.Generator().manual_seed(1))
    rows = [dict(inputs=image, data_samples=DataSample()) for image in images]

    class Losses(Hook):

        def __init__(self):
            self.seen = []

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            self.seen.append(outputs['loss'].item())

    def train(*hooks):
        model, losses = copy.deepcopy(mae), Losses()
        runner = make_runner(
            model=model, max_epochs=2, hooks=[losses, *hooks], train_dataloader=dict(
                dataset=rows, batch_size=NUMBER, collate_fn=dict(type='default_collate'),
                sampler=dict(type='DefaultSampler', shuffle=False)),
            optim_wrapper=dict(
                constructor='LayerDecayOptimWrapperConstructor', paramwise_cfg=dict(),
                optimizer=dict(type='AdamW', lr=1e-3, weight_decay=.05, fused=True)))
        torch.manual_seed(2)
        runner.train()
        return losses.seen, model.state_dict()

    mae.init_weights = lambda: None
    plain, weights = train()
    compiled, others = train(CompileBlocksHook(on_cpu=True))
    assert len(plain) == 6 and plain[-1] < plain[0]
    np.testing.assert_allclose(compiled, plain, rtol=1e-4)
    assert list(others) == list(weights)
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=1e-2, atol=1e-3)


def test_only_training_steps_run_what_is_compiled(mae, make_runner):
    """A backend that counts calls: one code for all four blocks, and none outside of the steps."""
    counts = dict(compiled=0, run=0)

    def backend(graph, inputs):
        counts['compiled'] += 1

        def call(*args):
            counts['run'] += 1
            return graph(*args)
        return call

    outside = []

    class Outside(Hook):

        def after_train_epoch(self, runner):
            before = dict(counts)
            with torch.no_grad():
                runner.model.backbone(torch.rand(1, 3, SIDE, SIDE))
            outside.append(counts == before)

    rows = [dict(inputs=torch.zeros(3, SIDE, SIDE, dtype=torch.uint8), data_samples=DataSample())
            for _ in range(NUMBER)]
    mae.neck.decoder_blocks = torch.nn.ModuleList()
    names = list(mae.state_dict())
    make_runner(model=mae, max_epochs=2, train_dataloader=dict(
        dataset=rows, batch_size=2, collate_fn=dict(type='default_collate'),
        sampler=dict(type='DefaultSampler', shuffle=False)),
        hooks=[Outside(), CompileBlocksHook(on_cpu=True, backend=backend)]).train()
    assert outside == [True, True]
    assert counts == dict(compiled=1, run=2 * 4)  # 2 blocks, 2 epochs of 2 iterations
    assert list(mae.state_dict()) == names


def test_all_depths_of_a_classifier_share_one_code(classifier):
    """Their rates differ, which are numbers in mmcv's layer."""
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph

    names = list(classifier.state_dict())
    assert [name for name, _ in find_blocks(classifier)] == [f'backbone.layers.{i}'
                                                             for i in range(3)]
    rates = [float(block.attn.out_drop.drop_prob) for _, block in find_blocks(classifier)]
    assert compile_blocks(classifier, backend=backend) == 3
    classifier.train().backbone(torch.rand(2, 3, SIDE, SIDE))
    assert len(compiled) == 1
    for part in ('attn.out_drop', 'ffn.dropout_layer'):
        layers = [block.get_submodule(part) for _, block in find_blocks(classifier)]
        assert [layer.drop_prob for layer in layers] == rates and rates[0] == 0 < rates[1]
    assert not any(type(part) is DropPath for part in classifier.modules())
    assert list(classifier.state_dict()) == names


def test_dropped_paths():
    """Whole samples are dropped at the rate, and the mean is kept; nothing is dropped in tests."""
    layer, x = TensorDropPath(.2), torch.ones(20_000, 2, 3)
    torch.manual_seed(0)
    out = layer(x)
    values = out.flatten(1)
    assert (values == values[:, :1]).all()
    kept = values[:, 0] > 0
    assert torch.allclose(values[kept], torch.tensor(1 / .8))
    assert abs(kept.float().mean() - .8) < .01  # 3.5 standard deviations
    assert torch.equal(layer.eval()(x), x) and torch.equal(TensorDropPath(0.)(x), x)
    assert layer.train()(x.bfloat16()).dtype == torch.bfloat16


def test_a_model_without_blocks(make_runner):
    runner = make_runner(max_epochs=1, hooks=[CompileBlocksHook(on_cpu=True)])
    with pytest.raises(ValueError, match='TinyModel has no blocks at backbone.layers.*Remedy'):
        compile_blocks(runner.model)
    runner.train()  # says so, and trains
    assert runner.iter == 6


def test_nothing_is_compiled_on_a_cpu_unless_asked(mae, make_runner):
    rows = [dict(inputs=torch.zeros(3, SIDE, SIDE, dtype=torch.uint8), data_samples=DataSample())
            for _ in range(2)]
    make_runner(model=mae, max_epochs=1, hooks=[CompileBlocksHook()], train_dataloader=dict(
        dataset=rows, batch_size=2, collate_fn=dict(type='default_collate'),
        sampler=dict(type='DefaultSampler', shuffle=False))).train()
    assert all(block._compiled_call_impl is None for _, block in find_blocks(mae))
