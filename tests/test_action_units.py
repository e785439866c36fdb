# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The vocabulary."""

import json

import pytest

from fmae_iat_plugin.action_units import ACTION_UNITS, au_name, parse_au


def test_every_au_of_the_data_sets_is_named(repo):
    for path in (repo / 'fmae_iat_plugin/datasets/protocols').glob('*.json'):
        for au in json.loads(path.read_text())['aus']:
            assert ACTION_UNITS[au].number == au


@pytest.mark.parametrize('number, name', [(1, 'Inner brow raiser'), (6, 'Cheek raiser'),
                                          (12, 'Lip corner puller'), (24, 'Lip pressor')])
def test_names_are_those_of_facs(number, name):
    assert ACTION_UNITS[number].name == name


@pytest.mark.parametrize('text', [12, '12', 'AU12', 'au12', ' AU12 '])
def test_parse(text):
    assert au_name(parse_au(text)) == 'AU12'


@pytest.mark.parametrize('text', ['AU99', 0, 3, 'AU', 'smile', -1, True, 1.5])
def test_unknown_au_is_named(text):
    with pytest.raises(ValueError, match='unknown action unit') as error:
        parse_au(text)
    assert repr(text) in str(error.value)
