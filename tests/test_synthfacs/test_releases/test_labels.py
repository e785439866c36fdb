# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Sampled labels have the published prevalence; real ones are read as they stand."""

import gzip

import numpy as np
import pytest

from fmae_iat_plugin.synthfacs.releases.labels import (
    PREVALENCE,
    markov,
    read_label_table,
    sample_occurrence,
    stream,
)


def runs(states):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], states.astype(int), [0]])))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize('prevalence, run', [(.05, 30), (.3, 10), (.594, 4)])
def test_markov_has_the_prevalence_and_the_runs(prevalence, run):
    states = markov(np.random.default_rng(0), prevalence, 200_000, run)
    assert states.mean() == pytest.approx(prevalence, rel=.08)
    assert runs(states).mean() == pytest.approx(run, rel=.08)


def test_markov_begins_in_its_stationary_state():
    rng = np.random.default_rng(1)
    first = [markov(rng, .2, 1, 50)[0] for _ in range(5000)]
    assert np.mean(first) == pytest.approx(.2, abs=.02)


def test_frequent_actions_have_runs_that_are_possible():
    assert markov(np.random.default_rng(0), .9, 50_000, 1).mean() == pytest.approx(.9, abs=.01)


def test_published_prevalence():
    """The twelve and eight AUs of the usual protocols, in percent."""
    bp4d = [PREVALENCE['bp4d'][a] for a in (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)]
    assert np.round(np.array(bp4d) * 100, 1).tolist() == [
        21.1, 17.0, 20.3, 46.1, 54.9, 59.4, 56.2, 46.6, 16.9, 34.4, 16.5, 15.1]
    disfa = [PREVALENCE['disfa'][a] for a in (1, 2, 4, 6, 9, 12, 25, 26)]
    assert np.round(np.array(disfa) * 100, 1).tolist() == [
        5.0, 4.0, 15.0, 7.9, 4.2, 12.9, 27.8, 8.9]


def test_recordings_together_have_the_prevalence():
    parts = [sample_occurrence(0, f'F{k:03d}_T1', {12: .562, 1: .211}, 60) for k in range(400)]
    for au, share in ((12, .562), (1, .211)):
        assert np.mean([p[au] for p in parts]) == pytest.approx(share, abs=.03)


def test_streams_are_independent_and_repeatable():
    draws = {key: stream(*key).random() for key in [(0, 'a'), (0, 'b'), (1, 'a'), (0, 'a', 1)]}
    assert len(set(draws.values())) == 4
    assert stream(0, 'a').random() == draws[0, 'a']


def write(path, *rows, header='image_path,au1,au12'):
    text = '\n'.join([header, *rows]) + '\n'
    if path.suffix == '.gz':
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_tables_are_merged_and_sorted(tmp_path):
    one = write(tmp_path / 'a.csv.gz', 'x/F001/T1/00012.jpg,1,0', 'x/F001/T1/00003.jpg,0,1',
                'x/F001/T2/1.jpg,1,1')
    two = write(tmp_path / 'b.csv', 'x/M002/T1/7.png,0,0')
    out = read_label_table([one, two], r'[FM]\d{3}', True)
    assert set(out) == {('F001', 'T1'), ('F001', 'T2'), ('M002', 'T1')}
    assert out['F001', 'T1'].frames.tolist() == [3, 12]
    assert out['F001', 'T1'].occurrence[1].tolist() == [False, True]
    assert out['F001', 'T1'].occurrence[12].tolist() == [True, False]


@pytest.mark.parametrize('rows, header, message', [
    (['x/F001/T1/1.jpg,1,2'], 'image_path,au1,au12', r'line 2: labels .*not all 0 or 1'),
    (['x/F001/T1/1.jpg,1,0', 'x/1.jpg,1,0'], 'image_path,au1,au12', r"line 3: image path 'x/1"),
    (['x/F001/T1/1.jpg,1,0', 'y/F001/T1/01.jpg,1,0'], 'image_path,au1,au12',
     'line 3: frame 1 of F001 T1 was already'),
    (['x/F001/T1/1.jpg,1'], 'image_path,au27', 'line 1: AU columns au27'),
    (['x/F001/T1/1.jpg,1'], 'image_path,smile', 'line 1: AU columns none')])
def test_tables_that_cannot_be_read(tmp_path, rows, header, message):
    path = write(tmp_path / 'bad.csv', *rows, header=header)
    with pytest.raises(ValueError, match=message):
        read_label_table(path, r'[FM]\d{3}', True)


def test_missing_table(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.csv'):
        read_label_table(tmp_path / 'nowhere.csv', 'F001', True)


def test_real_lists(real_data):
    """Frames and subjects of the first parts as published."""
    bp4d = read_label_table(real_data / 'au_labels/bp4d_part1.csv.gz', r'[FM]\d{3}', True)
    assert sum(len(s.frames) for s in bp4d.values()) == 50_579
    assert len({subject for subject, _ in bp4d}) == 14
    disfa = read_label_table(real_data / 'au_labels/disfa_part1.csv.gz', r'SN\d{3}', False)
    assert sum(len(s.frames) for s in disfa.values()) == 43_545
