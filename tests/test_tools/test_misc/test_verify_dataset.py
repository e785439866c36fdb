# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The exit code and the JSON file of tools/misc/verify_dataset.py."""

import json
import runpy
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def run(repo, monkeypatch):
    def call(*args) -> int:
        monkeypatch.setattr(sys, 'argv', ['verify_dataset.py', *map(str, args)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(repo / 'tools/misc/verify_dataset.py'), run_name='__main__')
        return end.value.code

    return call


def test_exit_codes(run, face_table, tmp_path, capsys):
    root = face_table(['a.png,anna,1,0', 'b.png,ben,0,'])
    assert run(root, '--json', tmp_path / 'report.json') == 0
    assert json.loads((tmp_path / 'report.json').read_text())['problems'] == []
    (root / 'b.png').write_bytes(b'')
    assert run(root / 'annotation.csv', '--json', tmp_path / 'report.json') == 1
    report = json.loads((tmp_path / 'report.json').read_text())
    assert [(p['check'], p['item'], p['line']) for p in report['problems']] == [
        ('unreadable', 'b.png', 3)]
    assert report['checks']['unreadable'] == 1 and sum(report['checks'].values()) == 1
    assert 'unreadable: b.png, line 3' in capsys.readouterr().out


@pytest.mark.parametrize('args, message', [
    (['nowhere.csv'], 'does not exist'), (['--protocol', 'bp5d', '.'], "protocol 'bp5d'"),
    ([], 'required: table'), (['.', '--backend', 'dask'], 'invalid choice')])
def test_usage(run, args, message, capsys, face_table, monkeypatch):
    monkeypatch.chdir(face_table(['a.png,anna,1,0']))
    assert run(*args) == 2
    assert message in capsys.readouterr().err
