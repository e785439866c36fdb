# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""From a source to crops and a table: rows, pictures, resuming after a kill, refusals."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import pandas as pd
import pytest
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.datasets import read_annotation
from fmae_iat_plugin.faces import CropError, CropOptions, crop_faces

PNG = CropOptions(margin=0, size=32, image_format='png')
BOXES = {1: (10, 10, 30, 40), 2: None, 3: (14, 12, 34, 42), 4: None, 5: None, 6: None,
         7: (20, 12, 40, 42)}


@pytest.fixture
def release(tmp_path, paint):
    """A converted release: two sequences of seven frames; 2, 4, 5, 6 show no face."""
    root, rows = tmp_path / 'release', ['image,subject,AU1,AU12,sequence,frame']
    for subject in ('A', 'B'):
        for frame, box in BOXES.items():
            name = f'{subject}/T1/{frame:05d}.png'
            path = root / 'images' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), paint(*([box] if box else []), seed=frame))
            rows.append(f'{name},{subject},{frame % 2},{"" if frame == 3 else 1},T1,{frame}')
    (root / 'annotation.csv').write_text('\n'.join(rows) + '\n')
    (root / 'skipped.csv').write_text('of the converter\n')
    return root


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob('*')) if path.is_file()}


def test_a_table_keeps_every_row_and_marks_it(release, tmp_path, green):
    result = crop_faces(release, tmp_path / 'out', green, PNG)
    assert {k: result[k] for k in ('frames', 'detected', 'tracked', 'none', 'crops')} == dict(
        frames=14, detected=6, tracked=0, none=8, crops=6)
    before, after = (read_annotation(f / 'annotation.csv') for f in (release, tmp_path / 'out'))
    np.testing.assert_array_equal(after.labels, before.labels)
    assert after.aus == before.aus and list(after.images) == list(before.images)
    for column in ('subject', 'sequence', 'frame'):
        assert list(after.frame[column]) == list(before.frame[column])
    for _, row in after.frame.iterrows():
        box, crop = BOXES[int(row['frame'])], tmp_path / 'out/faces' / row['image']
        assert row['source'] == row['image'] and crop.is_file() == bool(box)
        if box is None:
            assert (row['face'], row['x1'], row['y2'], row['score']) == ('none', '', '', '')
            continue
        assert row['face'] == 'detected'
        assert tuple(float(row[c]) for c in ('x1', 'y1', 'x2', 'y2')) == box
        assert float(row['score']) == pytest.approx(.6)
        assert (cv2.imread(str(crop)) == (0, 255, 0)).all()  # the box and nothing else
    listed = pd.read_csv(tmp_path / 'out/skipped_faces.csv')
    assert list(listed['reason']) == ['no face found'] * 8
    assert sorted(listed['item']) == sorted(
        row['image'] for _, row in after.frame.iterrows() if row['face'] == 'none')


def test_the_crops_train(release, tmp_path, green):
    crop_faces(release, tmp_path / 'out', green, PNG)
    data = DATASETS.build(dict(
        type='ActionUnitDataset', data_root=str(tmp_path / 'out'), ann_file='annotation.csv',
        data_prefix='faces', split='all', pipeline=[dict(type='LoadFace')]))
    assert len(data) == 6 and data[0]['img'].shape == (32, 32, 3)


def test_tracking_bridges_short_gaps_and_flags_them(release, tmp_path, green):
    result = crop_faces(release, tmp_path / 'out', green, PNG._replace(track=2))
    assert (result['detected'], result['tracked'], result['none']) == (6, 2, 6)
    frame = read_annotation(tmp_path / 'out/annotation.csv').frame
    row = frame[(frame['subject'] == 'A') & (frame['frame'] == '2')].iloc[0]
    assert (row['face'], row['score']) == ('tracked', '')
    assert [float(row[c]) for c in ('x1', 'y1', 'x2', 'y2')] == [12, 11, 32, 41]
    source = cv2.imread(str(release / 'images' / row['source']))[11:41, 12:32]
    crop = cv2.imread(str(tmp_path / 'out/faces' / row['image']))
    assert np.abs(crop.astype(int) - cv2.resize(source, (32, 32))).max() <= 3
    assert crop_faces(release, tmp_path / 'more', green, PNG._replace(track=3))['tracked'] == 8


def test_in_place_the_frames_keep_their_table(release, green):
    frames = (release / 'annotation.csv').read_bytes()
    crop_faces(release, release, green, PNG)
    assert (release / 'annotation_frames.csv').read_bytes() == frames
    assert (release / 'skipped.csv').read_text() == 'of the converter\n'
    assert set(read_annotation(release / 'annotation.csv').frame['face']) == {'detected', 'none'}
    after = tree(release)
    crop_faces(release, release, green, PNG)
    crop_faces(release / 'annotation.csv', release, green, PNG)
    assert tree(release) == after
    # the converter ran again and gave fewer rows: these count
    (release / 'annotation.csv').write_bytes(b'\n'.join(frames.split(b'\n')[:8]) + b'\n')
    assert crop_faces(release, release, green, PNG)['frames'] == 7
    assert len(read_annotation(release / 'annotation_frames.csv').images) == 7


def test_finished_units_are_not_looked_at_again(release, tmp_path, green):
    out = tmp_path / 'out'
    crop_faces(release, out, green, PNG)
    before = tree(out)
    (out / 'faces/A/T1/00001.png').unlink()
    build = type(green).build
    with patch.object(type(green), 'build', autospec=True, side_effect=build) as built:
        crop_faces(release, out, green, PNG)
    assert built.call_count == 1 and tree(out) == before  # A/T1 alone was done again
    with patch.object(type(green), 'build', autospec=True, side_effect=build) as built:
        path = release / 'images/B/T1/00002.png'
        shutil.copy(release / 'images/B/T1/00001.png', path)  # a replaced picture is noticed
        assert crop_faces(release, out, green, PNG)['detected'] == 7
    assert built.call_count == 1


