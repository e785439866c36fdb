# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The pairs are the renders the key says; scoring counts as a person would."""
import csv
import json

import cv2
import pytest

from fmae_iat_plugin.synthfacs.forced_choice import confusion_text, draw_pairs, score_answers
from fmae_iat_plugin.synthfacs.renderer import AUS, render

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp('pairs')
    return folder, draw_pairs(folder, seed=3, size=48)


def answer(path, rows, header=('pair', 'au')):
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_pairs_are_what_the_key_says(pairs):
    folder, paths = pairs
    key = json.loads((folder / 'key.json').read_text())
    assert [path.stem for path in paths] == sorted(key) and len(paths) == 17
    order = [key[path.stem]['au'] for path in paths]
    assert sorted(order) == sorted(AUS) and order != sorted(AUS)
    for path in paths:
        image = cv2.imread(str(path))[..., ::-1]
        person, au = key[path.stem]['person'], key[path.stem]['au']
        assert (image[:48, :48] == render(person, size=48)[0]).all()
        assert (image[:48, 50:98] == render(person, {au: 5}, size=48)[0]).all()


def test_the_order_depends_on_the_seed_alone(pairs, tmp_path):
    folder, _ = pairs
    draw_pairs(tmp_path / 'same', seed=3, size=16)
    draw_pairs(tmp_path / 'other', seed=4, size=16)
    key, same, other = (json.loads((path / 'key.json').read_text())
                        for path in (folder, tmp_path / 'same', tmp_path / 'other'))
    assert key == same != other


def test_confusion(pairs, tmp_path):
    folder, _ = pairs
    key = json.loads((folder / 'key.json').read_text())
    # 24 is taken for 23, everything else is right
    rows = [(pair, 23 if truth['au'] == 24 else truth['au']) for pair, truth in key.items()]
    text = confusion_text(score_answers(folder, answer(tmp_path / 'a.csv', rows)))
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines()}
    assert lines['shown'] == [str(au) for au in AUS]
    for au in AUS:
        want = ['1' if named == (23 if au == 24 else au) else '.' for named in AUS]
        assert lines[str(au)] == want
    assert text.endswith('\n16 of 17 right')


@pytest.mark.parametrize('rows, message', [
    ([('pair_99', 1)], r"bad\.csv:2: 'pair_99' is not one of the pairs"),
    ([('pair_01', 1), ('pair_01', 2)], r"bad\.csv:3: 'pair_01' .* twice"),
    ([('pair_01', 3)], r"bad\.csv:2: '3' is not one of the action units"),
    ([('pair_01', 1)], r'no answer for pair_02, pair_03'),
])
def test_answers_that_cannot_be_scored(pairs, tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        score_answers(pairs[0], answer(tmp_path / 'bad.csv', rows))
