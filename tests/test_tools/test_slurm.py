# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""tools/slurm_train.sh and slurm_test.sh, with a stub in srun's place that notes its arguments."""

import os
import shutil
import subprocess

import pytest

STUB = '#!/bin/bash\nprintf "%s\\n" "PORT $MASTER_PORT" "$@" >"$NOTED"\nexit ${CODE:-0}\n'


@pytest.fixture
def slurm(repo, tmp_path):
    """Function (script, *arguments, **variables): (exit code, port, options of srun, command)."""
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin/srun').write_text(STUB)
    (tmp_path / 'bin/srun').chmod(0o755)

    def call(script, *arguments, **variables):
        noted = tmp_path / 'noted'
        done = subprocess.run(['bash', str(script), *arguments], cwd=tmp_path, env={
            'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}', 'NOTED': str(noted), **variables})
        port, *rest = noted.read_text().splitlines()
        first = rest.index('-u') - 1
        return done.returncode, port, rest[:first], rest[first:]

    return call


def test_eight_gpus_a_node_unless_told_otherwise(repo, slurm):
    code, port, options, command = slurm(repo / 'tools/slurm_train.sh', 'gpu', 'job', 'c.py', 'out',
                                         '--amp')
    assert (code, port) == (0, 'PORT 29500')
    assert options == ['-p', 'gpu', '--job-name=job', '--gres=gpu:8', '--ntasks=8',
                       '--ntasks-per-node=8', '--cpus-per-task=8', '--kill-on-bad-exit=1']
    assert command == ['python', '-u', str(repo / 'tools/train.py'), 'c.py', '--work-dir', 'out',
                       '--launcher', 'slurm', '--amp']


@pytest.mark.parametrize('gpus, per_node, gres, tasks', [
    ('16', '8', ['--gres=gpu:8'], '8'), ('2', '8', ['--gres=gpu:2'], '2'), ('3', '0', [], '3')])
def test_the_variables_of_openmmlab(repo, slurm, gpus, per_node, gres, tasks):
    _, port, options, command = slurm(
        repo / 'tools/slurm_test.sh', 'gpu', 'job', 'c.py', 'e.pth', GPUS=gpus,
        GPUS_PER_NODE=per_node, CPUS_PER_TASK='5', SRUN_ARGS='--quotatype=spot -x node1',
        PORT='1234', PYTHON='python9')
    assert port == 'PORT 1234'
    assert options == ['-p', 'gpu', '--job-name=job', *gres, f'--ntasks={gpus}',
                       f'--ntasks-per-node={tasks}', '--cpus-per-task=5', '--kill-on-bad-exit=1',
                       '--quotatype=spot', '-x', 'node1']
    assert command == ['python9', '-u', str(repo / 'tools/test.py'), 'c.py', 'e.pth', '--launcher',
                       'slurm']


def test_a_job_that_was_requeued_resumes_and_its_exit_code_is_sruns(repo, slurm):
    train = repo / 'tools/slurm_train.sh'
    for count, resumes in (('0', False), ('2', True)):
        code, _, _, command = slurm(train, 'gpu', 'job', 'c.py', 'out', '--amp', CODE='75',
                                    SLURM_RESTART_COUNT=count)
        assert code == 75 and command[-1] == '--amp' and ('--resume' in command) is resumes


def test_sbatch_runs_a_copy_of_the_script(repo, slurm, tmp_path):
    shutil.copy(repo / 'tools/slurm_train.sh', tmp_path / 'slurm_script')
    _, _, _, command = slurm(tmp_path / 'slurm_script', 'gpu', 'job', 'c.py', 'out',
                             SLURM_SUBMIT_DIR=str(repo))
    assert command[2] == str(repo / 'tools/train.py')
