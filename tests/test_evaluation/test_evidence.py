# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is read off stored predictions, on cases whose answer is known."""

import numpy as np

from fmae_iat_plugin.evaluation import evidence
from fmae_iat_plugin.evaluation.predictions import Predictions

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


def test_the_papers_epoch_is_the_best():
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


def test_titles():
    assert evidence.au_titles(CLASSES) == {'AU1': 'Inner brow raiser', 'AU12': 'Lip corner puller'}
