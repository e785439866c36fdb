# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Each defect planted in a sound data set is found, and nothing else."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from fmae_iat_plugin.datasets.verify import verify_table
from fmae_iat_plugin.datasets.verify_report import print_report

SUBJECTS = ('anna', 'ben', 'cleo', 'dora')
FOLDS = {'folds': {'1': ['anna', 'ben'], '2': ['cleo', 'dora']}, 'aus': [1, 12]}


class Faces:
    """A sound data set in memory: rows of the table, pixels by image; ``write`` puts it down."""

    def __init__(self, root, subjects=SUBJECTS, images=4):
        self.root, self.rows, self.files = root, [], {}
        generator = np.random.default_rng(5)
        for subject in subjects:
            for i in range(images):
                pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                file = io.BytesIO()
                Image.fromarray(pixels).save(file, 'PNG')
                name = f'{subject}/{i}.png'
                self.files[name] = file.getvalue()
                self.rows.append(dict(image=name, subject=subject,
                                      AU1=str(generator.integers(2)), AU12='' if i == 3 else '1'))
        self.root.joinpath('folds.json').write_text(json.dumps(FOLDS))

    def verify(self, folder='images', **options):
        for name, data in self.files.items():
            path = self.root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        with open(self.root / 'annotation.csv', 'w', newline='') as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        options.setdefault('protocol', self.root / 'folds.json')
        return verify_table(self.root, **options)


@pytest.fixture
def faces(tmp_path):
    return Faces(tmp_path)


def problems(report):
    return [(p['check'], p['item'], p['line']) for p in report['problems']]


def notes(report):
    return [(p['check'], p['item'], p['line']) for p in report['notes']]


def test_a_sound_table(faces):
    report = faces.verify()
    assert problems(report) == notes(report) == []
    assert report['rows'] == 16 and report['subjects'] == 4
    assert report['folds'] == {'1': dict(subjects=2, rows=8), '2': dict(subjects=2, rows=8)}
    for unit in report['action_units']:  # counted by hand from the rows
        cells = [row[unit['au']] for row in faces.rows if row[unit['au']] != '']
        assert unit['coded'] == len(cells) and unit['positive'] == cells.count('1')
        assert unit['prevalence'] == round(100 * cells.count('1') / len(cells), 2)


def test_missing_empty_and_damaged_images(faces):
    whole = faces.files.pop('ben/1.png')
    faces.files['cleo/0.png'] = b''
    faces.files['cleo/1.png'] = whole[:-40]
    faces.files['dora/2.png'] = b'GIF89a is no picture'
    photo = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(photo, 'JPEG')
    faces.files['dora/3.png'] = photo.getvalue()[:-500]  # OpenCV would fill it with grey
    assert problems(faces.verify()) == [
        ('missing', 'ben/1.png', 7), ('unreadable', 'cleo/0.png', 10),
        ('unreadable', 'cleo/1.png', 11), ('unreadable', 'dora/2.png', 16),
        ('unreadable', 'dora/3.png', 17)]


@pytest.mark.parametrize('cell', ['9', '-1', '5.5', 'x', 'inf'])
def test_labels_out_of_range(faces, cell):
    faces.rows[6]['AU1'] = cell
    report = faces.verify()
    assert [(p['check'], p['line']) for p in report['problems']] == [('table', 8)]
    assert repr(cell) in report['problems'][0]['detail']


def test_intensities_under_a_protocol_of_occurrences(faces):
    faces.rows[2]['AU1'], faces.rows[9]['AU12'] = '3', '0.5'
    report = faces.verify()
    assert problems(report) == [('labels', 'anna/2.png', 4), ('labels', 'cleo/1.png', 11)]
    assert problems(faces.verify(protocol=None)) == []  # without one, both are fine
    (faces.root / 'folds.json').write_text(json.dumps({'folds': FOLDS['folds']}))
    assert problems(faces.verify()) == []  # folds alone say nothing about labels


def test_occurrences_under_a_protocol_of_intensities(faces):
    (faces.root / 'folds.json').write_text(json.dumps({**FOLDS, 'intensity_threshold': 2}))
    assert [p[0] for p in problems(faces.verify())] == ['labels']
    faces.rows[2]['AU1'] = '3'
    assert problems(faces.verify()) == []


def test_subjects(faces):
    faces.rows[3]['subject'] = faces.rows[8]['subject'] = ''
    faces.rows[5]['subject'] = faces.rows[6]['subject'] = 'Ben'
    assert problems(faces.verify()) == [('subject', '', 5), ('subject', 'Ben', 7)]
    assert problems(faces.verify(protocol=None)) == []


