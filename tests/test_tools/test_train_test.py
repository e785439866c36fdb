# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""tools/train.py and tools/test.py as a user calls them, on a small table."""

import json
import os
import re
import runpy
import subprocess
import sys

import mmpretrain
import numpy as np
import pytest
import torch
from mmengine.config import Config
from small_models import Hostile

from fmae_iat_plugin.engine import launch
from fmae_iat_plugin.evaluation.scores import action_unit_scores
from fmae_iat_plugin.trust import trust_pickle, trusts_pickle

pytestmark = pytest.mark.slow

ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS='1', PYTHONWARNINGS='ignore')


def run(repo, *args, check=True):
    result = subprocess.run([sys.executable, *map(str, args)], cwd=repo, env=ENVIRONMENT,
                            capture_output=True, text=True)
    if check and result.returncode:
        raise AssertionError(result.stdout[-2000:] + result.stderr[-4000:])
    return result


@pytest.fixture
def config(tmp_path, repo, face_table):
    """FMAE-IAT on 24 images of 6 subjects, two folds, 2 epochs: a delta of the laptop's config."""
    generator = np.random.default_rng(0)
    face_table([f'{s}{i}.png,{s},{generator.integers(2)},{generator.choice(["0", "1", ""])}'
                for s in 'ABCDEF' for i in range(4)])
    data = dict(data_root=str(tmp_path), ann_file='annotation.csv', data_prefix='', folds=2,
                fold=1, type='ActionUnitDataset')
    loader = dict(num_workers=0, persistent_workers=False, dataset=data)
    path = tmp_path / 'config.py'
    Config(dict(
        _base_=[f'{repo}/configs/_base_/models/iat_vit-tiny-48px.py',
                f'{repo}/configs/_base_/datasets/faces_48.py',
                f'{repo}/configs/_base_/schedules/finetune.py',
                f'{repo}/configs/_base_/finetune_runtime.py'],
        train_dataloader=dict(loader, batch_size=6), val_dataloader=loader,
        test_dataloader=loader, val_evaluator=dict(type='ActionUnitMetric'),
        test_evaluator=dict(type='ActionUnitMetric'),
        model=dict(backbone=dict(arch=dict(embed_dims=24, num_layers=1, num_heads=2,
                                           feedforward_channels=24, _delete_=True)),
                   head=dict(in_channels=24, num_classes=2),
                   adversary=dict(head=dict(in_channels=24, num_subjects=6))),
        optim_wrapper=dict(_delete_=True, type='OptimWrapper',
                           constructor='LayerDecayOptimWrapperConstructor',
                           optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05)),
        param_scheduler=dict(warmup_epochs=1), train_cfg=dict(max_epochs=2),
        default_hooks=dict(logger=dict(interval=1)))).dump(path)
    return path


def test_train_then_test_then_resume(tmp_path, repo, config, in_process):
    work_dir = tmp_path / 'work'
    out = run(repo, 'tools/train.py', config, '--work-dir', work_dir).stdout
    assert re.search(r'eta:.*loss: .*loss_au: .*loss_id: ', out)
    # the best epoch and the last stand side by side
    names = {path.name for path in work_dir.glob('*.pth')}
    assert 'epoch_2.pth' in names and any(n.startswith('best_paper_f1_epoch_') for n in names)

    file = tmp_path / 'predictions.npz'
    # a plain model tests the checkpoint, and the training data need not be there
    out = run(repo, 'tools/test.py', config, work_dir / 'epoch_2.pth', '--work-dir',
              tmp_path / 'test', '--cfg-options', f'test_evaluator.out_file={file}',
              'model.adversary=None', 'train_dataloader.dataset.ann_file=absent.csv').stdout
    assert '| AU1 ' in out and '| AU2 ' in out and 'F1@0.5' in out  # per AU
    with np.load(file) as stored:
        expected = action_unit_scores(stored['scores'], stored['labels'], ('AU1', 'AU2'))
        assert len(set(stored['subject'])) == 3 and len(stored['scores']) == 12
    logged = json.loads(next((tmp_path / 'test').rglob('20*.json')).read_text())
    for key in ('f1/AU1', 'paper/f1', 'auc/mean', 'accuracy/AU2', 'missing/AU2'):
        assert logged[key] == pytest.approx(expected[key], nan_ok=True)

    out = run(repo, 'tools/train.py', config, '--work-dir', work_dir, '--resume', '--cfg-options',
              'train_cfg.max_epochs=3').stdout
    assert 'resumed epoch: 2' in out and 'Epoch(train) [3]' in out
    assert 'Epoch(train) [1]' not in out and (work_dir / 'epoch_3.pth').exists()

    # two action units fit two outputs, but not in another order: resumed, started from, tested
    turned = [f'{part}_dataloader.dataset.aus=2,1' for part in ('train', 'val', 'test')]
    checkpoint = work_dir / 'epoch_3.pth'
    for command in (
            ['train.py', config, '--work-dir', work_dir, '--resume', '--cfg-options',
             'train_cfg.max_epochs=4', *turned],
            ['train.py', config, '--work-dir', tmp_path / 'other', '--cfg-options',
             f'load_from={checkpoint}', *turned],
            ['test.py', config, checkpoint, '--work-dir', tmp_path / 'test', '--cfg-options',
             *turned]):
        with pytest.raises(ValueError) as refused:
            in_process(*command)
        assert 'has AU1, AU2' in str(refused.value) and 'has AU2, AU1' in str(refused.value)


