# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The pooled table equals one recomputed from frames and people, loop by loop."""

import numpy as np
import pytest

from fmae_iat_plugin.apis.lambda_sweep import SweepSeed, markdown, summarize

LAMBDAS = (0, 0.02, 2)


@pytest.fixture
def files(tmp_path):
    """Numbers of two seeds with 3 and 5 test subjects, 2 AUs, and the frames behind them."""
    rng, out = np.random.default_rng(0), []
    for seed, people in enumerate((3, 5)):
        numbers = {'lambdas': np.array(LAMBDAS)}
        for value in LAMBDAS:
            name = f'lambda_{value:g}'
            numbers[f'{name}/counts'] = rng.integers(1, 30, (4, people, 2))
            numbers[f'{name}/epochs'] = np.stack([np.arange(2, 14, 2), rng.random(6)])
            numbers[f'{name}/chance'] = np.array(0.25)
            numbers[f'{name}/paper'] = rng.random(people + 4)
            numbers[f'{name}/logistic'] = rng.random(people + 4)
        out.append(tmp_path / f'{seed}.npz')
        np.savez(out[-1], **numbers)
    return out


def test_pooled_numbers_equal_a_loop_over_people(files):
    rows = summarize(files)
    seeds = [np.load(file) for file in files]

    def f1(value, chosen):
        scores = []
        for au in range(2):
            tp = fp = fn = 0
            for seed in chosen:
                for k in range(seed[f'lambda_{value:g}/counts'].shape[1]):
                    a, b, c, _ = seed[f'lambda_{value:g}/counts'][:, k, au]
                    tp, fp, fn = tp + a, fp + b, fn + c
            scores.append(200 * tp / (2 * tp + fp + fn))
        return sum(scores) / 2

    for value, row in zip(LAMBDAS, rows, strict=True):
        assert row['scale'] == value
        assert row['f1'] == pytest.approx(f1(value, seeds))
        assert row['rise'] == pytest.approx(f1(value, seeds) - f1(0, seeds))
        assert row['f1_seeds'] == pytest.approx([f1(value, [seed]) for seed in seeds])
        everybody = [v for seed in seeds for v in seed[f'lambda_{value:g}/paper']]
        plain = [v for seed in seeds for v in seed['lambda_0/paper']]
        assert row['paper'] == pytest.approx(100 * sum(everybody) / len(everybody))
        assert row['paper_fall'] == pytest.approx(100 * (sum(plain) - sum(everybody)) / 16)
        assert row['paper_interval'][0] < row['paper'] < row['paper_interval'][1]
        assert row['chance'] == 25
        for seed, best in zip(seeds, row['best_epochs'], strict=True):
            curve = dict(zip(*seed[f'lambda_{value:g}/epochs']))  # epoch -> F1
            assert curve[best] == max(curve.values())
    assert rows[0]['rise'] == 0 and rows[0]['rise_interval'] == [0, 0]
    table = markdown(rows)
    assert f'| 0.02 | {rows[1]["f1"]:.1f} (' in table
    assert table.count('\n| 2 |') == 2 and table.count('\n| 0 |') == 1


def test_seeds_with_other_lambdas_are_refused(files, tmp_path):
    numbers = dict(np.load(files[1]))
    numbers['lambdas'] = np.array([0, 1])
    np.savez(tmp_path / 'other.npz', **numbers)
    with pytest.raises(ValueError, match='the same lambdas'):
        summarize([files[0], tmp_path / 'other.npz'])


def test_each_lambda_is_a_delta_of_the_quickstart(tmp_path):
    start = SweepSeed(tmp_path, 5, (0, 0.02, 3))
    configs = {name: start.config(name).to_dict() for name in start.lambdas}
    assert configs['lambda_0']['model'].pop('adversary') is None
    for name, scale in (('lambda_0.02', 0.02), ('lambda_3', 3)):
        assert configs[name]['model'].pop('adversary')['neck']['scale'] == scale
    for cfg in configs.values():
        cfg.pop('work_dir')
        assert cfg == configs['lambda_0']
    assert cfg['randomness']['seed'] == 5
