# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Every fold and seed once; a kill changes no number; the means are those of the predictions."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image
from sklearn.metrics import f1_score

from fmae_iat_plugin.evaluation.predictions import read_predictions
from fmae_iat_plugin.experiments import cross_validation, run_plan
from fmae_iat_plugin.experiments.cross_validation import (
    Run,
    cross_validate,
    plan_runs,
    run_config,
    submit,
    train_and_test,
)
from fmae_iat_plugin.experiments.run_results import read_runs, results_text, summarize
from fmae_iat_plugin.files import hold_folder

pytestmark = pytest.mark.slow

OPTIONS = {
    'train_cfg.max_epochs': 2, 'param_scheduler.warmup_epochs': 1, 'train_cfg.val_interval': 1,
    'train_dataloader.batch_size': 8, 'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False, 'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False, 'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False, 'model.backbone.arch.num_layers': 1}


@pytest.fixture(scope='module')
def config(repo, tmp_path_factory):
    """A config of a table of 6 people, two folds."""
    root, rng, lines = tmp_path_factory.mktemp('table'), np.random.default_rng(0), []
    (root / 'faces').mkdir()
    for k in range(48):
        label = rng.integers(0, 2, 2)
        pixels = rng.integers(0, 120, (48, 48, 3), dtype=np.uint8)
        pixels[:24] += np.uint8(100 * label[0])
        Image.fromarray(pixels).save(root / 'faces' / f'{k}.png')
        lines.append(f'{k}.png,S{k % 6},{label[0]},{label[1]}\n')
    (root / 'annotation.csv').write_text('image,subject,AU1,AU12\n' + ''.join(lines))
    path = root / 'small.py'
    table = dict(data_root=str(root), folds=2, aus=(1, 12))
    path.write_text(f'''_base_ = ['{repo}/configs/custom/own_table_tiny_48px.py']
train_dataloader = dict(dataset=dict(**{table}))
val_dataloader = dict(dataset=dict(split='test', **{table}))  # as the paper's configs
test_dataloader = dict(dataset=dict(**{table}))
model = dict(head=dict(num_classes=2), adversary=dict(head=dict(num_subjects=6)))
''')
    return str(path)


@pytest.fixture(scope='module')
def finished(config, tmp_path_factory):
    """Two seeds of two folds, each run in this process."""
    out = tmp_path_factory.mktemp('out')
    runs = plan_runs([config], [0, 1], str(out), options=OPTIONS)
    for run in runs:
        train_and_test(run)
    return runs


def test_the_plan(config, repo, tmp_path):
    runs = plan_runs([config], [3, 5], 'out')
    assert [(run.experiment, run.fold, run.seed) for run in runs] == [
        ('small', 1, 3), ('small', 2, 3), ('small', 1, 5), ('small', 2, 5)]
    again = plan_runs([config], [3], 'out', splits=3)
    assert [(run.split, run.fold) for run in again] == [(k, f) for k in range(3) for f in (1, 2)]
    assert [Path(run.work_dir).name for run in again[:3]] == [
        'fold1_seed3', 'fold2_seed3', 'split1_fold1_seed3']
    loaders = run_config(again[-1])
    assert {loaders[f'{name}_dataloader'].dataset.split_seed
            for name in ('train', 'val', 'test')} == {2}
    assert 'split_seed' not in run_config(again[0]).test_dataloader.dataset
    with pytest.raises(ValueError, match='splits is 0. Remedy'):
        plan_runs([config], [3], 'out', splits=0)
    folds = [str(repo / f'configs/iat/{name}_fold{k}.py') for name in ('bp4d', 'fmae_bp4d')
             for k in (2, 1)]
    runs = plan_runs(folds, [0], 'out', folds=[1, 2])
    assert [(run.experiment, run.fold) for run in runs] == [
        ('bp4d', 1), ('bp4d', 2), ('fmae_bp4d', 1), ('fmae_bp4d', 2)]
    assert [Path(run.config).name for run in runs][:2] == ['bp4d_fold1.py', 'bp4d_fold2.py']
    with pytest.raises(FileNotFoundError, match=r'none\.py does not exist'):
        plan_runs(['none.py'], [0], 'out')
    with pytest.raises(ValueError, match='are fold 1 of bp4d'):
        plan_runs([folds[1], folds[1]], [0], 'out')
    with pytest.raises(ValueError, match='names its folds'):
        plan_runs([str(repo / 'configs/fer/rafdb.py')], [0], 'out')
    with pytest.raises(ValueError, match='all folds would be the same'):
        plan_runs([str(repo / 'configs/fer/rafdb.py')], [0], 'out', folds=[1, 2])
    with pytest.raises(ValueError, match=r'do not have the folds \[3\]'):
        plan_runs([config], [0], 'out', folds=[1, 3])
    with pytest.raises(ValueError, match='share the folder out/small/fold1_seed4'):
        plan_runs([config], [4, 4], 'out')


def test_folds_of_a_config_that_does_not_name_them(repo):
    """Rendered faces: the folder of the data set holds its fold."""
    iat, options = str(repo / 'configs/synthfacs/quickstart_iat.py'), {}
    with pytest.raises(ValueError, match='Remedy: --folds 1 2 3'):
        plan_runs([iat], [0], 'out')
    for loader in run_plan.LOADERS:
        options[f'{loader}.dataset.data_root'] = 'work/faces{fold}'
    runs = plan_runs([iat], [0], 'out', folds=[1, 3], options=options)
    assert [(run.experiment, run.fold) for run in runs] == [
        ('quickstart_iat', 1), ('quickstart_iat', 3)]
    assert [run_config(run).test_dataloader.dataset.data_root for run in runs] == [
        'work/faces1', 'work/faces3']


def test_variants(config):
    key, widths = 'model.adversary.neck.scale', 'model.adversary.head.hidden_dims'
    variants = cross_validation._variants([
        ['weak', f'{key}=0.02'], ['deep', f'{key}=1', f'{widths}=(96,48)'],
        ['one', f'{widths}=(96,)']])
    runs = plan_runs([config], [0], 'out', options={key: 7, 'model.head.thr': .4},
                     variants=variants)
    assert [(run.experiment, run.fold, run.work_dir) for run in runs] == [
        (f'small-{name}', fold, f'out/small-{name}/fold{fold}_seed0')
        for name in ('weak', 'deep', 'one') for fold in (1, 2)]
    found = [run_config(run).model for run in runs[::2]]
    assert [model.adversary.neck.scale for model in found] == [.02, 1, 7]
    assert [tuple(model.adversary.head.get('hidden_dims', ())) for model in found] == [
        (), (96, 48), (96, )]
    assert [model.head.thr for model in found] == [.4] * 3
    for run, model in zip(runs[::2], found):  # a run's process gets it as JSON
        again = Run(**json.loads(json.dumps(run._asdict())))
        assert [layer.out_features for layer in MODELS.build(run_config(again).model)
                .adversary['head'].modules() if isinstance(layer, torch.nn.Linear)] == [
            *model.adversary.head.get('hidden_dims', ()), 6]


@pytest.mark.parametrize('given,message', [
    (['model.a=1'], 'name must come first'), (['a/b', 'x=1'], 'letters, digits'),
    (['', 'x=1'], 'name must come first'), (['a', 'x=1', 'y'], "'y' is not KEY=VALUE"),
    (['a', '=1'], "'=1' is not KEY=VALUE"), (['a'], 'a changes nothing'),
    (['a', 'x=[1,(2]'], '--variant a: Imbalanced brackets'), (['twice', 'x=1'], 'be its own')])
def test_malformed_variants(config, tmp_path, capsys, given, message):
    out = tmp_path / 'out'
    assert cross_validation.main([config, '--out', str(out), '--variant', 'twice', 'y=2',
                                  '--variant', *given]) == 2
    said = capsys.readouterr().err
    assert said.startswith('error: ') and message in said and not out.exists()


def test_a_negative_number_of_feature_frames(config, tmp_path, capsys):
    assert cross_validation.main([config, '--out', str(tmp_path / 'out'), '--feature-frames',
                                  '-5']) == 2
    assert 'error: --feature-frames is -5' in capsys.readouterr().err


def test_fold_seed_and_options_reach_every_part(config):
    run = Run('small', config, 2, 7, 'out/small/fold2_seed7',
              {'model.pretrained': 'pre_{fold}_{seed}.pth', 'train_cfg.max_epochs': 9})
    cfg = run_config(run)
    assert {cfg[name].dataset.fold for name in run_plan.LOADERS} == {2}
    assert cfg.randomness.seed == 7 and cfg.work_dir == run.work_dir
    assert cfg.model.pretrained == 'pre_2_7.pth' and cfg.train_cfg.max_epochs == 9


def test_every_subject_is_tested_once_a_seed(finished, config):
    table = np.loadtxt(Path(config).parent / 'annotation.csv', str, delimiter=',', skiprows=1)
    for seed in (0, 1):
        tested, people = [], []
        for run in finished:
            if run.seed == seed:
                with np.load(run.predictions) as data:
                    tested += [Path(path).name for path in data['img_path']]
                    people.append({f'S{int(Path(path).stem) % 6}' for path in data['img_path']})
        assert sorted(tested) == sorted(table[:, 0]) and not people[0] & people[1]
    assert [Config.fromfile(next(Path(run.work_dir).glob('*.py'))).randomness.seed
            for run in finished] == [0, 0, 1, 1]


def test_features_are_those_of_the_last_checkpoint(finished):
    run = finished[0]
    cfg = run_config(run)
    model = MODELS.build(cfg.model).eval()
    last = Path(run.work_dir, 'epoch_2.pth')
    model.load_state_dict(torch.load(last, weights_only=False)['state_dict'])
    with np.load(run.features) as found:
        assert len(found['paths']) == 48 and len(set(found['paths'])) == 48
        for path, feature in list(zip(found['paths'], found['features']))[::8]:
            pixels = torch.from_numpy(np.array(Image.open(path))).float().permute(2, 0, 1)[None]
            with torch.no_grad():
                faces = model.data_preprocessor(dict(inputs=pixels.flip(1)))['inputs']
                wanted = model.backbone(faces)[-1][0]
            np.testing.assert_allclose(feature, wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_what_a_run_notes(finished):
    import mmengine
    note = json.loads(Path(finished[0].work_dir, 'run.json').read_text())
    assert note['versions']['torch'] == torch.__version__.split('+')[0] or \
        note['versions']['torch'] == torch.__version__
    assert note['versions']['onedl-mmengine'] == mmengine.__version__
    assert (note['experiment'], note['fold'], note['seed']) == ('small', 1, 0)


def test_the_means_are_those_of_the_predictions(finished):
    summary = summarize(finished)
    row = summary['experiments']['small']
    pooled, folds, paper = [], [], []
    for seed in (0, 1):
        data = [np.load(run.predictions) for run in finished if run.seed == seed]

        def f1(parts):
            scores, labels = (np.concatenate([part[key] for part in parts])
                              for key in ('scores', 'labels'))
            return [100 * f1_score(labels[:, k], scores[:, k] >= .5) for k in range(2)]

        pooled.append(np.mean(f1(data)))
        folds.append(np.mean([np.mean(f1([part])) for part in data]))
        np.testing.assert_allclose(list(row['seeds'][seed]['aus'].values()), f1(data))
        best = []
        for run in finished:
            if run.seed == seed:
                files = Path(run.work_dir).glob('*/vis_data/scalars.json')
                lines = [json.loads(line) for file in files
                         for line in file.read_text().splitlines()]
                best.append(max(line['paper/f1'] for line in lines if 'paper/f1' in line))
        paper.append(np.mean(best))
    for key, values in (('pooled', pooled), ('fold_mean', folds), ('paper', paper)):
        np.testing.assert_allclose([row[key]['mean'], row[key]['std']],
                                   [np.mean(values), np.std(values, ddof=1)])
    text = results_text(summary)
    assert f'{np.mean(pooled):.1f} ± {np.std(pooled, ddof=1):.1f}' in text


def test_the_papers_numbers_are_of_the_test_fold_only(finished, tmp_path):
    """A run that was validated on other people has none, whatever its log calls them."""
    run = Run(**{**finished[0]._asdict(), 'work_dir': str(tmp_path / 'run')})
    shutil.copytree(finished[0].work_dir, run.work_dir)
    row, = summarize([run])['runs']
    assert row['paper'] is not None
    note = run.note()
    note['settings']['val_dataloader.dataset.split'] = 'held_out'
    Path(run.work_dir, 'run.json').write_text(json.dumps(note))
    summary = summarize([run])
    assert summary['runs'][0]['paper'] is None
    assert np.isnan(summary['experiments']['small']['paper']['mean'])
    assert results_text(summary).splitlines()[-2].split('|')[-2].strip() == '-'


def test_a_seed_without_a_fold_is_said_and_left_out(finished):
    summary = summarize(finished[:3])
    row = summary['experiments']['small']
    assert row['incomplete'] == [1] and [seed['seed'] for seed in row['seeds']] == [0]
    assert np.isnan(row['pooled']['std'])
    assert 'small: seeds 1 lack a fold' in results_text(summary)


def test_numbers_of_another_config_are_not_given_out(finished, tmp_path, monkeypatch):
    """Finished runs of another learning rate: the setting is named, and nothing is begun."""
    monkeypatch.setattr(cross_validation, '_in_a_process', None)  # calling it would fail
    assert cross_validate(finished) == []  # nothing changed: nothing to do, and no error
    name = 'optim_wrapper.optimizer.lr'
    changed = [run._replace(options={**OPTIONS, name: .25}) for run in finished]
    with pytest.raises(ValueError, match=f'fold1_seed0 was started with another config .*{name}: '
                                         '0.0005 there, 0.25 asked for.*Remedy'):
        cross_validate(changed)
    with pytest.raises(ValueError, match=name):
        train_and_test(changed[0])
    with pytest.raises(ValueError, match=name):
        cross_validation.submit(changed, str(tmp_path / 'out'), 'local')
    assert not (tmp_path / 'out').exists()


def test_a_run_is_one_process_at_a_time(config, tmp_path):
    run = Run('small', config, 1, 0, str(tmp_path / 'run'), OPTIONS)
    with hold_folder(tmp_path / 'run', 'a training'):
        with pytest.raises(ValueError, match='run is in use: a training'):
            train_and_test(run)
        assert not (tmp_path / 'run/run.json').exists()


def test_the_command_says_what_changed(finished, config, capsys):
    out = str(Path(finished[0].work_dir).parents[1])
    options = [f'{key}={value}' for key, value in OPTIONS.items()]
    assert cross_validation.main([config, '--seeds', '0', '1', '--out', out, '--cfg-options',
                                  *options]) == 0
    assert 'small' in capsys.readouterr().out
    assert cross_validation.main([config, '--seeds', '0', '1', '--out', out, '--cfg-options',
                                  *options, 'model.head.thr=.4']) == 2
    told = capsys.readouterr()
    assert told.out == '' and 'model.head.thr: ' in told.err and '0.4 asked for' in told.err


def test_killed_and_run_again(finished, config, tmp_path, repo):
    """SIGKILL in the middle of the second run: the first is not repeated, no number changes."""
    options = [f'{key}={value}' for key, value in OPTIONS.items()]
    command = [sys.executable, str(repo / 'tools/cross_validate.py'), config, '--seeds', '0',
               '--out', str(tmp_path), '--feature-frames', '0', '--cfg-options', *options]
    environment = {**os.environ, 'PYTHONPATH': str(repo)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    second, end = tmp_path / 'small' / 'fold2_seed0', time.monotonic() + 240
    while process.poll() is None and not (second / 'epoch_1.pth').is_file():
        assert time.monotonic() < end
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = tmp_path / 'small' / 'fold1_seed0' / 'predictions.npz'
    before = first.stat().st_mtime_ns
    used = json.loads((first.parent / 'cost.json').read_text())
    assert used['cpu_seconds'] > 0 and used['seconds'] > 0 and used['gpus'] == ''
    assert not list(tmp_path.rglob('features.npz'))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert first.stat().st_mtime_ns == before and 'small' in done.stdout
    assert json.loads((first.parent / 'cost.json').read_text()) == used  # not repeated
    assert (second / 'cost.json').is_file() and not list(tmp_path.rglob('features.npz'))
    again, whole = read_runs(str(tmp_path)), [run for run in finished if run.seed == 0]
    assert [(run.fold, run.seed) for run in again] == [(run.fold, run.seed) for run in whole]
    for ours, theirs in zip(again, whole):  # names what differs, where something does
        found, wanted = (read_predictions(Path(run.work_dir, 'predictions.npz'))
                         for run in (ours, theirs))
        assert found.paths.tolist() == wanted.paths.tolist()
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_array_equal(found.scores, wanted.scores)
    again, whole = summarize(again), summarize(whole)
    assert again == whole or json.dumps(again) == json.dumps(whole)  # NaN is not NaN
    assert json.loads((tmp_path / 'results.json').read_text())['runs'][0]['f1'] == \
        whole['runs'][0]['f1']


def test_a_failed_run_is_named_and_the_others_go_on(finished, tmp_path, monkeypatch):
    runs = [Run('bad', 'none.py', 1, 0, str(tmp_path / 'bad')), *finished[:1]]
    assert cross_validate(runs, workers=2) == runs[:1]
    assert "none.py" in (tmp_path / 'bad' / 'stdout.log').read_text()
    assert not (tmp_path / 'bad' / 'cost.json').exists()


def test_job_arrays(finished, tmp_path):
    """submitit's local cluster stands in for Slurm: a job a run, failures named."""
    pytest.importorskip('submitit', reason="pip install 'fmae_iat_plugin[slurm]'")
    new = finished[0]._replace(work_dir=str(tmp_path / 'new'))
    bad = Run('bad', 'none.py', 1, 0, str(tmp_path / 'bad'))
    assert submit([finished[1], new, bad], str(tmp_path), 'local',
                  parameters=dict(timeout_min=10)) == [bad]
    with np.load(new.predictions) as again, np.load(finished[0].predictions) as before:
        np.testing.assert_array_equal(again['scores'], before['scores'])
    assert len(list((tmp_path / 'jobs').glob('*_result.pkl'))) == 2  # the finished one is no job


@pytest.mark.parametrize('noted', ['epoch_2.pth', 'epoch_1.pth', ''])
def test_a_run_begun_without_resume_may_go_on_with_it(finished, noted):
    """Killed before its test, or before or while MMEngine noted the last of its checkpoints."""
    run = finished[-1]
    with np.load(run.predictions) as data, np.load(run.features) as features:
        before, kept = data['scores'], features['features']
    run.predictions.unlink()
    run.features.unlink()
    Path(run.work_dir, 'last_checkpoint').write_text(noted and str(Path(run.work_dir, noted)))
    train_and_test(run, resume=True)
    with np.load(run.predictions) as data, np.load(run.features) as features:
        np.testing.assert_array_equal(data['scores'], before)
        np.testing.assert_array_equal(features['features'], kept)


def test_one_file_for_all_folds(repo, monkeypatch):
    """FOLD chooses the data and the encoder; a run sets it and restores the environment."""
    monkeypatch.setenv('FOLD', '3')
    paths = [str(repo / 'configs/real_faces/fmae.py'),
             str(repo / 'configs/iat/start_points/fmae-base_bp4d.py')]
    runs = plan_runs(paths, [0], 'out')
    assert [(run.experiment, run.fold) for run in runs] == [
        (name, fold) for name in ('fmae', 'fmae-base_bp4d') for fold in (1, 2, 3)]
    cfg = run_config(runs[1])
    assert cfg.model.pretrained == 'work_dirs/real_faces/pretrain_fold2/epoch_40.pth'
    assert {cfg[key].dataset.fold for key in run_plan.LOADERS} == {2}
    assert Config.fromfile(paths[0]).model.pretrained.split('/')[2] == 'pretrain_fold3'
    assert {Config.fromfile(paths[1])[key].dataset.fold for key in run_plan.LOADERS} == {3}
