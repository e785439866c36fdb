# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Folds: the published ones as published, and no subject on both sides of any."""

import json
import re
from collections import Counter

import numpy as np
import pytest

from fmae_iat_plugin.datasets.protocol import load_protocol, make_protocol, split_subjects

NAMES = {
    'bp4d': {f'F{i:03}' for i in range(1, 24)} | {f'M{i:03}' for i in range(1, 19)},
    'disfa': {f'SN{i:03}' for i in (*range(1, 14), *range(16, 19), *range(21, 22),
                                    *range(23, 33)) if i not in (14, 15, 19, 20, 22)},
}


@pytest.mark.parametrize('name, sizes, aus', [
    ('bp4d', [14, 14, 13], (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)),
    ('bp4dplus', [35, 35, 35, 35], (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)),
    ('disfa', [9, 9, 9], (1, 2, 4, 6, 9, 12, 25, 26)),
])
def test_published_protocols(name, sizes, aus):
    protocol = load_protocol(name)
    assert [len(protocol.folds[k]) for k in sorted(protocol.folds)] == sizes
    assert sorted(protocol.folds) == list(range(1, len(sizes) + 1))
    assert protocol.aus == aus
    assert len(set(protocol.subjects)) == len(protocol.subjects) == sum(sizes)
    assert list(protocol.subjects) == sorted(protocol.subjects)
    assert protocol.intensity_threshold == (2 if name == 'disfa' else None)
    if name in NAMES:
        assert set(protocol.subjects) <= NAMES[name]
        assert len(protocol.subjects) == {'bp4d': 41, 'disfa': 27}[name]


@pytest.mark.parametrize('name, frames', [('bp4d', [50579, 50157, 45687]),
                                          ('disfa', [43545, 43605, 43161])])
def test_folds_match_the_parts_of_the_real_labels(real_data, name, frames):
    """Every part file of the public label tables holds exactly the subjects of its fold."""
    import pandas as pd

    protocol = load_protocol(name)
    for fold, count in enumerate(frames, start=1):
        table = pd.read_csv(real_data / 'au_labels' / f'{name}_part{fold}.csv.gz')
        subjects = {re.search(r'/((?:[FM]|SN)\d{3})/', path).group(1)
                    for path in table['image_path']}
        assert subjects == set(protocol.test_subjects(fold))
        assert len(table) == count


def test_unknown_fold_is_named():
    with pytest.raises(ValueError, match='BP4D has no fold 4; its folds are 1, 2, 3. Remedy'):
        load_protocol('bp4d').test_subjects(4)


@pytest.mark.parametrize('folds, words', [
    ({'1': ['A', 'B'], '2': ['B']}, "'B' is in fold 1 and in fold 2"),
    ({'1': ['A', 'A'], '2': ['B']}, "'A' is in fold 1 and in fold 1"),
    ({'1': ['A'], '2': []}, 'fold 2 has no subjects'),
    ({'1': ['A'], '2': 'B'}, "fold 2 has no subjects but 'B'"),
    ({'1': [1], '2': ['1']}, "'1' is in fold 1 and in fold 2"),
    ({'1': ['A'], '01': ['B']}, "fold '01' is not a new number"),
    ({'1': ['A'], 'two': ['B']}, "fold 'two' is not a new number"),
    ({}, 'no `folds`'),
])
def test_bad_folds_are_errors(tmp_path, folds, words):
    path = tmp_path / 'own.json'
    path.write_text(json.dumps(dict(folds=folds)))
    for source in (str(path), dict(folds=folds)):
        with pytest.raises(ValueError, match=words) as error:
            load_protocol(source)
        assert 'Remedy' in str(error.value)


def test_bad_files_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match='neither one of bp4d, bp4dplus, disfa nor a file'):
        load_protocol('bp5d')
    (tmp_path / 'own.json').write_text('{"folds": {\n"1": [}')
    with pytest.raises(ValueError, match='own.json, line 2: not JSON'):
        load_protocol(tmp_path / 'own.json')


@pytest.mark.parametrize('seed', range(5))
def test_dealt_folds_share_nobody_and_are_level(seed):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 50, 40)
    subjects = [f'S{i}' for i, size in enumerate(sizes) for _ in range(size)]
    generator.shuffle(subjects)
    protocol = split_subjects(subjects + [''] * 7, 5)
    dealt = [s for fold in protocol.folds.values() for s in fold]
    assert Counter(dealt) == Counter(set(subjects))
    frames = Counter(subjects)
    loads = [sum(frames[s] for s in fold) for fold in protocol.folds.values()]
    # longest-processing-time rule: within 4/3 of the mean load (Graham 1969)
    assert max(loads) <= 4 / 3 * max(np.mean(loads), max(sizes))
    generator.shuffle(subjects)
    assert split_subjects(subjects, 5) == protocol  # the order of the rows does not matter


