# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Emulated BP4D+: 34 columns that only their position names."""

import pandas as pd
import pytest

from fmae_iat_plugin.datasets.protocol import load_protocol
from fmae_iat_plugin.synthfacs.releases import write_bp4dplus

pytestmark = pytest.mark.slow

# As published: 34 AU columns after the frame.
ORDER = [1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24,
         27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39]
SMALL = dict(size=32, frames=6, subjects=4, workers=1)


@pytest.fixture(scope='module')
def release(tmp_path_factory):
    out = tmp_path_factory.mktemp('bp4dplus')
    write_bp4dplus(out, **SMALL)
    return out


def test_columns_by_position_equal_the_truth(release, read_csv, au_cells):
    truth = {(r['subject'], r['sequence'], r['frame']): r for r in read_csv(release / 'truth.csv')}
    met = set()
    for path in (release / 'AUCoding/AU_OCC').iterdir():
        subject, task = path.stem.split('_')
        for line in path.read_text().splitlines()[1:]:
            frame, *cells = line.split(',')
            assert len(cells) == 34
            if (subject, task, frame) not in truth:
                continue
            met.add((subject, task, frame))
            own = au_cells(truth[subject, task, frame])
            for au, cell in zip(ORDER, cells):
                assert cell == (own.get(au, '') or '9')
    assert met == set(truth)


def test_a_reader_by_name_is_misled(release):
    path = next((release / 'AUCoding/AU_OCC').iterdir())
    header = path.read_text().splitlines()[0].split(',')
    assert header.count('1') == 2 and header[0] == '1'
    by_name = pd.read_csv(path)['1']  # takes the frame number for AU1
    assert by_name.min() > 1


def test_coded_tasks_subjects_of_every_fold_and_a_task_without_labels(release, read_csv):
    stems = {p.stem for p in (release / 'AUCoding/AU_OCC').iterdir()}
    assert {s.split('_')[1] for s in stems} == {'T1', 'T6', 'T7', 'T8'}
    folds = load_protocol('bp4dplus').folds
    subjects = {s.split('_')[0] for s in stems}
    assert [len(subjects & set(fold)) for fold in folds.values()] == [1, 1, 1, 1]
    bare = [r['image'] for r in read_csv(release / 'left_out.csv') if '/T2/' in r['image']]
    assert len(bare) == 2 and all((release / image).is_file() for image in bare)


def test_named_header_and_videos(tmp_path, decode, read_csv):
    write_bp4dplus(tmp_path, headers='named', frames_as='videos', tasks=['T8'],
                   **{**SMALL, 'subjects': 1})
    text = next((tmp_path / 'AUCoding/AU_OCC').iterdir()).read_text()
    assert text.splitlines()[0].split(',') == ['frame', *(f'AU{a}' for a in ORDER)]
    rows = read_csv(tmp_path / 'truth.csv')
    video = tmp_path / rows[0]['image'].split('#')[0]
    assert video.name == f'{rows[0]["subject"]}_T8.avi'
    assert len(decode(video)) == int(rows[-1]['picture']) + 2  # and one picture without label


def test_tasks_that_nobody_coded(tmp_path):
    with pytest.raises(ValueError, match='not coded'):
        write_bp4dplus(tmp_path, tasks=['T2'], **SMALL)
