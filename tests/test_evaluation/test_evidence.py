# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The report's numbers and verdicts, on cases whose answer is known."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from fmae_iat_plugin.evaluation import evidence
from fmae_iat_plugin.evaluation.evidence import OPEN, REFUTED, REPRODUCED, Predictions
from fmae_iat_plugin.evaluation.identity_probe import identity_probe

CLASSES = ('AU1', 'AU12')
NAMES = tuple(f'S{k}' for k in range(9))


def predictions(skill, subjects=6, each=40, seed=0):
    rng = np.random.default_rng(0)
    labels = (rng.random((subjects * each, 2)) < 0.4).astype(np.float32)
    noise = np.random.default_rng(seed + 1).normal(0, 0.3, labels.shape)
    scores = np.clip(0.5 + skill * (labels - 0.5) + noise, 0, 1)
    who = np.repeat(np.arange(subjects) + 3, each)
    paths = np.array([f'{k:03d}.png' for k in range(len(who))])
    return Predictions(scores, labels, who, paths, CLASSES, NAMES)


def probe(spread, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(8), 20)
    x = rng.normal(size=(8, 6))[who] * spread + rng.normal(size=(160, 6))
    return identity_probe(x, who, 14, 6)


@pytest.mark.parametrize('interval, expected', [
    ((0.1, 2), REPRODUCED), ((-2, -0.1), REFUTED), ((-1, 1), OPEN), ((0, 1), OPEN),
    ((float('nan'), float('nan')), OPEN)])
def test_verdict(interval, expected):
    assert evidence.verdict(*interval) == expected


@pytest.mark.parametrize('base, ours, expected', [
    (0.2, 0.9, REPRODUCED), (0.9, 0.2, REFUTED)])
def test_f1_claim(base, ours, expected):
    found = {'A': predictions(base), 'B': predictions(ours, seed=5)}
    claim = evidence.f1_claim('A', 'B', found)
    means = [np.mean([f1_score(p.labels[:, k], p.scores[:, k] >= 0.5) for k in range(2)])
             for p in found.values()]
    assert claim['verdict'] == expected
    assert claim['difference'] == pytest.approx(100 * (means[1] - means[0]))
    assert f'A {100 * means[0]:.1f} %, B {100 * means[1]:.1f} %' in claim['sentence']
    assert 'over 6 test subjects' in claim['sentence']


def test_f1_claim_is_open_where_half_of_the_people_gain_what_the_others_lose():
    good, poor = predictions(0.9), predictions(0.2)
    first = good.subjects[:, None] % 2 == 0
    found = {'A': good._replace(scores=np.where(first, good.scores, poor.scores)),
             'B': good._replace(scores=np.where(first, poor.scores, good.scores))}
    assert evidence.f1_claim('A', 'B', found)['verdict'] == OPEN


def test_f1_claim_needs_the_same_frames():
    with pytest.raises(ValueError, match='different frames'):
        evidence.f1_claim('A', 'B', {'A': predictions(1), 'B': predictions(1, each=30)})


def test_identity_claims():
    knows, forgets = probe(3.0), probe(0.0)
    learns, removes = evidence.identity_claims('A', 'B', {'A': knows, 'B': forgets})
    assert (learns['verdict'], removes['verdict']) == (REPRODUCED, REPRODUCED)
    assert f'{100 * knows.logistic.mean():.1f} %' in learns['sentence']
    for kind in ('paper', 'logistic'):
        fall = 100 * (getattr(forgets, kind).mean() - getattr(knows, kind).mean())
        assert f'{fall:+.1f} points' in removes['sentence']
    assert '12.5 %' in removes['sentence']
    assert evidence.identity_claims('A', 'B', {'A': forgets, 'B': knows})[1]['verdict'] == REFUTED
    assert evidence.identity_claims('A', 'B', {'A': knows, 'B': knows})[1]['verdict'] == OPEN


def test_tables_recompute():
    p = predictions(0.6)
    table = evidence.f1_table(p)
    for k, name in enumerate(CLASSES):
        assert table['aus'][name] == pytest.approx(
            100 * f1_score(p.labels[:, k], p.scores[:, k] >= 0.5))
    assert table['mean'] == pytest.approx(np.mean(list(table['aus'].values())))
    assert table['interval'][0] < table['mean'] < table['interval'][1]
    history = [{'step': k, 'paper/f1': v, 'paper/threshold': .1 * k, 'paper/AU1': v - 1,
                'paper/AU12': v + 1} for k, v in ((1, 30), (2, 50), (3, 40))] + [{'loss': 1}]
    best = evidence.paper_table(history, CLASSES)
    assert (best['epoch'], best['mean'], best['aus']) == (2, 50, {'AU1': 49, 'AU12': 51})
    assert evidence.paper_table([{'loss': 1}], CLASSES) is None


def test_samples_are_random_frames_of_all_subjects():
    p = predictions(0.6)
    rows = evidence.sample_frames(p, 8, seed=1)
    assert p.subjects[rows].tolist() == [3, 4, 5, 6, 7, 8, 3, 4] and len(set(rows)) == 8
    assert not np.array_equal(rows, evidence.sample_frames(p, 8, seed=2))
    p.labels[rows[0], 1] = np.nan
    sample = evidence.sample_table({'A': p, 'B': p}, 8, seed=1)[0]
    assert sample['subject'] == 'S3' and sample['path'] == f'{rows[0]:03d}.png'
    assert sample['truth'] == [int(p.labels[rows[0], 0]), None]
    np.testing.assert_allclose(sample['scores']['B'], p.scores[rows[0]], atol=1e-4)


def test_predictions_file(tmp_path):
    p = predictions(0.6, each=3)
    order = np.random.default_rng(0).permutation(18)
    arrays = dict(scores=p.scores[order], labels=p.labels[order], subject=p.subjects[order],
                  img_path=p.paths[order], classes=CLASSES, subjects=NAMES)
    np.savez(tmp_path / 'p.npz', **arrays)
    back = evidence.read_predictions(tmp_path / 'p.npz')
    for got, expected in zip(back, p):
        np.testing.assert_array_equal(got, expected)
    np.savez(tmp_path / 'q.npz', **{**arrays, 'subject': np.full(18, -1)})
    with pytest.raises(ValueError, match='18 frames have no subject'):
        evidence.read_predictions(tmp_path / 'q.npz')
    with pytest.raises(FileNotFoundError, match='out_file'):
        evidence.read_predictions(tmp_path / 'absent.npz')


def test_titles():
    assert evidence.au_titles(CLASSES) == {'AU1': 'Inner brow raiser', 'AU12': 'Lip corner puller'}
