# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Killed and started again, or over two processes: the same bytes."""

import os
import signal

import numpy as np
import pandas as pd
import pytest
from small_releases import write_picture, write_text, write_video

from fmae_iat_plugin.converters import ConversionError, Options, convert_bp4d
from fmae_iat_plugin.converters.pipeline import start
from fmae_iat_plugin.datasets.summary import summarize_action_units
from fmae_iat_plugin.media import natural

pytestmark = pytest.mark.slow

OPTIONS = Options(image_format='png')


@pytest.fixture
def release(tmp_path):
    """Three sequences: a whole video, one that ends early, a folder."""
    root = tmp_path / 'release'
    for task, frames in (('T1', 3), ('T2', 4), ('T3', 2)):
        write_text(root / f'AU_OCC/F001_{task}.csv', '0,1',
                   *(f'{frame},{frame % 2}' for frame in range(1, frames + 1)))
    write_video(root / '2F01_01.avi', 4)
    write_video(root / '2F01_03.avi', 3)
    for number in (1, 2, 3):
        write_picture(root / f'F001/T3/{number:04d}.png', number)
    return root


def content(out):
    return {str(path.relative_to(out)): path.read_bytes()
            for path in sorted(out.rglob('*')) if path.is_file()}


def convert_in_child(release, out, kill_at=None, after=False):
    """Convert in a child process that kills itself at a call of os.replace; its exit signal."""
    child = os.fork()
    if child == 0:
        real, calls = os.replace, [0]

        def replace(*args, **kwargs):
            calls[0] += 1
            if calls[0] == kill_at and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*args, **kwargs)
            if calls[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = replace
        status = 1
        try:
            convert_bp4d(str(release), str(out), OPTIONS)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def test_killed_anywhere_and_started_again_gives_the_same_bytes(tmp_path, release):
    convert_bp4d(str(release), str(tmp_path / 'whole'), OPTIONS)
    expected = content(tmp_path / 'whole')
    assert len(expected) == 5 + 2 + 8  # table, lists, settings; two videos; eight images
    kills = 0
    for point in range(1, 20):
        out = tmp_path / f'killed{point}'
        killed = convert_in_child(release, out, kill_at=point, after=point % 2 == 0)
        kills += killed == signal.SIGKILL
        for name, data in content(out).items():  # nothing half-written under a final name
            assert '.part' in name or '.tmp' in name or name.startswith('.annot') \
                or data == expected[name]
        convert_bp4d(str(release), str(out), OPTIONS)
        assert content(out) == expected
        if not killed:
            break
    assert kills >= 13


def test_two_processes_give_the_same_bytes(tmp_path, release):
    for workers in (1, 2):
        convert_bp4d(str(release), str(tmp_path / str(workers)), OPTIONS, workers=workers)
    assert content(tmp_path / '1') == content(tmp_path / '2')


def test_the_output_may_lie_in_the_release(release):
    for _ in range(2):
        convert_bp4d(str(release), str(release / 'out'), OPTIONS)
    assert len(list((release / 'out/images').rglob('*.png'))) == 8


def test_an_output_folder_belongs_to_one_conversion(tmp_path, release):
    convert_bp4d(str(release), str(tmp_path / 'out'), OPTIONS)
    with pytest.raises(ConversionError, match='holds a conversion made with other settings'):
        convert_bp4d(str(release), str(tmp_path / 'out'), Options(halve=True))
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/annotation.csv').write_text('precious')
    with pytest.raises(ConversionError, match='annotation.csv, which this command did not write'):
        start(tmp_path / 'mine', {})
    assert (tmp_path / 'mine/annotation.csv').read_text() == 'precious'


def test_natural_order():
    assert sorted(['T10', 'T2', 'T1', '²', ''], key=natural) == ['', 'T1', 'T2', 'T10', '²']


@pytest.mark.parametrize('flip, warned', [(0.0, False), (0.028, False), (0.032, True)])
def test_prevalence_off_by_more_than_3_points_warns(flip, warned):
    """41 subjects and 141,000 frames with AU1 at the published 21.1 % plus ``flip``."""
    from fmae_iat_plugin.datasets.protocol import load_protocol
    names = np.repeat(load_protocol('bp4d').subjects, 3500)
    rate = 0.211 + flip
    labels = (np.arange(len(names)) < rate * len(names)).astype(np.float32)[:, None]
    table = pd.DataFrame(dict(image=np.arange(len(names)).astype(str), subject=names))
    summary = summarize_action_units('x', 'y', table, (1,), labels, [], 'bp4d', [])
    assert summary['compared']
    assert any('AU1 is positive' in w for w in summary['warnings']) == warned
    few = summarize_action_units('x', 'y', table[::2], (1,), labels[::2], [], 'bp4d', [])
    assert not few['compared'] and not any('positive' in w for w in few['warnings'])
    assert few['not_compared_because'].startswith('too small to compare: 41 of 41 subjects')
