# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Emulated BP4D: labels read back from the bytes equal the truth, and every trap is there."""

import re

import cv2
import numpy as np
import pandas as pd
import pytest

from fmae_iat_plugin.datasets import read_annotation
from fmae_iat_plugin.synthfacs.releases import write_bp4d

pytestmark = pytest.mark.slow

SMALL = dict(size=32, frames=8, subjects=2, tasks=['T1', 'T2'], workers=1)
# Subjects and tasks as published.
PEOPLE = {f'F{k:03d}' for k in range(1, 24)} | {f'M{k:03d}' for k in range(1, 19)}


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    out = tmp_path_factory.mktemp('images')
    write_bp4d(out, **SMALL)
    return out


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    out = tmp_path_factory.mktemp('videos')
    write_bp4d(out, frames_as='videos', headers='named', **SMALL)
    return out


def label_rows(out):
    """(subject, task, frame) -> header name -> text, from the label files alone."""
    rows = {}
    for path in sorted((out / 'AUCoding/AU_OCC').iterdir()):
        subject, task = path.stem.split('_')
        header, *lines = path.read_text().splitlines()
        for line in lines:
            cells = line.split(',')
            assert len(cells) == len(header.split(','))
            rows[subject, task, int(cells[0])] = dict(zip(header.split(','), cells))
    return rows


def picture_files(out):
    """(subject, task, frame) -> path below ``out``, from the names alone."""
    found = {}
    for path in (out / 'Sequences(2D+3D)').rglob('*.jpg'):
        found[path.parts[-3], path.parts[-2], int(path.stem)] = path.relative_to(out).as_posix()
    return found


def test_truth_is_the_label_files_with_9_as_empty(images, read_csv, au_cells):
    labels, pictures = label_rows(images), picture_files(images)
    truth = read_csv(images / 'truth.csv')
    assert {(r['subject'], r['sequence'], int(r['frame'])) for r in truth} == \
        set(labels) & set(pictures)
    for row in truth:
        key = row['subject'], row['sequence'], int(row['frame'])
        assert row['image'] == pictures[key]
        for au, cell in au_cells(row).items():
            assert labels[key][str(au)] == (cell or '9')
    used = {str(au) for au in au_cells(truth[0])}
    for row in labels.values():  # the columns that truth leaves out are 9 throughout
        assert {row[c] for c in row if c not in used and c != '0'} == {'9'}
    assert read_annotation(images / 'truth.csv').subjects.tolist() == [r['subject'] for r in truth]


def test_header_is_the_integers_to_99(images):
    for path in (images / 'AUCoding/AU_OCC').iterdir():
        assert path.read_text().splitlines()[0] == ','.join(str(k) for k in range(100))


def test_traps_are_present(images, read_csv, au_cells):
    labels, pictures = label_rows(images), picture_files(images)
    left_out = read_csv(images / 'left_out.csv')
    without = {(r['reason'], r['image']) for r in left_out}
    no_picture, no_label = set(labels) - set(pictures), set(pictures) - set(labels)
    assert no_picture and no_label
    assert {image for reason, image in without if reason == 'picture without label'} == \
        {pictures[k] for k in no_label}
    for row in left_out:
        if row['reason'] == 'label without picture':
            line = (images / row['file']).read_text().splitlines()[int(row['line']) - 1]
            assert line.split(',')[0] == row['frame']
            assert not (images / row['image']).exists()
    digits = {s: {len(n.split('/')[-1]) - 4 for k, n in pictures.items() if k[0] == s}
              for s in {k[0] for k in pictures}}
    assert {3, 4} in digits.values() and {4} in digits.values()
    assert any('/0' in n for n in pictures.values())  # a subject with padded numbers
    first = min(pictures)[0]
    names = [n for k, n in sorted(pictures.items()) if k[:2] == (first, 'T2')]
    assert names != sorted(names)  # 1000 sorts before 999 as text
    partly = [c for r in read_csv(images / 'truth.csv') for a, c in au_cells(r).items()]
    assert '' in partly and {'0', '1'} <= set(partly)
    assert min(f for s, t, f in labels) > 1  # label frames do not begin at 1
    assert {s for s, _, _ in labels} <= PEOPLE


def test_images_decode_and_differ(images):
    hashes = set()
    for path in picture_files(images).values():
        picture = cv2.imread(str(images / path))
        assert picture.shape == (32, 32, 3)
        hashes.add(picture.tobytes())
    assert len(hashes) > 20


def test_videos_hold_the_frames_that_truth_says(videos, read_csv, decode, au_cells):
    labels, truth = label_rows(videos), read_csv(videos / 'truth.csv')
    suffixes = dict(T1='01', T2='03')
    seen = {}
    for row in truth:
        video, frame = row['image'].split('#')
        assert video == f'Videos/2{row["subject"][0]}{row["subject"][2:]}_' \
                        f'{suffixes[row["sequence"]]}.avi'
        assert frame == row['frame'] and int(row['picture']) == int(frame) - 1
        seen.setdefault((video, row['subject'], row['sequence']), []).append(int(row['picture']))
        for au, cell in au_cells(row).items():
            assert labels[row['subject'], row['sequence'], int(frame)][f'AU{au}'] == (cell or '9')
    early = 0
    for (video, subject, task), pictures in seen.items():
        total = len(decode(videos / video))
        coded = [f for s, t, f in labels if (s, t) == (subject, task)]
        assert sorted(f for f in coded if f <= total) == [p + 1 for p in pictures]
        early += max(coded) > total
    assert 0 < early < len(seen)


