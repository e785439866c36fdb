# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The population: what depends on whom, by counting."""

from dataclasses import replace

import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.population import Population
from fmae_iat_plugin.synthfacs.renderer import render

AUS = (1, 4, 12, 25)


def positives(people, subject):
    return np.mean([[v >= 2 for v in people.face(subject, k).coded.values()]
                    for k in range(people.frames)], axis=0)


def test_a_frame_depends_on_seed_subject_and_frame_alone():
    few = Population(subjects=6, frames=8, seed=3, aus=AUS, sessions=1, fold=1)
    more = Population(subjects=9, frames=8, seed=3, aus=AUS, sessions=1, fold=1)
    for subject, frame in ((0, 0), (5, 7)):
        assert few.face(subject, frame) == more.face(subject, frame)
    assert few.face(1, 1) != few.face(1, 2)
    assert few.face(1, 1) != replace(few, seed=4).face(1, 1)


def test_without_shortcut_all_subjects_share_the_base_rate():
    people = Population(subjects=3, frames=600, aus=AUS, base_rate=0.3, shortcut=0)
    for subject in range(3):
        np.testing.assert_allclose(people.rates(subject), 0.3)
        # 600 draws: 4 standard deviations are 0.075
        np.testing.assert_allclose(positives(people, subject), 0.3, atol=0.075)
        face = people.face(subject, 0)
        assert face.coded == face.shown  # no resting face leans anywhere


def test_shortcut_separates_training_subjects_and_spares_test_subjects():
    people = Population(subjects=30, frames=4, aus=AUS, base_rate=0.3, shortcut=1)
    test = [k for k in range(30) if people.is_test(k)]
    assert len(test) == 10
    rates = np.array([people.rates(k) for k in range(30)])
    np.testing.assert_allclose(rates[test], 0.3)
    train = np.delete(rates, test, axis=0)
    odds = np.log(train / (1 - train)) - np.log(0.3 / 0.7)
    assert 1.8 < odds.std() < 3.2  # 2.5, from 80 draws
    half = replace(people, shortcut=0.5)
    middle = np.delete(np.array([half.rates(k) for k in range(30)]), test, axis=0)
    np.testing.assert_allclose(np.log(middle / (1 - middle)) - np.log(0.3 / 0.7), odds / 2)


def test_rates_are_met_by_the_frames():
    people = Population(subjects=3, frames=600, aus=AUS, shortcut=1)
    for subject in range(3):
        np.testing.assert_allclose(positives(people, subject), people.rates(subject), atol=0.082)


def test_resting_face_leans_like_the_rates_and_stays_below_positive():
    people = Population(subjects=9, frames=40, aus=AUS, shortcut=1)
    for subject in range(9):
        leans = people.rates(subject) > people.base_rate + 1e-9
        for frame in range(40):
            face = people.face(subject, frame)
            coded, shown = (np.array(list(v.values())) for v in (face.coded, face.shown))
            still = coded == 0
            assert ((shown > 0) == leans)[still].all()
            assert (shown[still] <= 0.8).all() and (shown >= coded).all() and (shown <= 5).all()


def test_backgrounds():
    def walls(people, subject):
        return [people.face(subject, k).identity.background for k in range(people.frames)]

    without = Population(subjects=6, frames=8, sessions=4, shortcut=0)
    for subject in range(6):
        seen = walls(without, subject)
        assert len(set(seen)) == 4 and seen[0] == seen[1] != seen[2]  # one for each session
    full = Population(subjects=6, frames=8, sessions=4, shortcut=1)
    for subject in range(6):
        assert len(set(walls(full, subject))) == (4 if full.is_test(subject) else 1)
    hair = {full.face(0, k).identity.hair_style for k in range(8)}
    assert len(hair) == 1  # the person stays the person


def test_image_is_the_rendering_of_the_face():
    people = Population(subjects=3, frames=4, shortcut=1, aus=AUS)
    face = people.face(2, 3)
    expected, _ = render(face.identity, face.shown, face.pose, face.light, size=32,
                         camera=face.camera)
    np.testing.assert_array_equal(people.image(2, 3, 32), expected)


def test_table_and_paths():
    people = Population(subjects=4, frames=6, sessions=3, aus=AUS)
    table = people.table()
    assert table.labels.shape == (24, 4) and table.aus == AUS
    assert table.images[7] == 'S001/T1/0001.png' and table.images[23] == 'S003/T3/0005.png'
    assert people.parse('/some/where/S003/T3/0005.png') == (3, 5)
    assert table.frame.sequence.tolist()[:6] == ['T1', 'T1', 'T2', 'T2', 'T3', 'T3']
    np.testing.assert_allclose(table.labels[8], list(people.face(1, 2).coded.values()), rtol=1e-6)


