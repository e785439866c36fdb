# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A process that trained on CPUs ends without a thread of its process group; a folder has one
training at a time.

gloo's threads free tensors; where one does so while the interpreter ends, the process aborts
("terminate called without an active exception") now and then, after a training that went well.
"""

import os
import subprocess
import sys

import pytest

from fmae_iat_plugin.engine import launch
from fmae_iat_plugin.files import hold_folder

pytestmark = pytest.mark.slow

TOOL = """
import torch
from torch.nn.parallel import DistributedDataParallel

class Runner:
    def __init__(self):
        self.model = DistributedDataParallel(torch.nn.Linear(2, 1))
        self.model.runner = self

runner = Runner()
runner.model(torch.ones(3, 2)).sum().backward()
"""

SCRIPT = """
import os, sys, time, torch
from fmae_iat_plugin.engine import launch

torch.set_num_threads(1)
launch.mmpretrain_tool = lambda name: name
before = len(os.listdir('/proc/self/task'))
sys.argv = ['train.py', '--launcher', 'pytorch']
launch.run_mmpretrain_tool(os.environ['TOOL'])
deadline = time.monotonic() + 5  # a joined thread leaves /proc a moment later, a live one never
while len(os.listdir('/proc/self/task')) > before and time.monotonic() < deadline:
    os.sched_yield()
print('threads left', len(os.listdir('/proc/self/task')) - before)
"""


def test_no_thread_of_the_process_group_outlives_the_tool(tmp_path):
    tool = tmp_path / 'tool.py'
    tool.write_text(TOOL)
    environment = {**os.environ, 'TOOL': str(tool), 'CUDA_VISIBLE_DEVICES': '', 'RANK': '0',
                   'WORLD_SIZE': '1', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': '0'}
    result = subprocess.run([sys.executable, '-c', SCRIPT], env=environment, capture_output=True,
                            text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert 'threads left 0' in result.stdout


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Function (arguments): runs tools/train.py, whose place a script takes that notes its run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tool.py').write_text('open("ran", "a").write("x")')
    monkeypatch.setattr(launch, 'mmpretrain_tool', lambda name: tmp_path / 'tool.py')
    monkeypatch.setenv('RANK', '0')

    def call(*arguments, tool='train.py'):
        monkeypatch.setattr(sys, 'argv', [tool, *arguments])
        launch.run_mmpretrain_tool(tool)
        return (tmp_path / 'ran').read_text().count('x')

    return call


@pytest.mark.parametrize('text, arguments, folder', [
    ('', [], 'work_dirs/exp'),
    ('work_dir = "own"', ['--resume'], 'own'),
    ('work_dir = "own"', ['--amp', '--work-dir', 'given', '--launcher', 'none'], 'given'),
    ('', ['--work-dir', 'given', '--cfg-options', 'work_dir=last', 'a.b=1'], 'last')])
def test_a_second_training_in_a_folder_is_refused(train, tmp_path, monkeypatch, text, arguments,
                                                  folder):
    (tmp_path / 'exp.py').write_text(text)
    assert train('exp.py', *arguments) == 1
    with hold_folder(tmp_path / folder, 'a training'):
        with pytest.raises(SystemExit, match=f'error: .*{folder} is in use: a training'):
            train('exp.py', *arguments)
        with hold_folder(tmp_path / 'other', 'a training'):
            assert train('exp.py', *arguments, tool='test.py') == 2  # a test disturbs nobody
            monkeypatch.setenv('RANK', '1')  # the first process of a job holds for all
            assert train('exp.py', *arguments) == 3
            monkeypatch.setenv('RANK', '0')
    assert train('exp.py', *arguments) == 4


def test_without_a_config_the_tool_says_so(train):
    assert train('--help') == 1 and train('none.py') == 2
