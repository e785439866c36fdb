# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every form of the adversary on two gloo processes equals the same on one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from faces import write_faces

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HEAD = 'model.adversary.head'
FORMS = {
    'bce_centred': [f'{HEAD}.loss=bce_centred'],
    'confusion': [f'{HEAD}.loss=confusion', f'{HEAD}.per_subject=True',
                  "optim_wrapper.paramwise_cfg.lr_mult={'adversary.head': 3.0}"],
    'closed_form': [f'{HEAD}.loss=ce', f'{HEAD}.fit=closed_form', f'{HEAD}.bank=32',
                    f'{HEAD}.shrinkage=1.0', 'model.adversary.neck.scale=0.01'],
    'steps': [f'{HEAD}.loss=ce', f'{HEAD}.bank=16',
              "custom_hooks=[{'type': 'ParityRecorder'}, {'type': 'HeadStepsHook', 'steps': 2, "
              "'batch_size': 8}]"]}


def launch(command, faces, work_dir, options):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        'PYTHONPATH': f'{ROOT}:{HERE}', 'PORT': str(port), 'MASTER_ADDR': '127.0.0.1',
        'NNODES': '1', 'NODE_RANK': '0', 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    config = faces / 'form.py'
    config.write_text(f'_base_ = [{str(HERE / "parity_config.py")!r}]\n')
    lines = [option.split('=', 1) for option in options]
    for key, value in lines:
        if value[0] in '[{':  # not a value that the command line can write
            root, *path = key.split('.')
            for part in reversed(path):
                value = f'{{{part!r}: {value}}}'
            config.write_text(config.read_text() + f'{root} = {value}\n')
    plain = ['='.join(line) for line in lines if line[1][0] not in '[{']
    return subprocess.run(
        [*command, '--work-dir', str(work_dir), '--cfg-options',
         f'train_dataloader.dataset.data_root={faces}', 'train_dataloader.batch_size=4',
         'optim_wrapper.optimizer.lr=2e-3', 'train_cfg.max_epochs=2', *plain],
        cwd=faces, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize('form', FORMS)
def test_two_processes_are_one(form, tmp_path, read_trained, assert_same_weights):
    write_faces(tmp_path, empty=0.3, missing=0.3, unknown=0.3)
    trained = []
    for name, command in (('one', [sys.executable, str(ROOT / 'tools/train.py')]),
                          ('two', ['bash', str(ROOT / 'tools/dist_train.sh')])):
        command = [*command, str(tmp_path / 'form.py'), *(['2'] if name == 'two' else [])]
        result = launch(command, tmp_path, tmp_path / name, FORMS[form])
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-6000:]
        trained.append(read_trained(tmp_path / name))
    one, two = trained
    assert len(two.ranks) == 2 and len(one.steps) == 20
    for step, *parts in zip(one.steps, *two.ranks, strict=True):
        for loss in ('loss_au', 'loss_id'):
            assert sum(part[loss] for part in parts) / 2 == pytest.approx(
                step[loss], rel=1e-4, abs=2e-5)
    if form == 'closed_form':  # the inverse of a covariance of few frames magnifies rounding
        heads = [[part.final.pop(f'adversary.head.fc.{name}') for name in ('weight', 'bias')]
                 for part in (two, one)]
        torch.testing.assert_close(*heads, rtol=1e-2, atol=1e-2)
        assert_same_weights(two.final, one.final, atol=5e-5)
        return
    assert_same_weights(two.final, one.final, atol=5e-5)
    head = 'adversary.head.fc.weight'
    assert (one.final[head] - one.initial[head]).abs().max() > 1e-2