def test_named_header(videos):
    header = (videos / 'AUCoding/AU_OCC/F001_T1.csv').read_text().splitlines()[0].split(',')
    assert header[:4] == ['frame', 'AU1', 'AU2', 'AU4'] and len(header) < 40


def test_header_of_numbers_and_authors_video_names(tmp_path):
    write_bp4d(tmp_path, frames_as='videos', headers='numbers', video_names='authors',
               first_frame=0, codec='XVID', **{**SMALL, 'subjects': 1})
    header = (tmp_path / 'AUCoding/AU_OCC/F001_T1.csv').read_text().splitlines()[0].split(',')
    assert header[:4] == ['0', '1', '2', '4'] and len(header) < 40
    assert sorted(p.name for p in (tmp_path / 'Videos').iterdir()) == ['2F01_T1.avi',
                                                                       '2F01_T2.avi']
    truth = pd.read_csv(tmp_path / 'truth.csv')
    assert (truth['picture'] == truth['frame']).all()


def test_all_eight_video_suffixes():
    from fmae_iat_plugin.synthfacs.releases import bp4d
    released = {bp4d.video_name(bp4d.Options(), 'M018', f'T{k}') for k in range(1, 9)}
    assert released == {f'2M18_{k}.avi' for k in '01 03 07 08 09 10 11 13'.split()}


def test_pixels_show_the_labels(tmp_path, read_csv, au_cells):
    """Frames of one recording with the most different labels look the most different."""
    write_bp4d(tmp_path, **{**SMALL, 'subjects': 1, 'frames': 24, 'size': 64, 'framing': 'crop',
                            'tasks': ['T2']})
    truth = read_csv(tmp_path / 'truth.csv')
    codes = np.array([[int(c or 0) for c in au_cells(r).values()] for r in truth])
    faces = np.array([cv2.imread(str(tmp_path / r['image'])).astype(float) for r in truth])
    a, b = np.triu_indices(len(truth), 1)
    unlike = np.abs(codes[a] - codes[b]).sum(1)
    distance = np.abs(faces[a] - faces[b]).mean((1, 2, 3))
    near = (b - a) <= 6  # about the same pose
    same, other = near & (unlike == 0), near & (unlike >= 4)
    assert same.any() and other.any()
    assert distance[other].mean() > distance[same].mean()


def test_same_bytes_in_other_processes_and_after_an_interruption(images, tmp_path, tree):
    write_bp4d(tmp_path, **{**SMALL, 'workers': 2})
    assert tree(tmp_path) == tree(images)
    victims = sorted((tmp_path / 'Sequences(2D+3D)').rglob('*.jpg'))[::3]
    kept = sorted((tmp_path / 'Sequences(2D+3D)').rglob('*.jpg'))[1]
    stamp = kept.stat().st_mtime_ns
    for path in [*victims, tmp_path / 'truth.csv']:
        path.unlink()
    (tmp_path / '.partial').mkdir()
    (tmp_path / '.partial/77_left_over.jpg').write_bytes(b'half')
    write_bp4d(tmp_path, **SMALL)
    assert tree(tmp_path) == tree(images) and kept.stat().st_mtime_ns == stamp


def test_another_seed_or_option_needs_another_folder(images):
    with pytest.raises(ValueError, match='made with other settings.*another folder'):
        write_bp4d(images, **{**SMALL, 'seed': 1})


@pytest.mark.parametrize('option, message', [
    (dict(size=33), 'size must be even'), (dict(subjects=42), '42 subjects'),
    (dict(tasks=['T9']), "tasks \\['T9'\\]"), (dict(headers='twice'), "headers='twice'"),
    (dict(frames=0), 'needs a label table'), (dict(first_frame=2), 'first_frame=2'),
    (dict(codec='H264'), "codec='H264'"), (dict(workers=-1), '-1 workers')])
def test_bad_options(tmp_path, option, message):
    with pytest.raises(ValueError, match=message):
        write_bp4d(tmp_path, **{**SMALL, **option})


def test_real_labels(tmp_path, read_csv, au_cells):
    lines = ['image_path,au1,au6,au12']
    wanted = {}
    for frame in range(995, 1003):
        wanted[frame] = (int(frame > 998), int(frame % 2), 1)
        lines.append(f'BP4D/aligned/M002/T5/{frame:05d}.jpg,' + ','.join(map(str, wanted[frame])))
    table = tmp_path / 'labels.csv'
    table.write_text('\n'.join(lines) + '\n')
    out = tmp_path / 'out'
    write_bp4d(out, labels=[table], **{**SMALL, 'subjects': 1, 'frames': 0, 'tasks': ['T5']})
    text = (out / 'AUCoding/AU_OCC/M002_T5.csv').read_text().splitlines()[1:]
    for line in text:
        cells = line.split(',')
        codes = [cells[1], cells[6], cells[12]]
        assert all(c in ('9', str(w)) for c, w in zip(codes, wanted[int(cells[0])]))
        assert {c for k, c in enumerate(cells[1:], 1) if k not in (1, 6, 12)} == {'9'}
    assert len(text) == len(wanted)
    assert set(au_cells(read_csv(out / 'truth.csv')[0])) == {1, 6, 12}
    assert re.fullmatch(r'Sequences\(2D\+3D\)/M002/T5/\d+\.jpg',
                        read_csv(out / 'truth.csv')[0]['image'])
