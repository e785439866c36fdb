# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""References are made of the trained encoder: features and refitted heads by scikit-learn."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmpretrain.registry import DATASETS, MODELS
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from fmae_iat_plugin.evaluation.identity_probe import logistic_probe
from fmae_iat_plugin.experiments import compare
from fmae_iat_plugin.experiments.ablations import kinds, run_dump
from fmae_iat_plugin.experiments.cross_validation import plan_runs, train_and_test
from fmae_iat_plugin.experiments.references import main

pytestmark = pytest.mark.slow
pytest.importorskip('concept_erasure', reason="needs the extra 'interpret'")

OPTIONS = {
    'train_cfg.max_epochs': 2, 'param_scheduler.warmup_epochs': 1, 'train_cfg.val_interval': 2,
    'train_dataloader.batch_size': 16, 'model.backbone.arch.num_layers': 1,
    **{f'{name}_dataloader.{key}': value for name in ('train', 'val', 'test')
       for key, value in (('num_workers', 0), ('persistent_workers', False))}}


@pytest.fixture(scope='module')
def made(repo, tmp_path_factory):
    """The trained run and the folder of all runs."""
    root, rng = tmp_path_factory.mktemp('table'), np.random.default_rng(0)
    lines = ['image,subject,AU1,AU12']
    for k in range(144):
        label = rng.integers(0, 2, 2)
        pixels = rng.integers(0, 120, (48, 48, 3), dtype=np.uint8)
        pixels[:24] += np.uint8(70 * label[0])
        pixels[:, :24] += np.uint8(10 * (k % 6))
        Image.fromarray(pixels).save(root / f'{k}.png')
        lines.append(f'{k}.png,S{k % 6},{label[0]},{label[1]}')
    (root / 'annotation.csv').write_text('\n'.join(lines) + '\n')
    table = dict(data_root=str(root), data_prefix='', folds=3, aus=(1, 12))
    config = root / 'small.py'
    config.write_text(f'''_base_ = ['{repo}/configs/custom/own_table_tiny_48px.py']
train_dataloader = dict(dataset=dict(**{table}))
val_dataloader = dict(dataset=dict(**{table}))
test_dataloader = dict(dataset=dict(**{table}))
model = dict(head=dict(num_classes=2), adversary=None)
''')
    out = tmp_path_factory.mktemp('out')
    run, = plan_runs([str(config)], [0], str(out), folds=[1], options=OPTIONS)
    train_and_test(run)
    assert main([str(out), 'small']) == 0
    return run, out


def features(run, split):
    """Of the trained encoder, one image at a time."""
    cfg = Config.fromfile(Path(run.work_dir, 'small.py'))
    model = MODELS.build(cfg.model).eval()
    load_checkpoint(model, str(Path(run.work_dir, 'epoch_2.pth')), map_location='cpu')
    data = DATASETS.build({**cfg.test_dataloader.dataset, 'split': split})
    rows = []
    with torch.no_grad():
        for k in range(len(data)):
            batch = dict(inputs=[data[k]['inputs']], data_samples=[data[k]['data_samples']])
            rows.append(model.extract_feat(model.data_preprocessor(batch, False)['inputs'])[-1][0])
    infos = [data.get_data_info(k) for k in range(len(data))]
    return (torch.stack(rows).numpy(), np.stack([info['gt_score'] for info in infos]),
            np.array([info['subject'] for info in infos]))


def test_the_refitted_head_is_scikit_learns(made):
    run, out = made
    (x, labels, _), (new, truth, who) = features(run, 'train'), features(run, 'test')
    found = np.load(out / 'small-refit' / 'fold1_seed0' / 'predictions.npz')
    scaler = StandardScaler().fit(x)
    for au in range(2):
        head = LogisticRegression(max_iter=2000).fit(scaler.transform(x), labels[:, au])
        np.testing.assert_allclose(found['scores'][:, au],
                                   head.predict_proba(scaler.transform(new))[:, 1], atol=1e-3)
    np.testing.assert_array_equal(found['labels'], truth)
    assert found['subject'].tolist() == who.tolist()


def test_the_erased_feature_does_not_tell_training_people_apart(made):
    run, out = made
    plain, erased = (np.load(out / name / 'fold1_seed0' / 'features.npz')
                     for name in ('small-refit', 'small-leace'))
    tested = set(np.load(run.predictions)['subject'].tolist())
    rows = np.array([k not in tested for k in plain['subjects']])
    who = np.unique(plain['subjects'][rows], return_inverse=True)[1]
    assert rows.all() == (not tested) and len(set(who)) == 4
    for data, known in ((plain, True), (erased, False)):
        x = data['features'][rows]
        accuracy = (logistic_probe(x, who, x).argmax(1) == who).mean()
        assert (accuracy > .65) == known, accuracy  # chance is .25, and a fit to noise adds to it
    np.testing.assert_array_equal(plain['features'], np.load(run.features)['features'])


def test_references_are_rows_beside_the_others_and_no_ablations(made, capsys):
    run, out = made
    experiments = compare.collect([str(out)])
    assert sorted(experiments) == ['small', 'small-leace', 'small-refit']
    base = run_dump(experiments['small'][0])
    for name in ('small-leace', 'small-refit'):
        assert kinds(run_dump(experiments[name][0]), base, base) == ()
        note = json.loads((out / name / 'fold1_seed0' / 'run.json').read_text())
        assert note['experiment'] == name and note['seed'] == 0
    assert compare.main([str(out), '--test', 'small-leace', 'small-refit']) == 0
    assert 'holds for this checkpoint' in capsys.readouterr().out
    assert main([str(out), 'none']) == 2
    assert "no finished run of 'none'" in capsys.readouterr().err
