# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The command line of the emulated releases hands every option to the writer that knows it."""

import importlib.util
import inspect
import json

import cv2
import numpy as np
import pytest

from fmae_iat_plugin.datasets import read_annotation
from fmae_iat_plugin.parallel import Workers
from fmae_iat_plugin.synthfacs.population import Population
from fmae_iat_plugin.synthfacs.releases import bp4d_family, disfa

pytestmark = pytest.mark.slow

BASE = {'out', 'subjects', 'frames', 'size', 'seed', 'workers'}


@pytest.fixture(scope='module')
def tool(repo):
    path = repo / 'tools/dataset_converters/synthfacs.py'
    spec = importlib.util.spec_from_file_location('synthfacs_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


EVERY_OPTION = {
    'bp4d': '--tasks T1 T3 --headers numbers --frames-as videos --first-frame 0 --video-names '
            'authors --codec XVID --framing crop --labels a b',
    'bp4dplus': '--tasks T6 --headers named --frames-as videos --first-frame 0 --codec XVID '
                '--framing crop --labels a',
    'disfa': '--codec XVID --framing crop --labels a', 'rafdb': '',
    'affectnet': '--layout folders', 'face9m': ''}


@pytest.mark.parametrize('name', EVERY_OPTION)
def test_options_are_those_of_the_writer(tool, name):
    common = ('OUT --subjects 3 --frames 4 --size 64 --seed 5 '
              '--workers 1 --backend ray --address auto')
    options = vars(tool.parse_args([name, *common.split(), *EVERY_OPTION[name].split()]))
    assert options.pop('format') == name and BASE <= set(options)
    assert options['workers'] == Workers(1, 'ray', 'auto')
    known = set(inspect.signature(tool.WRITERS[name]).parameters)
    known |= set({'bp4d': bp4d_family.Options, 'bp4dplus': bp4d_family.Options,
                  'disfa': disfa.Options}.get(name, disfa.Options)._fields) \
        if 'options' in known else set()
    assert set(options) <= known
    if name == 'bp4d':
        assert set(options) == (known | {'out', 'workers'}) - {'options'}
        assert options['tasks'] == ['T1', 'T3'] and options['labels'] == ['a', 'b']


def test_what_is_not_given_is_the_writers_default(tool):
    assert vars(tool.parse_args(['disfa', 'OUT'])) == dict(
        format='disfa', out='OUT', workers=Workers(0))


def test_a_release_from_the_command_line(tool, tmp_path, capsys):
    out = tmp_path / 'release'
    tool.main(['disfa', str(out), '--subjects', '1', '--frames', '5', '--size', '32', '--workers',
               '1', '--seed', '3'])
    assert f'complete: {out / "truth.csv"}' in capsys.readouterr().out
    assert len(read_annotation(out / 'truth.csv').labels) == 5
    assert json.loads((out / 'release.json').read_text())['seed'] == 3


@pytest.mark.parametrize('arguments', [['bp4d'], ['ck', 'OUT'], ['rafdb', 'OUT', '--codec', 'x'],
                                       ['bp4dplus', 'OUT', '--tasks', 'T2']])
def test_wrong_usage(tool, arguments):
    with pytest.raises(SystemExit):
        tool.parse_args(arguments)


def test_a_table_is_that_of_its_population(tool, tmp_path, capsys):
    out = tmp_path / 'faces'
    command = (f'table {out} --subjects 5 --frames 4 --size 24 --seed 7 --shortcut 0.5 --folds 2 '
               '--fold 2 --aus 12 1 --workers 1').split()
    people = Population(subjects=5, frames=4, seed=7, shortcut=.5, folds=2, fold=2, aus=(12, 1))
    assert tool.main(command) == 0
    assert capsys.readouterr().out == f'complete: {out / "annotations.csv"}\n'
    found, wanted = read_annotation(out / 'annotations.csv'), people.table()
    assert found.aus == (12, 1) and len(found.labels) == 20
    np.testing.assert_array_equal(found.labels, wanted.labels)
    for column in ('image', 'subject', 'sequence', 'frame'):
        assert found.frame[column].astype(str).tolist() == wanted.frame[column].tolist()
    for subject, frame in ((0, 3), (4, 1)):
        pixels = cv2.imread(str(out / people.path(subject, frame)))
        np.testing.assert_array_equal(pixels[..., ::-1], people.image(subject, frame, 24))
    written = {path: path.stat().st_mtime_ns for path in out.rglob('*')}
    assert tool.main(command) == 0  # complete: nothing is rendered again
    assert {path: path.stat().st_mtime_ns for path in out.rglob('*')} == written
    assert tool.main([*command, '--seed', '8']) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f'error: {out} holds faces made with other settings')
    assert 'Remedy' in error


def test_a_table_by_default_is_that_of_the_default_population(tool):
    assert vars(tool.parse_args(['table', 'OUT'])) == dict(
        format='table', out='OUT', workers=Workers(0))
