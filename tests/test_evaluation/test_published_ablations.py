# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The published ablations, typed again; and what the configs' metafiles say of them."""

import pytest

from fmae_iat_plugin.evaluation.comparison import published_rows
from fmae_iat_plugin.evaluation.published_ablations import published_ablation


def test_lambda():
    found = published_ablation('lambda')
    assert found.values == {0: 68.33, .02: 68.6, 1: 69.26, 2: 69.57, 3: 69.47}
    assert found.best_epoch == {0: 2, .02: 10, 1: 20, 2: 21, 3: 27}
    assert found.id_loss == {}
    assert found.source.endswith('Table 5, BP4D, fold 2')
    assert 'Identity Adversarial' in found.source


def test_lambda_over_the_data_sets():
    found = published_ablation('lambda_data_sets')
    assert list(found.values) == ['BP4D', 'BP4D+', 'DISFA']
    table = ('0   68.81 65.45 71.06\n'
             '0.5 69.22 66.58 73.48\n'
             '1   69.26 66.66 73.23\n'
             '2   69.57 66.62 73.01')
    for row in table.splitlines():
        key, *values = map(float, row.split())
        assert [column[key] for column in found.values.values()] == values
    assert {len(column) for column in found.values.values()} == {4}
    same = published_ablation('lambda').values
    for key in (1, 2):  # where both tables name lambda on BP4D with an adversary
        assert found.values['BP4D'][key] == same[key]


def test_identity_heads():
    found = published_ablation('head')
    rows = {layers: (found.values[layers], found.id_loss[layers], found.best_epoch[layers])
            for layers in found.values}
    assert rows == {1: (69.57, .152, 21), 2: (69, .096, 7), 3: (68.9, .085, 6)}
    assert found.values[1] == published_ablation('lambda').values[2]  # the same run


def test_sizes():
    found = published_ablation('size')
    assert found.values == {'FMAE': {'ViT-S': 63, 'ViT-B': 65.4, 'ViT-L': 66.6},
                            'MAE, ImageNet-1k': {'ViT-B': 64.5, 'ViT-L': 65.7}}
    rows = {row.name: row.values[0] for row in published_rows('BP4D')[0]}
    assert rows['FMAE (published)'] == found.values['FMAE']['ViT-L']


def test_probe_and_expressions():
    probe = published_ablation('probe')
    assert probe.values == {'FMAE': 83, 'FMAE-IAT': 27.9}
    assert '41 people' in probe.source and '70 frames' in probe.source
    expressions = published_ablation('expressions')
    assert expressions.values == {'RAF-DB': 93.45, 'AffectNet-8': 64.79}
    assert '37,553' in expressions.source


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="'epochs'. Remedy: choose one of lambda,"):
        published_ablation('epochs')
