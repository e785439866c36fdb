# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Emulated DISFA: intensities from text files, two cameras, videos that end early."""

import numpy as np
import pytest

from fmae_iat_plugin.datasets import read_annotation
from fmae_iat_plugin.synthfacs.releases import write_disfa

pytestmark = pytest.mark.slow

AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
SMALL = dict(size=48, frames=20, subjects=2, workers=1)


@pytest.fixture(scope='module')
def release(tmp_path_factory):
    out = tmp_path_factory.mktemp('disfa')
    write_disfa(out, **SMALL)
    return out


def intensities(out, subject):
    """``[T, 12]`` from the twelve text files."""
    columns = []
    for au in AUS:
        lines = (out / f'ActionUnit_Labels/{subject}/{subject}_au{au}.txt').read_text()
        pairs = [tuple(map(int, line.split(','))) for line in lines.splitlines()]
        assert [frame for frame, _ in pairs] == list(range(1, len(pairs) + 1))
        columns.append([value for _, value in pairs])
    return np.array(columns).T


def subjects(out):
    return sorted(p.name for p in (out / 'ActionUnit_Labels').iterdir())


@pytest.mark.parametrize('camera, end', [('Right', ''), ('Left', '_left')])
def test_truth_is_the_text_files_as_far_as_the_video_goes(release, camera, end, decode, read_csv):
    table = read_annotation(release / f'truth{end}.csv')
    assert table.aus == AUS
    left_out = read_csv(release / f'left_out{end}.csv')
    row, missing = 0, 0
    for subject in subjects(release):
        video = f'Video_{camera}Camera/{camera}Video{subject}_comp.avi'
        total, labels = len(decode(release / video)), intensities(release, subject)
        assert set(np.unique(labels)) <= set(range(6))
        part = slice(row, row + total)
        np.testing.assert_array_equal(table.labels[part], labels[:total])
        assert table.images[part].tolist() == [f'{video}#{k + 1}' for k in range(total)]
        assert table.frame['picture'].iloc[part].tolist() == [str(k) for k in range(total)]
        assert [r['frame'] for r in left_out if r['image'].startswith(video)] == \
            [str(k) for k in range(total + 1, len(labels) + 1)]
        row, missing = row + total, missing + len(labels) - total
    assert row == len(table.labels) and missing > 0


def test_both_cameras_see_the_same_face_from_two_sides(release, decode):
    subject = subjects(release)[0]
    right = decode(release / f'Video_RightCamera/RightVideo{subject}_comp.avi')
    left = decode(release / f'Video_LeftCamera/LeftVideo{subject}_comp.avi')
    assert len(right) == len(left) == SMALL['frames']
    between = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(right, left)])
    shuffled = decode(release / f'Video_RightCamera/RightVideo{subjects(release)[1]}_comp.avi')
    people = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(right, shuffled)])
    assert 1 < between < people


def test_real_labels_stay_positive_exactly_where_they_are(tmp_path):
    rng = np.random.default_rng(3)
    wanted = rng.integers(0, 2, (12, 2))
    lines = ['image_path,au4,au25'] + [
        f'DISFA/images/SN013/{t + 1:05d}.jpg,{a},{b}' for t, (a, b) in enumerate(wanted)]
    table = tmp_path / 'labels.csv'
    table.write_text('\n'.join(lines) + '\n')
    write_disfa(tmp_path / 'out', labels=[table], **{**SMALL, 'frames': 0, 'subjects': 1})
    found = intensities(tmp_path / 'out', 'SN013')[:, [AUS.index(4), AUS.index(25)]]
    np.testing.assert_array_equal(found >= 2, wanted == 1)


def test_same_bytes_again(release, tmp_path, tree):
    write_disfa(tmp_path, **{**SMALL, 'workers': 2})
    assert tree(tmp_path) == tree(release)


@pytest.mark.parametrize('option, message', [
    (dict(frames=0), 'needs a label table'), (dict(subjects=28), '28 subjects'),
    (dict(codec='x'), "codec='x'"), (dict(framing='wide'), "framing='wide'")])
def test_bad_options(tmp_path, option, message):
    with pytest.raises(ValueError, match=message):
        write_disfa(tmp_path, **{**SMALL, **option})
