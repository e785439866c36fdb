# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Optical flow of a table: pairs, exactness, checksums, resumption, what is wrong in words."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

import fmae_iat_plugin.faces.flow_files as flow_files
from fmae_iat_plugin.datasets.flow_targets import read_flow, read_flow_index
from fmae_iat_plugin.faces.flow_files import compute_table_flow, main, reduce_flow
from fmae_iat_plugin.synthfacs import Population, write_synthfacs
from fmae_iat_plugin.synthfacs.motion import flow_of_frame


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp('synthfacs')
    write_synthfacs(folder, subjects=2, frames=4, size=32, folds=2, sessions=2, workers=1)
    return folder


@pytest.fixture
def video(tmp_path):
    """Two sequences of a texture that moves right by 2 pixels a frame; frame 3 of T1 is missing."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (96, 200, 3), dtype=np.uint8), (0, 0), 3) * 2
    rows = []
    for sequence, frames in (('T1', (1, 2, 4, 5, 6)), ('T2', (1, ))):
        for frame in frames:
            name = f'{sequence}_{frame}.png'
            cv2.imwrite(str(tmp_path / name), texture[:, 80 - 2 * frame:176 - 2 * frame])
            rows.append(f'{name},P,1,{sequence},{frame}')
    write_table(tmp_path, rows)
    return tmp_path


def write_table(folder, rows):
    (folder / 'annotation.csv').write_text('\n'.join(
        ['image,subject,AU1,sequence,frame', *rows]) + '\n')


def test_rendered_flow_is_exact(rendered, tmp_path):
    done = compute_table_flow(rendered, str(tmp_path / 'flow'), 'rendered', delta=3, stride=1)
    assert (done.targets, done.skipped) == (8, 0)
    people = Population(**json.loads((rendered / 'synthfacs.json').read_text())['population'])
    for image, target in read_flow_index(done.folder).items():
        exact = flow_of_frame(people, *people.parse(image), 3, 32)
        found = read_flow(target, (32, 32)) * 32
        np.testing.assert_array_equal(np.isnan(found).any(-1), ~exact.visible)
        np.testing.assert_allclose(found[exact.visible], exact.flow[exact.visible], atol=1e-2)
        assert np.load(target.file).dtype == np.float16


def test_partners_are_delta_frames_on_by_number(video):
    done = compute_table_flow(video, delta=1, stride=8)
    index = read_flow_index(done.folder)
    assert set(index) == {'T1_1.png', 'T1_4.png', 'T1_5.png'}  # 3 is missing, 6 is the last
    skipped = pd.read_csv(done.folder / 'skipped.csv')
    assert dict(zip(skipped['item'], skipped['reason'])) == {
        'T1_2.png': 'no frame 1 further on', 'T1_6.png': 'no frame 1 further on',
        'T2_1.png': 'a sequence of one frame'}
    assert skipped['line'].tolist() == [3, 6, 7]
    for target in index.values():
        flow = read_flow(target, (96, 96))
        assert flow.shape == (12, 12, 2)
        np.testing.assert_allclose(np.median(flow[2:-2, 2:-2] * 96, axis=(0, 1)), (2, 0), atol=.2)


def test_two_frames_on_move_twice_as_far(video):
    done = compute_table_flow(video, delta=2, stride=8)
    index = read_flow_index(done.folder)
    assert set(index) == {'T1_2.png', 'T1_4.png'}
    flow = read_flow(index['T1_2.png'], (96, 96)) * 96
    np.testing.assert_allclose(np.median(flow[2:-2, 2:-2], axis=(0, 1)), (4, 0), atol=.3)


def test_a_stopped_command_goes_on_and_a_damaged_file_is_made_again(rendered, tmp_path,
                                                                   monkeypatch):
    out = tmp_path / 'flow'
    first = compute_table_flow(rendered, str(out), 'rendered', delta=1)
    whole = {path.name: path.read_bytes() for path in sorted(out.rglob('*')) if path.is_file()}
    (out / 'flow.csv').unlink()
    damaged, lost = sorted((out / 'sequences').glob('*.npy'))[:2]
    damaged.write_bytes(damaged.read_bytes()[:-8] + b'\1' * 8)
    lost.unlink()
    calls = []
    original = flow_files._flow
    monkeypatch.setattr(flow_files, '_flow', lambda *args: calls.append(1) or original(*args))
    again = compute_table_flow(rendered, str(out), 'rendered', delta=1)
    assert (first.kept, again.kept, len(calls)) == (0, 2, 4)
    assert {path.name: path.read_bytes() for path in sorted(out.rglob('*'))
            if path.is_file()} == whole


def test_processes_give_the_same_bytes(rendered, tmp_path):
    files = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        compute_table_flow(rendered, str(out), 'rendered', workers=workers)
        files.append({path.name: path.read_bytes() for path in sorted(out.rglob('*.npy'))})
    assert files[0] == files[1] and len(files[0]) == 4


def test_another_delta_needs_another_folder(rendered, tmp_path):
    compute_table_flow(rendered, str(tmp_path / 'flow'), 'rendered', delta=1)
    with pytest.raises(ValueError, match='delta: 1 there, 2 asked for'):
        compute_table_flow(rendered, str(tmp_path / 'flow'), 'rendered', delta=2)


@pytest.mark.parametrize('rows, delta, words', [
    (['T1_1.png,P,1,A,1', 'T1_2.png,P,1,B,1'], 1, 'every sequence has one frame. Remedy: the col'),
    (['T1_1.png,P,1,A,1', 'T1_2.png,P,1,A,2'], 9,
     'no frame has another delta=9 frames on; the longest of 1 sequences has 2 frames. Remedy: a '
     'smaller --delta'),
    (['T1_1.png,P,1,A,1'], 0, 'delta is 0. Remedy')])
def test_too_short_sequences_in_words(video, rows, delta, words):
    write_table(video, rows)
    with pytest.raises(ValueError, match=words):
        compute_table_flow(video, delta=delta)


def test_images_that_cannot_be_used_are_listed(video):
    (video / 'T1_4.png').write_bytes(b'no image')
    cv2.imwrite(str(video / 'T1_6.png'), np.zeros((40, 40, 3), np.uint8))
    done = compute_table_flow(video)
    assert set(read_flow_index(done.folder)) == {'T1_1.png'}
    skipped = pd.read_csv(done.folder / 'skipped.csv').set_index('item')
    assert skipped.loc['T1_4.png', 'reason'] == 'unreadable image'
    assert 'have different sizes, 96x96 and 40x40' in skipped.loc['T1_5.png', 'detail']
    (video / 'T1_4.png').write_bytes((video / 'T1_5.png').read_bytes())
    assert 'T1_4.png' in read_flow_index(compute_table_flow(video).folder)  # it was restored


def test_cells_are_means_of_known_pixels():
    flow = np.random.default_rng(0).normal(size=(5, 6, 2))
    flow[0, 0], flow[2:4, 4:6] = np.nan, np.nan
    found = reduce_flow(flow, 2)
    assert found.shape == (3, 3, 2) and found.dtype == np.float16
    np.testing.assert_allclose(found[0, 0], (flow[0, 1] + flow[1, 0] + flow[1, 1]) / 3, atol=2e-3)
    np.testing.assert_allclose(found[2, 1], (flow[4, 2] + flow[4, 3]) / 2, atol=2e-3)
    assert np.isnan(found[1, 2]).all() and np.isfinite(found[0, 2]).all()


def test_the_command_counts_and_says_errors(video, capsys):
    assert main([str(video)]) == 0
    assert '3 frames have a flow' in (out := capsys.readouterr().out) and '3 have none' in out
    assert main([str(video / 'none.csv')]) == 2
    assert 'does not exist' in capsys.readouterr().err
