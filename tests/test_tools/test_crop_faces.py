# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The command line of the face crops: every argument arrives, results and errors are printed."""

import importlib.util
import sys
from unittest.mock import patch

import pytest

from fmae_iat_plugin.faces import CropError, CropOptions, DetectorSpec
from fmae_iat_plugin.parallel import Workers

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def tool(repo):
    spec = importlib.util.spec_from_file_location('crop_faces_tool', repo / 'tools/crop_faces.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(tool, line, **result):
    counts = dict(frames=3, detected=1, tracked=1, none=1, crops=2, table='T.csv', skipped='S.csv')
    with patch.object(sys, 'argv', ['crop_faces.py', *line.split()]), \
            patch.object(tool, 'crop_faces', return_value=counts, **result) as crop:
        tool.main()
    return crop.call_args.args


def test_defaults_are_those_of_the_package(tool, capsys):
    assert call(tool, 'IN OUT') == ('IN', 'OUT', DetectorSpec(), CropOptions(), None, Workers())
    assert capsys.readouterr().out == (
        '3 frames: 1 faces detected, 1 tracked, 1 frames without a face (listed in S.csv); 2 '
        'crops, T.csv\n')


def test_every_argument_arrives(tool):
    line = ('IN OUT --images PICTURES --detector x.py --checkpoint x.pth --label face --threshold '
            '0.3 --upsample 1 --device cuda:1 --batch-size 4 --faces central --margin 0.2 --square '
            '--size 112 --align 5 --halve --track 7 --image-format png --workers 2 --backend ray '
            '--address auto')
    assert call(tool, line) == (
        'IN', 'OUT', DetectorSpec('x.py', 'x.pth', 'face', .3, 1, 'cuda:1', 4),
        CropOptions('central', .2, True, 112, 5, True, 7, 'png'), 'PICTURES',
        Workers(2, 'ray', 'auto'))


def test_an_error_ends_with_its_message(tool):
    with pytest.raises(SystemExit, match='^error: no such thing$'):
        call(tool, 'IN OUT', side_effect=CropError('no such thing'))


def test_help_names_every_option(tool, capsys):
    with pytest.raises(SystemExit) as end:
        call(tool, '--help')
    text = capsys.readouterr().out
    assert end.value.code == 0
    for name in {*DetectorSpec._fields, *CropOptions._fields}:
        assert f'--{name.replace("_", "-")}' in text
