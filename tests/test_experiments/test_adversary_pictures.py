# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What is drawn of several reports."""

import json

import pytest

from fmae_iat_plugin.experiments.adversary_pictures import main, panels, short_names


def block(auc, paper=None, logistic=None):
    def number(value):
        return dict(mean=value, interval=[value - 1, value + 2])

    return dict(auc=number(auc), probe=dict(
        random=None if paper is None else dict(paper=number(paper), logistic=number(99)),
        sequences=None if logistic is None else dict(paper=number(1), logistic=number(logistic))))


REPORTS = [dict(experiments=dict(fmae=block(80, 50, 90), iat=block(82, 30))),
           dict(experiments=dict(fmae=block(81, 51, 91)))]


def test_numbers_go_to_their_panels():
    found = panels(REPORTS, ['fmae', 'iat'])
    assert found == {
        'AUC on unseen people (%)': dict(fmae=[(80, 79, 82), (81, 80, 83)],
                                         iat=[(82, 81, 84), None]),
        "identity, paper's probe (%)": dict(fmae=[(50, 49, 52), (51, 50, 53)],
                                            iat=[(30, 29, 32), None]),
        'identity, logistic, by sequence (%)': dict(fmae=[(90, 89, 92), (91, 90, 93)])}


def test_names_lose_what_all_share():
    assert short_names(['run_fmae', 'run_iat-bce', 'run_iat-ce']) == {
        'run_fmae': 'fmae', 'run_iat-bce': 'iat-bce', 'run_iat-ce': 'iat-ce'}
    assert short_names(['fmae', 'iat']) == dict(fmae='fmae', iat='iat')


@pytest.mark.parametrize('more, message', [
    (['--settings', '0'], '1 settings were named for 2'), (['--experiments', 'x'], "'x'"),
    ([], 'b')])  # the runs beside the last report are missing
def test_errors_are_one_line(tmp_path, capsys, more, message):
    for name, report in zip('ab', REPORTS):
        (tmp_path / f'{name}.json').write_text(json.dumps(report))
    assert main([*(str(tmp_path / f'{name}.json') for name in 'ab'), *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error and error.count('\n') == 1
