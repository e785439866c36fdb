# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The metric of intensities: each frame once, the numbers of its definitions, errors in words."""

import numpy as np
import pytest
import torch
from mmpretrain.registry import METRICS
from mmpretrain.structures import DataSample

from fmae_iat_plugin.evaluation.intensity_scores import agreement

RNG = np.random.default_rng(0)
CODED = RNG.integers(0, 6, (40, 2)).astype(np.float32)
CODED[::7, 1] = np.nan
PREDICTED = np.clip(np.nan_to_num(CODED, nan=2.) + RNG.normal(0, 1, CODED.shape), 0, 5)


def metric():
    built = METRICS.build(dict(type='ActionUnitIntensityMetric'))
    built.dataset_meta = dict(intensity_aus=(6, 12), aus=(1, 6, 12))
    return built


def sample(row, predicted=None, coded=None):
    made = DataSample(metainfo=dict(img_path=f'{row}.jpg', sample_idx=row))
    made.set_field(torch.tensor(PREDICTED[row] if predicted is None else predicted),
                   'pred_intensity')
    made.set_field(CODED[row] if coded is None else coded, 'gt_intensity')
    return made.to_dict()


def test_numbers_of_all_batches_with_each_frame_once():
    built = metric()
    for first in range(0, 40, 8):
        built.process(None, [sample(row) for row in range(first, first + 8)])
    built.process(None, [sample(3), sample(4)])  # padding of the ranks
    scores = built.evaluate(40)
    for column, name in enumerate(('AU6', 'AU12')):
        wanted = agreement(PREDICTED[:, column], CODED[:, column])
        for key in ('icc', 'pearson', 'mse', 'mae'):
            assert scores[f'{key}/{name}'] == pytest.approx(wanted[key], abs=1e-6)
    assert scores['intensity_coded/AU6'] == 40
    assert scores['intensity_coded/AU12'] == 40 - len(range(0, 40, 7))
    assert scores['icc/mean'] == pytest.approx((scores['icc/AU6'] + scores['icc/AU12']) / 2)


@pytest.mark.parametrize('broken,words', [
    (dict(predicted=[1., 6.]), 'sample 0 .0.jpg.: pred_intensity .* not within 0..5'),
    (dict(predicted=[1., float('nan')]), 'pred_intensity .* not within'),
    (dict(coded=np.array([1., 2., 3.], np.float32)), 'gt_intensity has shape .3,.'),
    (dict(coded=np.array([-1., 2.], np.float32)), 'gt_intensity .* not within')])
def test_unusable_samples_are_named(broken, words):
    with pytest.raises(ValueError, match=words):
        metric().process(None, [sample(0, **broken)])


def test_what_is_missing_is_said():
    with pytest.raises(ValueError, match='no pred_intensity. Remedy: model.intensity_head'):
        metric().process(None, [dict(sample_idx=0)])
    without = METRICS.build(dict(type='ActionUnitIntensityMetric'))
    without.dataset_meta = dict(aus=(1, ))
    with pytest.raises(ValueError, match='gives no intensities. Remedy'):
        without.process(None, [sample(0)])
    with pytest.raises(ValueError, match='reached ActionUnitIntensityMetric'):
        metric().evaluate(1)