@pytest.mark.parametrize('folds', [0, 1, 3])
def test_too_many_or_few_folds(folds):
    with pytest.raises(ValueError, match=f'2 subjects of table into {folds} folds. Remedy'):
        split_subjects(['A', 'B', 'A'], folds)


@pytest.mark.parametrize('number', ['3', 3., None, True, [3]])
def test_a_number_of_folds_is_a_whole_number(number):
    with pytest.raises(ValueError, match=r'`folds` is .*Remedy: a whole number'):
        split_subjects(['A', 'B', 'C', 'D'], number)


@pytest.mark.parametrize('change, words', [
    (dict(folds={'1': 5, '2': ['B']}), 'fold 1 has no subjects but 5'),
    (dict(folds={'1': {'A': 1}, '2': ['B']}), "fold 1 has no subjects but {'A': 1}"),
    (dict(folds={'1': ['A', None], '2': ['B']}), 'fold 1 lists None'),
    (dict(folds={'1': ['A'], '2': [['B']]}), r"fold 2 lists \['B'\]"),
    (dict(folds={'1': ['A'], '2': ['B']}, aus=12), r'`aus` is 12, a int. .*\(12,\)'),
    (dict(folds={'1': ['A'], '2': ['B']}, aus='AU1'), "`aus` is 'AU1', a str"),
    (dict(folds=[['A'], ['B']]), r'no `folds`. Remedy: {"folds": {"1": \["S001", ...\], '
                                 r'"2": \[...\]}} with the')])
def test_a_protocol_of_another_form(tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        load_protocol(change)
    (tmp_path / 'p.json').write_bytes(b'\xef\xbb\xbf' + json.dumps(change).encode())
    with pytest.raises(ValueError, match=words):
        load_protocol(tmp_path / 'p.json')


def test_what_an_editor_adds_to_a_file(tmp_path):
    text = json.dumps(dict(folds={'1': ['A', 7], '2': ['B']}))
    (tmp_path / 'p.json').write_bytes(b'\xef\xbb\xbf' + text.encode())
    assert load_protocol(tmp_path / 'p.json').folds == {1: ('7', 'A'), 2: ('B', )}
    (tmp_path / 'p.json').write_bytes(text.encode('utf-16'))
    with pytest.raises(ValueError, match='p.json: not UTF-8 text.*Remedy'):
        load_protocol(tmp_path / 'p.json')
    for source in (3, ['A'], None):
        with pytest.raises(ValueError, match=f'protocol is {re.escape(repr(source))}'):
            load_protocol(source)


@pytest.mark.parametrize('people, share, number', [(10, .1, 1), (10, .25, 2), (10, .99, 7),
                                                   (4, .1, 1), (3, .5, 1)])
def test_a_share_of_the_training_people_is_held_out(people, share, number):
    """Of 10 people 8 are trained on in fold 1, of 4 two, of 3 one: none is too few to hold out."""
    protocol = make_protocol('p', {1: [f'{k:02d}' for k in range(2)],
                                   2: [f'{k:02d}' for k in range(2, people)]})
    if people == 3:
        with pytest.raises(ValueError, match='cannot be held out of the 1 training'):
            protocol.held_out_subjects(1, share)
        return
    found = protocol.held_out_subjects(1, share)
    assert len(found) == number and not set(found) & set(protocol.folds[1])
    assert set(protocol.held_out_subjects(1, share / 2)) <= set(found)  # one draw


def test_another_split_keeps_the_people_and_the_sizes_of_the_folds():
    known = load_protocol('bp4d')
    assert known.reshuffled(0) == known
    splits = [known.reshuffled(seed) for seed in (1, 2, 1)]
    assert splits[0] == splits[2] and splits[0].folds != splits[1].folds != known.folds
    for split in splits:
        assert split.subjects == known.subjects and split.aus == known.aus
        assert [len(fold) for fold in split.folds.values()] == [
            len(fold) for fold in known.folds.values()]
        assert split.test_subjects(1) == tuple(sorted(split.test_subjects(1)))
    together = [set(known.folds[1]) & set(known.reshuffled(seed).folds[1])
                for seed in range(1, 200)]
    # a fold is drawn at random: on average 13 or 14 of 41 people, a third of them the same
    size = len(known.folds[1])
    assert abs(np.mean([len(part) for part in together]) - size**2 / 41) < .5
