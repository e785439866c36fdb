# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Two accumulated half batches equal the full batch: samples, rates, losses and weights."""

import pytest
from faces import write_faces

pytestmark = pytest.mark.slow


def test_accumulated_halves_equal_the_full_batch(run, assert_same_weights, tmp_path):
    write_faces(tmp_path)
    options = {'optim_wrapper__optimizer__lr': 2e-3, 'train_cfg__max_epochs': 2}
    full = run(tmp_path, **options)
    halves = run(tmp_path, **options, optim_wrapper__accumulative_counts=2,
                 train_dataloader__batch_sampler__accumulative_counts=2)
    assert len(full.steps) == 10 and len(halves.steps) == 20
    assert_same_weights(halves.initial, full.initial, atol=0)
    for number, step in enumerate(full.steps):
        first, second = halves.steps[2 * number:2 * number + 2]
        assert len(first['images']) == len(second['images']) == 4
        assert first['images'] + second['images'] == step['images']
        assert first['rates'] == second['rates']  # held over the window
        assert first['rates'] == pytest.approx(step['rates'], rel=1e-12)
        for name in ('loss_au', 'loss_id'):
            mean = (first[name] + second[name]) / 2
            assert mean == pytest.approx(step[name], abs=1e-6)
    assert_same_weights(halves.final, full.final, atol=1e-6)