def killed_at(nth, *arguments):
    """Crop in a child process that is killed at its nth file, before it gets its final name."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)  # a child that hangs ends by another signal
            calls, replace = [], os.replace

            def kill(*args):
                calls.append(args)
                if len(calls) == nth:
                    os.kill(os.getpid(), signal.SIGKILL)
                replace(*args)

            with patch('os.replace', kill):
                crop_faces(*arguments)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(sys.platform == 'win32', reason='no fork')
def test_killed_anywhere_a_rerun_ends_with_the_same_bytes(release, tmp_path, green):
    arguments = green, PNG._replace(track=2)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # a fork has none of them, and OpenCV would wait for them
    crop_faces(release, tmp_path / 'calm', *arguments)
    calm = tree(tmp_path / 'calm')
    killed = 0
    for moment in range(1, 15):  # every file of the run
        out = tmp_path / f'killed{moment}'
        killed += killed_at(moment, release, out, *arguments) == -signal.SIGKILL
        for name, data in tree(out).items():  # nothing half under a final name
            assert calm.get(name) == data or name.endswith(('.part', '.tmp')) or \
                name.startswith('.in_use.')
        crop_faces(release, out, *arguments)
        assert tree(out) == calm
    cv2.setNumThreads(threads)
    assert killed == 14


def test_other_arguments_need_another_folder(release, tmp_path, green):
    crop_faces(release, tmp_path / 'out', green, PNG)
    before = tree(tmp_path / 'out')
    with pytest.raises(CropError, match=r'json\): margin: 0 there, 0.2 asked for; size: 32 t'):
        crop_faces(release, tmp_path / 'out', green, PNG._replace(margin=.2, size=64))
    with pytest.raises(CropError, match="detector: {'name': 'green'} there"):
        crop_faces(release, tmp_path / 'out', green._replace(name='other'), PNG)
    assert tree(tmp_path / 'out') == before
    foreign = tmp_path / 'foreign'
    foreign.mkdir()
    shutil.copy(release / 'annotation.csv', foreign)
    with pytest.raises(CropError, match='annotation.csv, which this command did not write'):
        crop_faces(release, foreign, green, PNG)


def test_all_faces_of_a_folder_with_unreadable_and_empty_images(tmp_path, paint, green):
    folder, out = tmp_path / 'in', tmp_path / 'in/out'  # OUT inside IN is not searched
    (folder / 'sub').mkdir(parents=True)
    cv2.imwrite(str(folder / 'a10.png'), paint((0, 0, 20, 20), (50, 20, 80, 60)))
    cv2.imwrite(str(folder / 'a2.png'), paint())
    cv2.imwrite(str(folder / 'sub/b.png'), paint((5, 5, 25, 25)))
    (folder / 'a3.jpg').write_bytes(b'no picture')
    for _ in range(2):
        result = crop_faces(folder, out, green, PNG._replace(faces='all'))
        table = pd.read_csv(out / 'faces.csv')
        assert list(table['image']) == ['a2_0.png', 'a3_0.png', 'a10_1.png', 'a10_2.png',
                                        'sub/b_1.png']
        assert list(table['face']) == ['none', 'none', 'detected', 'detected', 'detected']
        assert list(table['track'].dropna()) == [1, 2, 1]
        assert list(table.loc[2, ['x1', 'y1', 'x2', 'y2']]) == [50, 20, 80, 60]  # largest first
        assert (result['frames'], result['crops'], result['none']) == (4, 3, 2)
    listed = pd.read_csv(out / 'skipped_faces.csv')
    assert list(zip(listed['reason'], listed['item'])) == [
        ('no face found', 'a2.png'), ('unreadable image', 'a3.jpg')]
    assert json.loads((out / 'cropping.json').read_text())['faces'] == 'all'


def test_halved_frames_have_boxes_in_whole_ones(tmp_path, paint, green):
    cv2.imwrite(str(tmp_path / 'x.png'), paint((20, 10, 60, 50)))
    crop_faces(tmp_path / 'x.png', tmp_path / 'out', green, PNG._replace(halve=True, size=8))
    row = pd.read_csv(tmp_path / 'out/faces.csv').iloc[0]
    assert list(row[['x1', 'y1', 'x2', 'y2', 'score']]) == [20, 10, 60, 50, .4]  # 20 x 20 / 1000


def test_a_video_has_frames_and_timestamps(tmp_path, paint, green):
    writer = cv2.VideoWriter(str(tmp_path / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 25, (96, 64))
    for n in range(6):
        writer.write(paint(*([] if n in (2, 5) else [(8 + n, 8, 40 + n, 40)])))
    writer.release()
    result = crop_faces(tmp_path / 'v.avi', tmp_path / 'out', green, PNG._replace(track=1))
    assert (result['detected'], result['tracked'], result['none']) == (4, 1, 1)
    table = pd.read_csv(tmp_path / 'out/faces.csv')
    assert list(table['frame']) == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(table['timestamp'], np.arange(6) / 25)
    assert list(table['face']) == ['detected', 'detected', 'tracked', 'detected', 'detected',
                                   'none']
    np.testing.assert_allclose(table['x1'][:5], 8 + np.arange(5), atol=1)
    assert table['image'][0] == 'v.avi/000001.png'
    assert sorted(p.name for p in Path(tmp_path, 'out/faces/v.avi').iterdir()) == [
        f'{n:06d}.png' for n in range(1, 6)]
