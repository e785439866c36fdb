# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The command line of the emulated releases hands every option to the writer that knows it."""

import importlib.util
import inspect
import json

import pytest

from fmae_iat_plugin.datasets import read_annotation
from fmae_iat_plugin.datasets.synthfacs_releases import bp4d_family, disfa
from fmae_iat_plugin.parallel import Workers

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
