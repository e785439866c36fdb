# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RTATL on two processes equals RTATL on one, unlabelled frames and flow unevenly spread."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from faces import read_batch, write_faces

from fmae_iat_plugin.datasets.landmarks import write_landmarks
from fmae_iat_plugin.datasets.mean_shape import MEAN_SHAPE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOSSES = ('loss_au', 'loss_flow', 'loss_inpainting', 'loss_id', 'loss')


def write_beside(folder):
    """Landmarks of three quarters of the images, flow of a third."""
    rng = np.random.default_rng(0)
    names = [f'{number:03d}.png' for number in range(40)]
    points = [MEAN_SHAPE * (60, 52) + rng.normal(0, 2, (68, 2)) if rng.random() < .75 else None
              for _ in names]
    write_landmarks(folder / 'landmarks.csv', names, [(60, 52)] * 40, points)
    moving = [name for name in names if rng.random() < .33]
    (folder / 'flow' / 'sequences').mkdir(parents=True)
    np.save(folder / 'flow' / 'sequences' / '0.npy',
            rng.normal(0, 1, (len(moving), 13, 15, 2)).astype(np.float16))
    (folder / 'flow' / 'flow.csv').write_text('image,file,row,width,height\n' + ''.join(
        f'{name},0.npy,{row},60,52\n' for row, name in enumerate(moving)))
    return set(moving)


def launch(command, faces, work_dir):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        'PYTHONPATH': f'{ROOT}:{HERE}', 'PORT': str(port), 'MASTER_ADDR': '127.0.0.1',
        'NNODES': '1', 'NODE_RANK': '0', 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    return subprocess.run(
        [*command, '--work-dir', str(work_dir), '--cfg-options',
         f'train_dataloader.dataset.data_root={faces}', 'train_dataloader.batch_size=4',
         'optim_wrapper.optimizer.lr=2e-3', 'train_cfg.max_epochs=2'],
        cwd=faces, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope='module')
def runs(tmp_path_factory, read_trained):
    faces = tmp_path_factory.mktemp('faces')
    write_faces(faces, empty=0.7, missing=0.3, unknown=0.3)
    moving = write_beside(faces)
    config, trained = str(HERE / 'rtatl_config.py'), []
    for command in ([sys.executable, str(ROOT / 'tools' / 'train.py'), config],
                    ['bash', str(ROOT / 'tools' / 'dist_train.sh'), config, '2']):
        work_dir = tmp_path_factory.mktemp('work')
        result = launch(command, faces, work_dir)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-6000:]
        trained.append(read_trained(work_dir))
    return faces, moving, *trained


def test_labels_and_flow_are_unevenly_spread(runs):
    faces, moving, one, two = runs
    assert len(two.ranks) == 2 and len(one.steps) == 20
    labelled, flowing = set(), set()
    for step, *parts in zip(one.steps, *two.ranks, strict=True):
        assert sorted(step['images']) == sorted(parts[0]['images'] + parts[1]['images'])
        coded = [int((~read_batch(faces, part['images'])[1].isnan()).sum()) for part in parts]
        labelled.add((min(coded) == 0) + (max(coded) == 0))
        moved = [len(moving & set(part['images'])) for part in parts]
        flowing.add((min(moved) == 0) + (max(moved) == 0))
    assert labelled == {0, 1, 2} and {1, 2} <= flowing


def test_losses_averaged_over_the_processes_are_those_of_one(runs):
    *_, one, two = runs
    for step, *parts in zip(one.steps, *two.ranks, strict=True):
        for name in LOSSES:
            mean = sum(part[name] for part in parts) / 2
            assert mean == pytest.approx(step[name], rel=1e-5, abs=1e-6), name
    assert all(max(step[name] for step in one.steps) > 0 for name in LOSSES)


def test_weights_are_those_of_one(runs, assert_same_weights):
    *_, one, two = runs
    assert_same_weights(two.initial, one.initial, atol=0)
    moved = {name: (one.final[name] - one.initial[name]).abs().max() for name in one.final}
    moved.pop('neck.mean_shape')
    assert min(moved.values()) > 1e-5, json.dumps({k: float(v) for k, v in moved.items()})
    assert_same_weights(two.final, one.final, atol=1e-5)