@pytest.mark.parametrize('wrong, match', [
    (dict(subjects=1), 'subjects is 1'), (dict(shortcut=1.2), 'shortcut is 1.2'),
    (dict(fold=4), 'fold is 4'), (dict(aus=(1, 43)), r'\[43\] cannot be rendered'),
    (dict(base_rate=0), 'base_rate is 0'), (dict(seed=-1), 'seed is -1')])
def test_errors(wrong, match):
    with pytest.raises(ValueError, match=match):
        Population(**wrong)
    with pytest.raises(IndexError, match='subject 24, frame 0'):
        Population().face(24, 0)


@pytest.fixture(scope='module')
def tables(tmp_path_factory):
    """Label sequences of six people as in DISFA's list, in two files: person k shows AU1 in k of 6
    frames, and AU2 always together with AU1."""
    folder, paths = tmp_path_factory.mktemp('labels'), []
    for part in range(2):
        lines = ['image_path,au2,au1,au12']
        for k in range(3 * part, 3 * part + 3):
            lines += [f'DISFA/SN{k:03d}/{t:05d}.jpg,{int(t % 6 < k)},{int(t % 6 < k)},{t % 2}'
                      for t in range(120)]
        paths.append(folder / f'{part}.csv')
        paths[-1].write_text('\n'.join(lines) + '\n')
    return tuple(map(str, paths))


def test_real_labels_keep_who_shows_what_with_shortcut_1_and_what_occurs_together_with_0(tables):
    people = Population(subjects=6, frames=120, aus=(1, 2, 12), shortcut=1, labels=tables, fold=1)
    training = [k for k in range(6) if not people.is_test(k)]
    for subject in training:  # all 120 frames of the person, in order
        shown = np.array([[v >= 2 for v in people.face(subject, t).coded.values()]
                          for t in range(120)])
        np.testing.assert_array_equal(shown[:, 0], np.arange(120) % 6 < subject)
        np.testing.assert_array_equal(shown[:, 1], shown[:, 0])
        np.testing.assert_array_equal(shown[:, 2], np.arange(120) % 2 == 1)
        np.testing.assert_allclose(people.rates(subject), shown.mean(0), atol=.01)
    nobody = replace(people, shortcut=0)
    together = []
    for subject in training:
        shown = np.array([[v >= 2 for v in nobody.face(subject, t).coded.values()]
                          for t in range(120)])
        together.append((shown[:, 0] == shown[:, 1]).all())
        # everybody's rate is 15 / 36; 120 draws: 3.5 standard deviations are 0.16
        assert abs(shown[:, 0].mean() - 15 / 36) < .16
        np.testing.assert_allclose(nobody.rates(subject), nobody.rates(0), atol=1e-9)
        face = nobody.face(subject, 0)
        assert face.coded == face.shown
    assert all(together)
    test = next(k for k in range(6) if people.is_test(k))
    assert people.face(test, 7).coded == nobody.face(test, 7).coded  # test people never have it
    assert Population(**people.to_dict()) == people


def test_real_labels_that_do_not_fit(tables):
    with pytest.raises(ValueError, match='subjects is 7, but the label tables hold 6 people'):
        Population(subjects=7, aus=(1, ), labels=tables)
    with pytest.raises(ValueError, match='have no AU4. Remedy: aus among 2, 1, 12'):
        Population(subjects=6, aus=(1, 4), labels=tables)


@pytest.mark.parametrize('name, number, aus', [
    ('bp4d', 41, (1, 2, 4, 6, 12, 17)), ('disfa', 27, (1, 2, 4, 6, 9, 12, 25, 26))])
def test_the_real_lists_are_read(real_data, name, number, aus):
    paths = tuple(str(real_data / 'au_labels' / f'{name}_part{k}.csv.gz') for k in (1, 2, 3))
    people = Population(subjects=24, frames=30, aus=aus, shortcut=1, labels=paths)
    from fmae_iat_plugin.synthfacs.real_labels import read_people
    real = read_people(paths)
    assert len(real) == number
    pooled = np.concatenate([person.select(aus) for person in real]).mean(0)
    np.testing.assert_allclose(replace(people, shortcut=0).rates(0), pooled, atol=1e-4)
    spread = np.std([people.rates(k) for k in range(24) if not people.is_test(k)], axis=0)
    assert spread.max() > .1  # real people differ
