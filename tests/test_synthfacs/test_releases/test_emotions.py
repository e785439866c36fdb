# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Expressions are their prototypical action units."""

from collections import Counter

import pytest

from fmae_iat_plugin.synthfacs.releases.emotions import (
    PROTOTYPES,
    cast,
    cast_split,
    label_row,
    show,
)
from fmae_iat_plugin.synthfacs.renderer import AUS

EKMAN = dict(neutral='', happiness='6 12', surprise='1 2 5 25 26', sadness='1 4 15',
             anger='4 5 7 23', disgust='9 15', fear='1 2 4 5 20 25 26', contempt='14')


@pytest.mark.parametrize('name', EKMAN)
def test_units_of_an_expression(name):
    for key in 'abc':
        shown = show(0, key, name)
        assert sorted(shown) == [int(a) for a in EKMAN[name].split()]
        assert all(2.5 <= value <= 5 for value in shown.values())
        assert [a for a, v in zip(AUS, label_row(shown)) if v] == sorted(shown)


def test_every_expression_equally_often_and_not_tied_to_people():
    people = cast(0, 11, 9, tuple(PROTOTYPES))
    counts = Counter(p.expression for own in people for p in own)
    assert set(counts) == set(EKMAN) and max(counts.values()) - min(counts.values()) <= 1
    assert len({tuple(p.expression for p in own) for own in people}) > 8
    assert all(len({p.subject for p in own}) == 1 for own in people)


@pytest.mark.parametrize('number, test', [(2, 1), (9, 1), (10, 2), (30, 6)])
def test_split_by_people_shows_everything_in_both_sets(number, test):
    sets = cast_split(0, number, 8, tuple(PROTOTYPES))
    names = [[own[0].subject for own in people] for people in sets]
    assert names[0] + names[1] == [f'P{k:05d}' for k in range(1, number + 1)]
    assert len(names[1]) == test
    for people in sets:
        assert {p.expression for own in people for p in own} == set(EKMAN)


@pytest.mark.parametrize('subjects, images', [(1, 8), (3, 7)])
def test_too_few_for_a_test_set(subjects, images):
    with pytest.raises(ValueError, match='must show 8 expressions'):
        cast_split(0, subjects, images, tuple(PROTOTYPES))
