# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The tables hold the numbers of the stored predictions, in every format."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score

from fmae_iat_plugin.experiments.compare import main
from fmae_iat_plugin.experiments.run_results import write_results

pytestmark = pytest.mark.slow

AUS = ('AU1', 'AU2', 'AU4', 'AU6', 'AU9', 'AU12', 'AU25', 'AU26')  # DISFA's
SKILL = {'fmae': 1., 'iat_50%': 1.6}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Two experiments, two seeds, two folds: what cross_validate.py leaves; and the predictions."""
    root, stored = tmp_path_factory.mktemp('runs'), {}
    for e, (name, skill) in enumerate(SKILL.items()):
        for seed in (0, 1):
            for fold in (1, 2):
                rng = np.random.default_rng([e, seed, fold])
                truth = np.random.default_rng(fold)
                subjects = np.repeat(np.arange(6) + 6 * (fold - 1), 30)
                labels = (truth.random((180, 8)) < .4).astype(np.float32)
                logits = (2 * labels - 1) * skill + rng.normal(0, 1.5, labels.shape)
                scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
                place = root / name / f'fold{fold}_seed{seed}'
                (place / 'time' / 'vis_data').mkdir(parents=True)
                (place / 'run.json').write_text(json.dumps(dict(
                    experiment=name, config='c.py', fold=fold, seed=seed, work_dir='moved',
                    options={}, digest='x')))
                np.savez(place / 'predictions.npz', scores=scores, labels=labels, subject=subjects,
                         img_path=np.array([f'{fold}/{k}.png' for k in range(180)]),
                         classes=np.array(AUS), subjects=np.array([f'S{k}' for k in range(12)]))
                epochs = [dict(step=k, **{'paper/f1': 50 + k + seed, 'paper/threshold': .3},
                               **{f'paper/{au}': 40. + k + fold for au in AUS}) for k in (1, 2)]
                (place / 'time' / 'vis_data' / 'scalars.json').write_text(
                    '\n'.join(map(json.dumps, epochs)))
                stored[name, seed, fold] = scores, labels
    return root, stored


def numbers(stored, name):
    """Mean over seeds of F1 over the pooled folds, by scikit-learn: mean, then each AU."""
    seeds = []
    for seed in (0, 1):
        scores, labels = (np.concatenate([stored[name, seed, fold][k] for fold in (1, 2)])
                          for k in (0, 1))
        each = [100 * f1_score(labels[:, k], scores[:, k] >= .5) for k in range(8)]
        seeds.append([np.mean(each), *each])
    return np.mean(seeds, axis=0), np.std(seeds, axis=0, ddof=1)


def test_text(folder, capsys):
    root, stored = folder
    assert main([str(root), '--published', 'DISFA', '--test', 'iat_50%', 'fmae']) == 0
    honest, auc, paper, difference, areas = capsys.readouterr().out.split('\n\n')
    assert 'published' not in honest and honest.startswith('F1@0.5')
    for name in SKILL:
        line, = (line for line in honest.splitlines() if line.startswith(name))
        found = np.array([[float(v) for v in cell] for cell in
                          re.findall(r'(\d+\.\d)[*+]? ± (\d+\.\d)', line)])
        np.testing.assert_allclose(found.T, numbers(stored, name), atol=.0501)
    best, = (line for line in honest.splitlines() if line.startswith('iat_50%'))
    assert best.count('*') == 9 and 'fmae' in honest
    lines = paper.splitlines()
    assert [line.split('  ')[0] for line in lines[2:]] == [
        'FMAE (published)', 'FMAE-IAT (published)', 'fmae', 'iat_50%']
    assert '68.7' in lines[2] and '70.1' in lines[3] and '52.5' in lines[4]  # (52 + 53) / 2
    assert '43.5' in lines[4]  # best epoch 2: 42 + fold, folds averaged
    mean = numbers(stored, 'iat_50%')[0][0] - numbers(stored, 'fmae')[0][0]
    cells = difference.splitlines()[2].split()  # mean +11.2 LOW to HIGH
    low, high = float(cells[2]), float(cells[4])
    assert ('significant' in cells) == (low > 0 or high < 0) and low < mean < high and mean > 3
    assert abs(float(difference.splitlines()[2].split()[1]) - mean) <= .0501
    assert 'F1@0.5' in difference and '12 subjects and 2 trainings' in difference
    both = [[np.mean([[100 * roc_auc_score(labels[:, k], scores[:, k]) for k in range(8)]
                      for scores, labels in [[np.concatenate([stored[name, seed, fold][part]
                                                              for fold in (1, 2)])
                                              for part in (0, 1)]]]) for seed in (0, 1)]
            for name in SKILL]
    for name, values in zip(SKILL, both):
        line, = (line for line in auc.splitlines() if line.startswith(name))
        assert f'{np.mean(values):.1f}' in line and f'± {np.std(values, ddof=1):.1f}' in line
    shown = float(areas.splitlines()[2].split()[1])
    assert abs(shown - (np.mean(both[1]) - np.mean(both[0]))) <= .0501 and 'AUC' in areas
    reach = stats.ttest_ind(*both).confidence_interval(.95)
    assert f'noise floor of the mean {(reach.high - reach.low) / 2:.1f}' in areas


def test_the_results_are_of_all_experiments_of_the_folder(folder, tmp_path):
    root, stored = folder
    shutil.copytree(root, tmp_path / 'out')
    text = write_results(str(tmp_path / 'out'))
    rows = list(csv.DictReader((tmp_path / 'out' / 'results.csv').open()))
    assert len(rows) == 8
    for row in rows:
        scores, labels = stored[row['experiment'], int(row['seed']), int(row['fold'])]
        for k, au in enumerate(AUS):
            assert float(row[au]) == pytest.approx(
                100 * f1_score(labels[:, k], scores[:, k] >= .5))
    for name in SKILL:
        mean, spread = numbers(stored, name)
        assert f'{mean[0]:.1f} ± {spread[0]:.1f}' in text
    assert write_results(str(tmp_path / 'empty')) == 'no run is finished\n'


@pytest.mark.parametrize('form,bold,name', [
    ('markdown', r'\*\*(\d+\.\d)\*\*', 'iat_50%'),
    ('latex', r'\\textbf\{(\d+\.\d)\}', r'iat\_50\%'),
    ('html', r'<b>(\d+\.\d)</b>', 'iat_50%')])
def test_other_formats(folder, form, bold, name, tmp_path):
    root, stored = folder
    assert main([str(root), '--format', form, '--out', str(tmp_path / 'table')]) == 0
    honest = (tmp_path / 'table').read_text().split("AUC of the last")[0]
    line, = (line for line in honest.splitlines() if name in line)
    found = [float(value) for value in re.findall(bold, line)]
    np.testing.assert_allclose(found, numbers(stored, 'iat_50%')[0], atol=.0501)


@pytest.mark.parametrize('change,message', [
    (['--test', 'fmae', 'none'], "no experiment 'none'. Remedy: one of fmae, iat_50%"),
    (['--published', 'BP4D'], 'fmae has the AUs AU1'), (['--published', 'CK'], 'no published')])
def test_errors_are_one_line(folder, capsys, change, message):
    assert main([str(folder[0]), *change]) == 2
    assert message in capsys.readouterr().err


def test_no_runs(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert 'holds no finished run' in capsys.readouterr().err
