# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""FSDP and DeepSpeed on two processes do what one process does, and go on from its checkpoints."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from faces import write_faces
from launching import HERE, ROOT, launch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS
from PIL import Image

from fmae_iat_plugin.engine.reconstruction_hook import reconstructions
from fmae_iat_plugin.engine.repeatable import _STEP, seed_here
from fmae_iat_plugin.engine.stopping import STOPPED_CODE

pytestmark = pytest.mark.slow

EPOCH = 10  # iterations


@pytest.fixture(scope='module')
def train(parity_config, tmp_path_factory, read_trained):
    """Returns ``train(work_dir, resume)``: one process, the plain runner."""
    faces = tmp_path_factory.mktemp('faces')
    write_faces(faces, empty=0.7, missing=0.3, unknown=0.3)

    def train(work_dir, resume=None):
        cfg = parity_config(faces, train_dataloader__batch_size=4,
                            optim_wrapper__optimizer__lr=2e-3)
        cfg.train_cfg = dict(type='ResumableEpochLoop', max_epochs=2)
        cfg.update(work_dir=str(work_dir), experiment_name=work_dir.name, load_from=resume,
                   resume=resume is not None)
        Runner.from_cfg(cfg).train()
        return read_trained(work_dir)

    train.faces = faces
    return train


@pytest.fixture(scope='module')
def one(train, tmp_path_factory):
    """The undisturbed training, and its folder."""
    folder = tmp_path_factory.mktemp('one')
    trained = train(folder)
    trained.folder = folder
    return trained


def spread(config, faces, work_dir, *arguments, **variables):
    """Two processes on the config."""
    return launch(['bash', str(ROOT / 'tools' / 'dist_train.sh'), str(HERE / config), '2',
                   *arguments], faces, work_dir, DS_ACCELERATOR='cpu', **variables)


def assert_continues(resumed, one, assert_same_weights, folder):
    """Losses, weights and moments of the last steps are those of the undisturbed training."""
    left = len(resumed.steps)
    for step, *parts in zip(one.steps[-left:], *resumed.ranks, strict=True):
        assert sorted(step['images']) == sorted(name for part in parts for name in part['images'])
        assert all(part['rates'] == step['rates'] for part in parts)
        for name in ('loss_au', 'loss_id', 'loss'):
            mean = sum(part[name] for part in parts) / len(parts)
            assert mean == pytest.approx(step[name], abs=1e-6), name
    assert_same_weights(resumed.final, one.final, atol=1e-5)
    found, wanted = (torch.load(path / 'epoch_2.pth', weights_only=False)['optimizer']
                     for path in (folder, one.folder))
    assert found['param_groups'] == wanted['param_groups']
    assert set(found['state']) == set(wanted['state'])
    for place, moments in wanted['state'].items():
        assert found['state'][place]['step'] == moments['step']
        for name in ('exp_avg', 'exp_avg_sq'):
            torch.testing.assert_close(found['state'][place][name], moments[name],
                                       rtol=0, atol=1e-6)


def test_one_process_goes_on_from_fsdp(one, train, tmp_path, assert_same_weights):
    """Two processes are stopped by a signal within their second epoch."""
    work_dir = tmp_path / 'fsdp'
    stopped = spread('fsdp_config.py', train.faces, work_dir, PREEMPT_AT='13')
    assert str(STOPPED_CODE) in stopped.stderr, stopped.stdout[-2000:] + stopped.stderr[-6000:]
    initial = torch.load(work_dir / 'initial.pth')
    assert_same_weights(initial, one.initial, atol=0)
    within, = work_dir.glob('iter_*.pth')
    resumed = train(tmp_path / 'plain', str(within))
    assert 0 < len(resumed.steps) <= EPOCH - 3
    assert_continues(resumed, one, assert_same_weights, tmp_path / 'plain')


@pytest.mark.parametrize('config', ['fsdp_config.py', 'deepspeed_config.py'])
def test_two_processes_go_on_from_one(config, one, train, tmp_path, read_trained,
                                      assert_same_weights):
    """The newest checkpoint is cut off, so the one before it is taken."""
    if 'deepspeed' in config and find_spec('deepspeed') is None:
        pytest.skip("deepspeed is not installed: pip install 'fmae_iat_plugin[deepspeed]'")
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    shutil.copy(one.folder / 'epoch_1.pth', work_dir)
    (work_dir / 'epoch_2.pth').write_bytes((one.folder / 'epoch_2.pth').read_bytes()[:5000])
    shutil.copy(one.folder / 'initial.pth', work_dir)
    done = spread(config, train.faces, work_dir, '--resume')
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    resumed = read_trained(work_dir)
    assert len(resumed.ranks) == 2 and len(resumed.steps) == EPOCH
    assert_continues(resumed, one, assert_same_weights, work_dir)


@pytest.fixture(scope='module')
def pretrained(train, tmp_path_factory):
    """Work folder of a MAE that two processes trained with FSDP."""
    work_dir = tmp_path_factory.mktemp('mae')
    done = spread('sharded_mae_config.py', train.faces, work_dir)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return work_dir


def batch(cfg, faces, names):
    """The images of these names, as a loader would give them."""
    data = DATASETS.build({**cfg.train_dataloader.dataset, 'data_root': str(faces)})
    rows = {Path(data.get_data_info(row)['img_path']).name: row for row in range(len(data))}
    return default_collate([data[rows[name]] for name in names])


def test_the_losses_of_fsdp_are_those_of_whole_weights(pretrained, train):
    """The first step, of each rank with its own masks."""
    cfg = Config.fromfile(HERE / 'sharded_mae_config.py')
    model = MODELS.build(cfg.model)
    model.load_state_dict(torch.load(pretrained / 'initial.pth'))
    for rank in range(2):
        step = json.loads((pretrained / f'record_{rank}.json').read_text())[0]
        seed_here(0, _STEP, 0, rank)
        data = model.data_preprocessor(batch(cfg, train.faces, step['images']), True)
        assert step['loss'] == pytest.approx(model(**data, mode='loss')['loss'].item(), rel=1e-5)


def test_the_picture_of_fsdp_is_that_of_whole_weights(pretrained, train):
    cfg = Config.fromfile(HERE / 'sharded_mae_config.py')
    model = MODELS.build(cfg.model)
    saved = torch.load(pretrained / 'epoch_2.pth', weights_only=False)
    model.load_state_dict(saved['state_dict'])
    names = json.loads((pretrained / 'record_0.json').read_text())[0]['images']
    wanted = reconstructions(model, batch(cfg, train.faces, names)['inputs'][:2]).numpy()
    path, = pretrained.rglob('reconstruction_2.png')
    assert np.abs(np.asarray(Image.open(path)).astype(int) - wanted).max() <= 1


def test_the_log_of_fsdp_counts_the_whole_model(pretrained):
    """FLOPs are those of all weights, not of a share; nothing was refused in silence."""
    text = next(pretrained.glob('*/*.log')).read_text()
    assert 'blocks are compiled' in text and 'mfu' in text
    assert 'FLOPs are not counted' not in text
