# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""tools/export_onnx.py: what it prints, and errors of one line."""

import runpy

import pytest

from fmae_iat_plugin.inference import export
from fmae_iat_plugin.inference.export import Exported

pytestmark = pytest.mark.slow


@pytest.fixture
def tool(repo):
    return runpy.run_path(str(repo / 'tools' / 'export_onnx.py'))


def test_numbers_are_printed(tool, monkeypatch, capsys):
    calls = []

    def export_onnx(*arguments):
        calls.append(arguments)
        return Exported(2.4e-6, 64, (56.91, 55.4), 800)

    monkeypatch.setitem(tool['main'].__globals__, 'export_onnx', export_onnx)
    assert tool['main']('c.py w.pth x.onnx --int8 --calibration faces '
                        '--calibration-faces 64'.split()) == 0
    assert tool['main']('c.py w.pth x.onnx --int8 --no-f1 --calibration-method '
                        'entropy'.split()) == 0
    assert calls == [('c.py', 'w.pth', 'x.onnx', True, 'faces', 64, True, 'minmax', False),
                     ('c.py', 'w.pth', 'x.onnx', True, None, 128, False, 'entropy', False)]
    assert capsys.readouterr().out.splitlines()[:3] == [
        'x.onnx: largest difference from PyTorch 2.4e-06 (before int8)',
        'int8, calibrated with 64 faces',
        'mean F1 on 800 test frames: 56.91 %, int8 55.40 %, change -1.51']


@pytest.mark.parametrize('arguments,message', [
    ('none.py w.pth x.onnx', 'none.py'),
    ('CONFIG none.pth x.onnx', 'checkpoint none.pth does not exist'),
    ('CONFIG w.pth x.pb', 'x.pb does not end with .onnx')])
def test_errors_are_one_line(tool, repo, monkeypatch, tmp_path, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, 'import_onnxruntime', lambda: None)
    config = str(repo / 'configs/custom/own_table_tiny_48px.py')
    assert tool['main'](arguments.replace('CONFIG', config).split()) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('error: ') and message in error
    assert list(tmp_path.iterdir()) == []
