# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every form of the adversary on two gloo processes equals the same on one."""

import os
import subprocess
import sys

import pytest
import torch
from faces import write_faces
from launching import HERE, ROOT

pytestmark = pytest.mark.slow

HEAD = 'model.adversary.head'
FORMS = {
    'bce_centred': {f'{HEAD}.loss': 'bce_centred'},
    'confusion': {f'{HEAD}.loss': 'confusion', f'{HEAD}.per_subject': True,
                  'optim_wrapper.paramwise_cfg.lr_mult': {'adversary.head': 3.0}},
    'closed_form': {f'{HEAD}.loss': 'ce', f'{HEAD}.fit': 'closed_form', f'{HEAD}.bank': 32,
                    f'{HEAD}.shrinkage': 1.0, 'model.adversary.neck.scale': 0.01},
    'steps': {f'{HEAD}.loss': 'ce', f'{HEAD}.bank': 16, 'custom_hooks': [
        dict(type='ParityRecorder'), dict(type='HeadStepsHook', steps=2, batch_size=8)]}}
SHORT = {'train_dataloader.batch_size': 4, 'optim_wrapper.optimizer.lr': 2e-3,
         'train_cfg.max_epochs': 2}


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp('forms')
    write_faces(folder, empty=0.3, missing=0.3, unknown=0.3)
    return folder


@pytest.fixture(scope='module')
def by_two(parity_config, read_trained, faces):
    """Form -> its training on two processes, which train all of them."""
    for form, options in FORMS.items():
        cfg = parity_config(faces, **SHORT, **options)
        cfg.update(work_dir=str(faces / form), experiment_name=form, launcher='pytorch')
        cfg.dump(faces / f'{form}.py')
    done = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2',
         str(HERE / 'several.py'), *(str(faces / f'{form}.py') for form in FORMS)],
        cwd=faces, capture_output=True, text=True, timeout=300, env={
            **os.environ, 'PYTHONPATH': f'{ROOT}:{HERE}', 'OMP_NUM_THREADS': '1',
            'CUDA_VISIBLE_DEVICES': ''})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return {form: read_trained(faces / form) for form in FORMS}


@pytest.mark.parametrize('form', FORMS)
def test_two_processes_are_one(form, by_two, faces, run, assert_same_weights):
    one, two = run(faces, **SHORT, **FORMS[form]), by_two[form]
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
