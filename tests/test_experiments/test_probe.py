# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The probe of a checkpoint: that of its features; during a training it changes no weight."""

import copy
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, MODELS
from PIL import Image

from fmae_iat_plugin.evaluation import identity_probe
from fmae_iat_plugin.experiments.probe import RANDOM, SEQUENCES, main
from fmae_iat_plugin.visualization import metric_by_epoch

pytestmark = pytest.mark.slow

pytest.importorskip('sklearn', reason="needs the extra 'analysis'")


@pytest.fixture(scope='module')
def config(repo, tmp_path_factory):
    """Four people whose brightness differs, three sequences each; the config's path."""
    root, rng = tmp_path_factory.mktemp('table'), np.random.default_rng(0)
    lines = ['image,subject,sequence,AU1']
    for k in range(96):
        pixels = rng.integers(0, 160, (48, 48, 3), dtype=np.uint8) + np.uint8(20 * (k % 4))
        Image.fromarray(pixels).save(root / f'{k}.png')
        lines.append(f'{k}.png,S{k % 4},T{k // 4 % 3},{k % 3 // 2}')
    (root / 'annotation.csv').write_text('\n'.join(lines) + '\n')
    table = dict(data_root=str(root), data_prefix='', folds=2, fold=1, aus=(1, ))
    loader = dict(num_workers=0, persistent_workers=False, dataset=table)
    (root / 'small.py').write_text(f'''_base_ = ['{repo}/configs/custom/own_table_tiny_48px.py']
train_dataloader = dict(batch_size=16, **{loader})
val_dataloader = dict(**{loader})
test_dataloader = dict(**{loader})
model = dict(backbone=dict(arch=dict(num_layers=1)), head=dict(num_classes=1),
             adversary=dict(head=dict(num_subjects=4)))
train_cfg = dict(max_epochs=2, val_interval=2)
param_scheduler = dict(warmup_epochs=1)
log_level = 'WARNING'
''')
    return str(root / 'small.py')


@pytest.fixture(scope='module')
def trained(config, tmp_path_factory):
    """(folder, folder of the same training with the hook)."""
    folders = []
    for hooks in ([], [dict(type='IdentityProbeHook', train=8, test=4, seed=3)]):
        cfg = Config.fromfile(config)
        cfg.custom_hooks = [*cfg.custom_hooks, *hooks]
        cfg.work_dir = str(tmp_path_factory.mktemp('run'))
        Runner.from_cfg(copy.deepcopy(cfg)).train()
        folders.append(cfg.work_dir)
    return folders


def features(config, checkpoint):
    cfg = Config.fromfile(config)
    model = MODELS.build({**cfg.model, 'pretrained': None}).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=False)['state_dict'])
    data = DATASETS.build({**cfg.test_dataloader.dataset, 'split': 'all'})
    with torch.no_grad():
        batch = model.data_preprocessor(default_collate([data[k] for k in range(len(data))]))
        rows = model.extract_feat(batch['inputs'])[-1].numpy()
    return rows, np.array([data.get_data_info(k)['subject'] for k in range(len(data))])


def test_the_command(config, trained, tmp_path, capsys):
    checkpoint = f'{trained[0]}/epoch_2.pth'
    assert main([config, checkpoint, '--train', '8', '--test', '4', '--seed', '3', '--device',
                 'cpu', '--workers', '0', '--out', str(tmp_path / 'probe.json')]) == 0
    table = json.loads((tmp_path / 'probe.json').read_text())
    rows, subjects = features(config, checkpoint)
    names = np.array([f'T{k // 4 % 3}' for k in range(96)])
    for split, sequences in ((RANDOM, None), (SEQUENCES, names)):
        probe = identity_probe(rows, subjects, 8, 4, 3, sequences=sequences)
        for kind in ('paper', 'logistic'):
            assert table[split][kind]['accuracy'] == pytest.approx(100 * probe.accuracy(kind))
        assert table[split]['chance'] == 25 and table[split]['subjects'] == 4
    said = capsys.readouterr().out
    assert said.count('logistic regression') == 2 and SEQUENCES in said
    assert main([config, 'none.pth', '--device', 'cpu']) == 2
    assert 'none.pth does not exist' in capsys.readouterr().err
    assert main([config, checkpoint, '--device', 'cpu']) == 2  # 24 frames a person
    assert '0 subjects have 70 + 30 frames' in capsys.readouterr().err


def test_the_hook_probes_every_epoch_and_changes_no_weight(config, trained):
    plain, hooked = (torch.load(f'{folder}/epoch_2.pth', weights_only=False)['state_dict']
                     for folder in trained)
    assert all(torch.equal(plain[name], hooked[name]) for name in plain)
    epochs, values = metric_by_epoch(trained[1], 'identity/logistic')
    assert epochs.tolist() == [1, 2]
    for epoch, value in zip(epochs, values):
        probe = identity_probe(*features(config, f'{trained[1]}/epoch_{epoch}.pth'), 8, 4, 3)
        assert value == pytest.approx(100 * probe.accuracy('logistic'))
