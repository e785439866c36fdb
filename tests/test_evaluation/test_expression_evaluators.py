# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The evaluators that fmae_iat_plugin.evaluation prescribes for expressions count correctly."""
import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.registry import METRICS
from mmpretrain.structures import DataSample

import fmae_iat_plugin.evaluation

EVALUATORS = [
    dict(type='Accuracy', topk=1),
    dict(type='SingleLabelMetric', items=('recall', )),
    dict(type='SingleLabelMetric', items=('recall', ), average=None),
]


def test_accuracy_and_mean_class_accuracy_by_hand():
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(7), (50, 5, 20, 10, 3, 8, 4))  # imbalanced, as RAF-DB is
    score = torch.from_numpy(rng.dirichlet(np.ones(7), len(label)))
    score[np.arange(len(label)), label] += torch.from_numpy(0.6 * rng.random(len(label)))
    score = (score / score.sum(1, keepdim=True)).float()
    evaluator = Evaluator([METRICS.build(dict(cfg, _scope_='mmpretrain')) for cfg in EVALUATORS])
    samples = [DataSample().set_gt_label(int(y)).set_pred_score(s) for y, s in zip(label, score)]
    for start in range(0, len(samples), 32):  # the last batch is smaller
        evaluator.process(samples[start:start + 32])
    metrics = evaluator.evaluate(len(samples))

    correct = score.numpy().argmax(axis=1) == label
    per_class = [100 * correct[label == c].mean() for c in range(7)]
    assert 0 < np.std(per_class)
    np.testing.assert_allclose(metrics['accuracy/top1'], 100 * correct.mean(), rtol=1e-6)
    np.testing.assert_allclose(metrics['single-label/recall'], np.mean(per_class), rtol=1e-6)
    np.testing.assert_allclose(metrics['single-label/recall_classwise'], per_class, rtol=1e-6)
    assert abs(metrics['accuracy/top1'] - metrics['single-label/recall']) > 1


def test_the_documented_list_is_the_tested_one():
    documented = fmae_iat_plugin.evaluation.__doc__
    for cfg in EVALUATORS:
        arguments = ', '.join(f'{key}={value!r}' for key, value in cfg.items())
        assert f'dict({arguments})'.replace(',)', ', )') in documented
