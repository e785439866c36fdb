# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Trainings that are interrupted at chosen points, or killed, end as the undisturbed ones."""

import copy

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from fmae_iat_plugin.experiments import kill_resume
from fmae_iat_plugin.experiments.kill_resume import (
    HALF,
    KINDS,
    NAMED,
    SAVING,
    STEP,
    UNNAMED,
    UPDATED,
    VALIDATING,
    Moment,
    Victim,
    compare,
    config,
    differences,
    moments,
    train,
)
from fmae_iat_plugin.synthfacs import write_synthfacs


@pytest.fixture(scope='module')
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp('rendered')
    write_synthfacs(folder, subjects=6, frames=6, size=48, workers=1)
    return folder


class Interrupted(BaseException):
    pass


class Raising(Victim):
    """Ends the training by an exception instead of a kill."""

    def end(self, moment):
        raise Interrupted


@pytest.mark.slow
@pytest.mark.parametrize('kind, workers, points', [
    (KINDS[0], 0, [(0, STEP), (2, HALF), (3, UPDATED), (4, NAMED)]),
    (KINDS[1], 1, [(1, UPDATED), (3, VALIDATING), (4, UNNAMED)])])
def test_interrupted_at_chosen_points(faces, tmp_path, kind, workers, points):
    whole, parts = (config(kind, faces, tmp_path / name, workers, 2) for name in ('a', 'b'))
    train(copy.deepcopy(whole))
    for iteration, place in points:
        with pytest.raises(Interrupted):
            train(copy.deepcopy(parts), Raising(Moment(iteration, place)))
    train(parts)
    assert compare(tmp_path / 'a', tmp_path / 'b') == []


@pytest.mark.slow
def test_a_killed_training(tmp_path, capsys):
    """One real SIGKILL while a checkpoint is written, and one within an epoch."""
    command = ['--kills', '2', '--workers', '1', '--kinds', 'pretraining', '--epochs', '2',
               '--seed', '2', '--work-dir', str(tmp_path)]
    assert {moment.place for moment in moments(2, 12, False, 2)} == {STEP, HALF}
    assert kill_resume.main(command) == 0
    said = capsys.readouterr().out
    assert '2 kills, 1 of them within the saving' in said and 'bit for bit' in said
    assert said.rstrip().endswith('differing trainings 0')
    assert kill_resume.main(command) == 2  # the folder is not empty


def test_moments_are_drawn_from_a_seed():
    drawn = moments(20, 30, True)
    assert drawn == moments(20, 30, True) != moments(20, 30, True, seed=1)
    assert [moment.iteration for moment in drawn] == sorted(moment.iteration for moment in drawn)
    places = [moment.place for moment in drawn]
    assert set(places) == {STEP, UPDATED, VALIDATING, kill_resume.ANYWHERE, *SAVING}
    assert max(map(places.count, places)) <= 3 and sum(map(SAVING.count, places)) >= 6
    assert VALIDATING not in [moment.place for moment in moments(20, 30, False)]


def test_differences_are_named():
    history = HistoryBuffer()
    history.update(1.)
    one = dict(a=dict(w=torch.ones(2), n=[1, float('nan')]), log=dict(loss=history, time=1.))
    assert list(differences(one, copy.deepcopy(one))) == []
    other = copy.deepcopy(one)
    other['a']['w'][1] += torch.finfo(torch.float32).eps
    other['log']['loss'].update(2.)
    other['log']['time'] = 2.
    other['a']['n'][0] = 2
    other['more'] = np.ones(1)
    assert sorted(differences(one, other)) == ['.a.n.0', '.a.w', '.log.loss.0', '.log.loss.1',
                                               '.more']