@pytest.mark.parametrize('column', ['fold', 'split'])
def test_a_subject_on_two_sides_of_a_column(faces, column):
    for i, row in enumerate(faces.rows):
        row[column] = 'ab'[i >= 8]
    assert problems(faces.verify()) == []
    faces.rows[15][column] = 'a'
    assert problems(faces.verify()) == [('folds', 'dora', 14)]


def test_folds_that_share_a_subject_are_no_protocol(faces):
    (faces.root / 'folds.json').write_text(json.dumps(
        {'folds': {'1': ['anna', 'ben'], '2': ['ben', 'cleo', 'dora']}}))
    with pytest.raises(ValueError, match="'ben' is in fold 1 and in fold 2"):
        faces.verify()


def test_the_same_picture_twice(faces):
    faces.files['anna/1.png'] = faces.files['anna/0.png']          # one person, the same labels
    faces.files['ben/1.png'] = faces.files['ben/0.png']            # other labels
    faces.files['cleo/2.png'] = faces.files['dora/2.png']          # two people of one fold
    again = io.BytesIO()
    with Image.open(io.BytesIO(faces.files['anna/2.png'])) as image:
        image.save(again, 'BMP')
    faces.files['dora/1.png'] = again.getvalue()                   # two folds, other bytes
    for row, au1 in ((0, '1'), (1, '1'), (4, '0'), (5, '1')):
        faces.rows[row]['AU1'] = au1
    for row in (2, 10, 13, 14):
        faces.rows[row].update(AU1='0', AU12='1')
    report = faces.verify()
    assert notes(report) == [('same picture', 'anna/0.png', 2)]
    assert sorted(problems(report)) == [('duplicate', 'anna/2.png', 4),
                                        ('duplicate', 'ben/0.png', 6),
                                        ('duplicate', 'cleo/2.png', 12)]
    details = {p['item']: p['detail'] for p in report['problems']}
    assert details['anna/2.png'] == \
        'the same pixels as dora/1.png (line 15); different subjects and folds'
    assert details['ben/0.png'] == 'the same files as ben/1.png (line 7); different label sets'
    assert details['cleo/2.png'] == 'the same files as dora/2.png (line 16); different subjects'
    # the same pairs by comparing every file with every other
    names = sorted(faces.files)
    pairs = {(a, b) for a in names for b in names
             if a < b and faces.files[a] == faces.files[b]}
    assert pairs == {('anna/0.png', 'anna/1.png'), ('ben/0.png', 'ben/1.png'),
                     ('cleo/2.png', 'dora/2.png')}


def test_rows_without_a_face_and_without_a_code(faces):
    for i, row in enumerate(faces.rows):
        row['face'] = 'none' if i in (1, 7) else 'detected'
    del faces.files['anna/1.png'], faces.files['ben/3.png']  # as crop_faces.py leaves them
    faces.rows[4].update(AU1='', AU12='')
    report = faces.verify('faces')
    assert problems(report) == [] and report['without_face'] == 2
    assert notes(report) == [('no face', 'anna/1.png', 3), ('no face', 'ben/3.png', 9),
                             ('not coded', 'ben/0.png', 6)]
    assert report['images'].endswith('faces')


def test_prevalence_far_from_the_published(faces, monkeypatch):
    from fmae_iat_plugin.datasets import summary
    from fmae_iat_plugin.datasets.reference import Published
    cells = [row['AU1'] for row in faces.rows]
    rate = 100 * cells.count('1') / len(cells)
    for off, found in ((2.9, []), (3.1, [('prevalence', 'AU1', 0)])):
        rates = (rate + off, *[0.] * 11)
        monkeypatch.setitem(summary.PUBLISHED, 'bp4d', Published(4, 16, rates))
        assert [p for p in problems(faces.verify(reference='bp4d'))
                if p[1] == 'AU1'] == found


@pytest.mark.slow
def test_two_processes_report_the_same(faces, monkeypatch):
    from fmae_iat_plugin.datasets import verify
    monkeypatch.setattr(verify, '_CHUNK', 3)
    faces.files['cleo/0.png'] = b''
    faces.files['ben/1.png'] = faces.files['dora/0.png']
    assert faces.verify(workers=2) == faces.verify()


def test_the_report_for_people(faces):
    del faces.files['ben/1.png']
    console = Console(file=io.StringIO(), width=120)
    print_report(faces.verify(), console)
    text = console.file.getvalue()
    assert 'missing: ben/1.png, line 7' in text and '1 problems, 0 notes' in text
    assert '16 rows of 4 subjects' in text and 'AU12' in text
    assert 'not compared: no published numbers' in text
    faces.rows[0]['AU1'] = '7'
    print_report(faces.verify(), console)
    assert "AU1 is '7'" in console.file.getvalue()