@pytest.fixture
def in_process(repo, monkeypatch):
    """Function (tool, arguments): runs a tool as its command line does, without a new process."""

    def call(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        runpy.run_path(str(repo / 'tools' / tool), run_name='__main__')

    return call


def test_a_hostile_file_is_refused_by_every_tool(tmp_path, config, in_process, monkeypatch):
    trace, file, work = tmp_path / 'trace', tmp_path / 'hostile.pth', tmp_path / 'work'
    in_process('train.py', config, '--work-dir', work)
    own = work / 'epoch_1.pth'
    content = torch.load(own, weights_only=False)
    assert content['message_hub']['log_scalars']  # histories: objects that hold arrays of numpy
    content['message_hub']['runtime_info']['best_score'] = np.float64(1.5)
    torch.save(content, own)
    content['message_hub']['runtime_info']['more'] = Hostile(trace)
    torch.save(content, file)
    options = ['--work-dir', tmp_path / 'other']
    ways = dict(resume=('train.py', config, *options, '--resume', file),
                load_from=('train.py', config, *options, '--cfg-options', f'load_from={file}'),
                test=('test.py', config, file, *options))
    for old_default in ('', '1'):  # torch.load's weights_only is False before torch 2.6
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', old_default)
        for way in ways.values():
            with pytest.raises(ValueError, match='hostile.pth was refused .*mkdir'):
                in_process(*way)
            assert not trace.exists()
    with pytest.raises(ValueError, match='was refused'):
        mmpretrain.get_model(str(config), pretrained=str(file))
    assert not trace.exists()

    # what MMEngine itself writes is accepted, and a trusted file is run
    in_process('train.py', config, *options, '--resume', own)
    in_process('test.py', config, own, *options)
    with trust_pickle():
        mmpretrain.get_model(str(config), pretrained=str(file))
    for way in ways.values():
        trace.rmdir()
        in_process(*way, '--trust-pickle')
        assert trace.is_dir() and not trusts_pickle()


@pytest.mark.parametrize('tool, options', [
    ('train.py', ['--work-dir', '--resume', '--amp', '--no-validate', '--auto-scale-lr',
                  '--cfg-options', '--launcher']),
    ('test.py', ['--work-dir', '--out', '--show-dir', '--tta', '--cfg-options', '--launcher'])])
def test_options_are_mmpretrains(in_process, capsys, tool, options):
    with pytest.raises(SystemExit) as end:
        in_process(tool, '--help')
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert all(option in out for option in (f'usage: {tool}', '--trust-pickle', *options))


def test_auto_scale_lr_is_refused_in_words(in_process, config):
    """MMEngine would multiply the rate by the number of GPUs although the total batch is fixed."""
    with pytest.raises(SystemExit, match='total over all GPUs.*optim_wrapper.optimizer.lr'):
        in_process('train.py', config, '--auto-scale-lr')


@pytest.mark.parametrize('tool', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh',
                                  'slurm_test.sh'])
def test_shell_tools_say_how_they_are_called(repo, tool):
    for arguments, code in (([], 1), (['--help'], 0)):
        result = subprocess.run(['bash', repo / 'tools' / tool, *arguments], capture_output=True,
                                text=True)
        assert result.returncode == code and f'bash tools/{tool} ' in result.stdout


def test_a_gpu_or_another_launcher_is_left_to_mmengine(monkeypatch):
    monkeypatch.setattr(launch.dist, 'init_process_group', None)  # calling it would fail
    for launcher in ('none', 'mpi'):
        with launch.cpu_process_group(launcher) as created:
            assert created is False
    monkeypatch.setattr(launch.torch.cuda, 'is_available', lambda: True)
    with launch.cpu_process_group('pytorch') as created:
        assert created is False


def test_missing_tools_say_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(launch.mmpretrain, '__file__', str(tmp_path / 'a' / 'b.py'))
    with pytest.raises(FileNotFoundError, match='carries no tools/train.py.*Remedy'):
        launch.mmpretrain_tool('train.py')
