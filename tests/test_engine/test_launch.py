# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A process that trained on CPUs ends without a thread of its process group.

gloo's threads free tensors; where one does so while the interpreter ends, the process aborts
("terminate called without an active exception") now and then, after a training that went well.
"""

import os
import subprocess
import sys

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
