# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The vocabulary."""

import json

import numpy as np
import pytest

from fmae_iat_plugin.action_units import (
    ACTION_UNITS,
    au_name,
    check_same_outputs,
    named_outputs,
    parse_au,
    parse_aus,
)


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


@pytest.mark.parametrize('meta, names', [
    (dict(aus=(2, 'AU1'), classes=('x', 'y')), ('AU2', 'AU1')),
    (dict(classes=['happy', 'sad']), ('happy', 'sad')),
    (dict(aus=(), classes=()), ()), (dict(classes=None), ()), ({}, ()), (None, ()), ('AU1', ())])
def test_outputs_are_named_by_a_checkpoint_or_a_data_set(meta, names):
    assert named_outputs(meta) == names


@pytest.mark.parametrize('saved, wanted', [
    (('AU1', 'AU2'), ('AU2', 'AU1')), (('AU1', ), ('AU1', 'AU2')), (('AU1', 'AU2'), ('AU1', 'AU4')),
    (('happy', 'sad'), ('sad', 'happy'))])
def test_outputs_under_other_names_are_refused(saved, wanted):
    with pytest.raises(ValueError, match=f'^x.pth has {", ".join(saved)}, the data has '
                                         f'{", ".join(wanted)} '):
        check_same_outputs(saved, wanted, 'x.pth', 'the data')
    for known in (saved, wanted):  # nothing can be compared, or it is the same
        check_same_outputs((), known, 'x.pth', 'the data')
        check_same_outputs(known, (), 'x.pth', 'the data')
        check_same_outputs(known, list(known), 'x.pth', 'the data')


@pytest.mark.parametrize('aus, words', [
    (12, r'a int. Remedy: .*\(12,\)'), ('AU1,AU2', 'a str'), ({1, 2}, 'a set'), (None, 'NoneType'),
    ((), 'is empty'), ([1, 'AU1'], 'names an action unit twice'), ([[1, 2]], 'a list'),
    ([3], 'unknown action unit 3')])
def test_a_list_of_action_units(aus, words):
    with pytest.raises(ValueError, match=words):
        parse_aus(aus)
    assert parse_aus(['AU12', '1', 2]) == (12, 1, 2) and parse_aus(np.array([4, 1])) == (4, 1)
