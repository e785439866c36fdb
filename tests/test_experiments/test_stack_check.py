# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The checks of an environment: they pass here, and fail where a package answers otherwise."""

import numpy as np
import pytest
import torch

from fmae_iat_plugin.evaluation import ActionUnitMetric
from fmae_iat_plugin.experiments import stack_check
from fmae_iat_plugin.models import AUHead, GradReverse


@pytest.mark.slow
def test_this_environment_passes(capsys):
    assert stack_check.main(['here']) == 0
    row, = capsys.readouterr().out.splitlines()
    name, packages, *cells = [text.strip() for text in row.strip('|').split('|')]
    assert name == 'here' and cells == ['passed'] * len(stack_check.CHECKS)
    assert f'torch {torch.__version__.split("+")[0]}' in packages
    assert f'numpy {np.__version__}' in packages


def test_a_package_that_answers_otherwise_does_not_pass(monkeypatch):
    assert stack_check.cell(stack_check.check_heads) == 'passed'
    monkeypatch.setattr(GradReverse, 'forward', lambda self, feats: feats)
    assert 'the reversed gradient' in stack_check.cell(stack_check.check_heads)
    monkeypatch.setattr(AUHead, 'loss', lambda *_: dict(loss_au=torch.tensor(1.)))
    assert 'the AU loss is 1.0, not' in stack_check.cell(stack_check.check_heads)
    evaluate = ActionUnitMetric.evaluate
    assert stack_check.cell(stack_check.check_metric) == 'passed'
    monkeypatch.setattr(ActionUnitMetric, 'evaluate', lambda self, size: {
        **evaluate(self, size), 'f1/AU1': 51.})
    assert 'not 50 and 100' in stack_check.cell(stack_check.check_metric)


def test_an_error_is_one_cell():
    def check():
        raise RuntimeError('a | b\nc')
    assert stack_check.cell(check) == 'RuntimeError: a / b c'
