# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""``fmae-iat``: the tools by name, with configs of the installation, and help without a stack."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fmae_iat_plugin import cli
from fmae_iat_plugin.errors import STOPPED
from fmae_iat_plugin.version import __version__
from fmae_iat_plugin.weights import zoo_index

#: asks each command for help where the packages of the stack cannot be imported
WITHOUT_STACK = '''
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

sys.meta_path.insert(0, Absent())
sys.argv = ['/somewhere/bin/fmae-iat']
from fmae_iat_plugin import cli
for name in cli.COMMANDS:
    sys.stdout.flush()
    print('COMMAND', name, cli.main([name, '--help']))
print('COMMAND train-without', cli.main(['train', 'configs/iat/bp4d_fold1.py']))
print('COMMAND zoo-without', cli.main(['zoo', 'list']))
'''


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Function (text, suffix): the command ``predict`` is a tool of this text."""
    def make(text, suffix='.py'):
        (tmp_path / f'tool{suffix}').write_text(text)
        monkeypatch.setattr(cli, 'COMMANDS', {'predict': f'tool{suffix}'})
        monkeypatch.setattr(cli, 'tools', lambda: tmp_path)
        monkeypatch.setattr(sys, 'argv', list(sys.argv))

    return make


def test_every_command_is_a_tool_and_says_what_it_does(repo, capsys):
    assert cli.tools() == repo / 'tools'
    assert cli.main(['--help']) == 0
    rows = dict(re.findall(r'^  ([\w-]+) +(.+)$', capsys.readouterr().out, re.MULTILINE))
    assert list(rows) == list(cli.COMMANDS)
    for name, path in cli.COMMANDS.items():
        assert (repo / 'tools' / path).exists(), name
        if path.endswith('.py'):
            assert f'"""{rows[name]}' in (repo / 'tools' / path).read_text()
    assert cli.main([]) == 2  # no command is a mistake


def test_the_converters_are_commands_of_convert(repo, capsys):
    assert cli.main(['convert', '--help']) == 0
    said = capsys.readouterr().out
    assert set(re.findall(r'^  (\w+) ', said, re.MULTILINE)) == {
        path.stem for path in (repo / 'tools/dataset_converters').glob('*.py')}


@pytest.mark.parametrize('arguments, words', [(['trian'], 'fmae-iat trian: no such command'),
                                              (['convert', 'x'], 'fmae-iat convert x: no such')])
def test_a_name_that_is_not_known_is_said(arguments, words, capsys):
    assert cli.main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize('text, code, out, err', [
    ('import sys; print(sys.argv[1:])', 0, "['a', '--b']\n", ''),
    ('import sys; sys.exit(3)', 3, '', ''), ('import sys; sys.exit()', 0, '', ''),
    ('import sys; sys.exit("error: no")', 1, '', 'error: no\n'),
    ('import no_such_package', 2, '', "error: No module named 'no_such_package'\n"),
    ('raise KeyboardInterrupt', 130, '', STOPPED)])
def test_arguments_reach_the_tool_and_its_exit_code_the_caller(tool, capfd, text, code, out, err):
    tool(text)
    assert cli.main(['predict', 'a', '--b']) == code
    assert capfd.readouterr() == (out, err)


def test_shell_tools_get_this_interpreter(tool, capfd):
    tool('echo "$PYTHON" "$@"; exit 4', '.sh')
    assert cli.main(['predict', 'a b', 'c']) == 4
    assert capfd.readouterr().out == f'{sys.executable} a b c\n'


def test_a_config_of_the_installation_is_found_but_a_file_here_comes_first(repo, tmp_path,
                                                                           monkeypatch):
    names = ['configs/iat/bp4d_fold1.py', 'configs/none.py', '--launcher', 'configs']
    monkeypatch.chdir(tmp_path)
    assert cli.with_installed_configs(names) == [str(repo / names[0]), *names[1:]]
    Path(names[0]).parent.mkdir(parents=True)
    Path(names[0]).touch()
    assert cli.with_installed_configs(names) == names


def test_an_installation_without_tools_says_so(monkeypatch, capsys):
    monkeypatch.setattr(zoo_index, 'zoo_root', lambda: None)
    assert cli.main(['predict']) == 2 and 'Remedy: pip install' in capsys.readouterr().err


def test_version(capsys):
    assert cli.main(['--version']) == 0 and capsys.readouterr().out == f'{__version__}\n'


def test_help_of_every_command_without_the_stack():
    done = subprocess.run([sys.executable, '-c', WITHOUT_STACK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    codes = dict(re.findall(r'^COMMAND (\S+) (\d+)$', done.stdout, re.MULTILINE))
    assert codes.pop('train-without') == codes.pop('zoo-without') == '2'
    assert set(codes) == set(cli.COMMANDS) and set(codes.values()) == {'0'}
    assert len(re.findall(r'^(?:usage: |  bash )', done.stdout, re.MULTILINE)) == len(codes)
    assert done.stderr.count("pip install 'fmae_iat_plugin[stack]'") == 2  # train, zoo instead
