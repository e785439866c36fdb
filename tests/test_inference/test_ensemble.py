# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A joined model gives the mean of its members; halves are the members with rounded weights."""

import json

import numpy as np
import pytest
from mmengine.config import Config

from fmae_iat_plugin.inference.ensemble import join
from fmae_iat_plugin.inference.export import export_onnx
from fmae_iat_plugin.inference.onnx_backend import OnnxBackend

pytestmark = pytest.mark.slow

AUS, OTHER = (1, 12, 25), (1, 12, 26)


def small_config(repo, aus=AUS):
    cfg = Config.fromfile(repo / 'configs/synthfacs/default_au.py', import_custom_modules=False)
    width = 8
    cfg.model.backbone.update(stem_channels=width, base_channels=width)
    for head in (cfg.model.head, cfg.model.intensity_head):
        head.update(in_channels=8 * width, num_classes=len(aus))
    cfg.model.head.pos_weight = (3., ) * len(aus)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.update(aus=aus, intensities=aus)
    return cfg


@pytest.fixture(scope='module')
def trained(repo, tmp_path_factory):
    """Config, and a checkpoint as EMAHook writes it: the average, and the last weights."""
    import torch
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import MODELS

    import fmae_iat_plugin.full  # noqa: F401
    cfg = small_config(repo)
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    states = []
    for _ in range(2):
        model = MODELS.build(cfg.model)
        for head in (model.head, model.intensity_head):
            for weight in head.state_dict().values():
                weight += 5 * torch.randn_like(weight)  # so that scores differ from face to face
        states.append(model.state_dict())
    path = tmp_path_factory.mktemp('ema') / 'epoch_1.pth'
    last = {f'module.{name}': value for name, value in states[1].items()}
    meta = dict(dataset_meta=dict(aus=AUS, intensity_aus=AUS), thresholds=[.2, .4, .6])
    torch.save(dict(state_dict=states[0], ema_state_dict=dict(last, steps=torch.tensor(3)),
                    meta=meta), path)
    return cfg, path, states


@pytest.fixture(scope='module')
def members(trained, tmp_path_factory):
    cfg, path, _ = trained
    folder = tmp_path_factory.mktemp('members')
    for name, unaveraged in (('average', False), ('last', True)):
        export_onnx(cfg, str(path), folder / f'{name}.onnx', unaveraged=unaveraged)
    return [folder / 'average.onnx', folder / 'last.onnx']


@pytest.fixture(scope='module')
def faces():
    return [dict(inputs=face) for face in np.random.default_rng(1).integers(
        0, 256, (5, 3, 64, 64), dtype=np.uint8)]


def test_the_unaveraged_weights_are_the_last(trained, members, faces):
    import torch
    from mmpretrain.registry import MODELS
    cfg, path, states = trained
    model = MODELS.build(cfg.model).eval()
    for state, member in zip(states, members):
        model.load_state_dict(state)
        with torch.no_grad():
            images = model.data_preprocessor(dict(inputs=torch.from_numpy(
                np.stack([face['inputs'] for face in faces]))))['inputs']
            truth = torch.sigmoid(model.head(model.test_feat(images))).numpy()
        np.testing.assert_allclose(OnnxBackend(member, 'cpu')(faces)[:, :3], truth, atol=1e-4)
    plain = path.with_name('plain.pth')
    torch.save({key: value for key, value in torch.load(path, weights_only=True).items()
                if key != 'ema_state_dict'}, plain)
    with pytest.raises(ValueError, match='plain.pth holds no averaged weights.*Remedy'):
        export_onnx(cfg, str(plain), path.with_name('x.onnx'), unaveraged=True)


def test_the_mean_of_the_members(members, faces, tmp_path):
    one, other = (OnnxBackend(member, 'cpu')(faces) for member in members)
    assert np.abs(one - other).max() > .05
    assert join(members, tmp_path / 'both.onnx') <= 1e-5
    joined = OnnxBackend(tmp_path / 'both.onnx', 'cpu')
    np.testing.assert_allclose(joined(faces), (one + other) / 2, atol=1e-5)
    notes = joined.metadata
    assert notes['members'] == '2' and notes['licence'] == 'Apache-2.0'
    assert joined.aus == joined.intensity_aus == AUS
    np.testing.assert_allclose(json.loads(notes['thresholds']), [.2, .4, .6])


def test_half_is_the_members_with_rounded_weights(members, faces, tmp_path):
    import onnx
    from onnx import numpy_helper
    rounded = []
    for number, member in enumerate(members):
        model = onnx.load(str(member))
        for tensor in model.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and values.size >= 256:
                tensor.CopyFrom(numpy_helper.from_array(
                    values.astype(np.float16).astype(np.float32), tensor.name))
        onnx.save(model, str(tmp_path / f'{number}.onnx'))
        rounded.append(OnnxBackend(tmp_path / f'{number}.onnx', 'cpu')(faces))
    difference = join(members, tmp_path / 'half.onnx', half=True)
    assert 0 < difference <= .01
    half = OnnxBackend(tmp_path / 'half.onnx', 'cpu')(faces)
    np.testing.assert_allclose(half, np.mean(rounded, axis=0), atol=1e-6)
    sizes = sum(member.stat().st_size for member in members)
    assert (tmp_path / 'half.onnx').stat().st_size < .6 * sizes


def test_members_of_other_units_do_not_fit(repo, trained, members, tmp_path):
    import torch
    _, path, _ = trained
    content = torch.load(path, weights_only=True)
    content['meta']['dataset_meta'] = dict(aus=OTHER, intensity_aus=OTHER)
    torch.save(content, tmp_path / 'other.pth')
    export_onnx(small_config(repo, OTHER), str(tmp_path / 'other.pth'), tmp_path / 'other.onnx')
    with pytest.raises(ValueError, match=r'other.onnx has aus \[1, 12, 26\], .*average.onnx has'):
        join([members[0], tmp_path / 'other.onnx'], tmp_path / 'x.onnx')
    with pytest.raises(ValueError, match='x.pth does not end with .onnx'):
        join(members, tmp_path / 'x.pth')
    with pytest.raises(ValueError, match='no model is named'):
        join([], tmp_path / 'x.onnx')
    assert not list(tmp_path.glob('x.*'))
