# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""``tools/dist_train.sh CONFIG 2`` equals ``tools/train.py CONFIG``, labels unevenly spread.

Most images have neither a coded AU nor a known subject, so that in some steps one process, in
others both have nothing to learn from.
"""

import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faces import read_batch, write_faces
from launching import HERE, ROOT, launch

from fmae_iat_plugin.engine.stopping import STOPPED_CODE

pytestmark = pytest.mark.slow

@pytest.fixture(scope='module')
def runs(tmp_path_factory, read_trained):
    """The faces' folder, the training of one process and that of two."""
    faces = tmp_path_factory.mktemp('faces')
    write_faces(faces, empty=0.7, missing=0.3, unknown=0.3)
    config, trained = str(HERE / 'parity_config.py'), []
    for command in ([sys.executable, str(ROOT / 'tools' / 'train.py'), config],
                    ['bash', str(ROOT / 'tools' / 'dist_train.sh'), config, '2']):
        work_dir = tmp_path_factory.mktemp('work')
        result = launch(command, faces, work_dir)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-6000:]
        trained.append(read_trained(work_dir))
    return faces, *trained


def test_the_batches_are_the_same_and_unevenly_labelled(runs):
    faces, one, two = runs
    assert len(one.ranks) == 1 and len(two.ranks) == 2
    assert len(one.steps) == len(two.steps) == 20
    bare_ranks = []
    for step, *parts in zip(one.steps, *two.ranks, strict=True):
        assert sorted(step['images']) == sorted(parts[0]['images'] + parts[1]['images'])
        assert len(parts[0]['images']) == len(parts[1]['images']) == 2
        bare = 0
        for part in parts:
            _, labels, people = read_batch(faces, part['images'])
            bare += bool(labels.isnan().all() and (people < 0).all())
        bare_ranks.append(bare)
    assert set(bare_ranks) == {0, 1, 2}
    assert len({tuple(step['images']) for step in one.steps}) == 20  # two epochs, two orders


def test_losses_averaged_over_the_processes_are_those_of_one(runs):
    _, one, two = runs
    for step, *parts in zip(one.steps, *two.ranks, strict=True):
        for name in ('loss_au', 'loss_id', 'loss'):
            mean = sum(part[name] for part in parts) / 2
            assert mean == pytest.approx(step[name], abs=1e-6), name


def test_rates_and_weights_are_those_of_one(runs, assert_same_weights):
    _, one, two = runs
    assert all(step['rates'] == part['rates'] for rank in two.ranks
               for step, part in zip(one.steps, rank, strict=True))
    assert_same_weights(two.initial, one.initial, atol=0)
    assert min((one.final[name] - one.initial[name]).abs().max() for name in one.final) > 1e-3
    assert_same_weights(two.final, one.final, atol=1e-5)


#: in srun's place: as many tasks as it is told, each on a node of its own
SRUN = '''#!/bin/bash
for argument; do
    case "$argument" in --ntasks=*) tasks="${argument#*=}" ;; esac
done
while [ "$1" != --kill-on-bad-exit=1 ]; do shift; done
shift
for ((task = 1; task < tasks; task++)); do
    SLURM_PROCID=$task SLURM_LOCALID=0 SLURM_NTASKS=$tasks SLURM_NODELIST=a,b "$@" &
done
SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=$tasks SLURM_NODELIST=a,b "$@" && wait
'''


def launch_nodes(config, faces, work_dir):
    """The same command on two nodes, one process each, as dist_train.sh says."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda rank: launch(
            ['bash', str(ROOT / 'tools' / 'dist_train.sh'), config, '1'], faces, work_dir,
            NNODES='2', NODE_RANK=rank, PORT=port), '01'))


def launch_slurm(config, faces, work_dir, folder, **variables):
    scontrol = f'#!/bin/bash\necho "$@" >>{folder}/scontrol.txt; echo 127.0.0.1; echo b\n'
    for name, text in (('srun', SRUN), ('scontrol', scontrol)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path = f'{folder}:{Path(sys.executable).parent}:{os.environ["PATH"]}'
    return [launch(['env', '-u', 'MASTER_ADDR', 'bash', str(ROOT / 'tools' / 'slurm_train.sh'),
                    'partition', 'job', config, str(work_dir)], faces, work_dir, PATH=path,
                   GPUS='2', GPUS_PER_NODE='0', **variables)]


@pytest.mark.parametrize('how', ['two machines', 'Slurm'])
def test_two_nodes_are_one_node(runs, tmp_path, read_trained, assert_same_weights, how):
    """Losses of all 20 steps, and weights, of one process on each of two nodes."""
    faces, _, one_node = runs
    config, work_dir = str(HERE / 'parity_config.py'), tmp_path / 'work'
    done = (launch_nodes(config, faces, work_dir) if how == 'two machines'
            else launch_slurm(config, faces, work_dir, tmp_path))
    for result in done:
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-6000:]
    nodes = read_trained(work_dir)
    assert len(nodes.ranks) == 2 and len(nodes.steps) == 20
    for rank, wanted in zip(nodes.ranks, one_node.ranks, strict=True):
        for step, truth in zip(rank, wanted, strict=True):
            assert step['images'] == truth['images']
            for name in ('loss_au', 'loss_id', 'loss'):
                assert step[name] == pytest.approx(truth[name], abs=1e-5), name
    assert_same_weights(nodes.final, one_node.final, atol=1e-5)


def test_a_preempted_job_is_requeued_and_ends_as_the_undisturbed_one(
        runs, tmp_path, read_trained, assert_same_weights):
    """Slurm's signal reaches one of two nodes within the second epoch; both save, leave, resume."""
    faces, _, one_node = runs
    config, work_dir = str(HERE / 'requeue_config.py'), tmp_path / 'work'
    asked = tmp_path / 'scontrol.txt'
    first, = launch_slurm(config, faces, work_dir, tmp_path, SLURM_JOB_ID='4711', PREEMPT_AT='13')
    assert first.returncode == STOPPED_CODE, first.stdout[-2000:] + first.stderr[-6000:]
    assert asked.read_text().splitlines().count('requeue 4711') == 1
    assert not (work_dir / 'record_0.json').exists()  # it was not over
    again, = launch_slurm(config, faces, work_dir, tmp_path, SLURM_JOB_ID='4711',
                          SLURM_RESTART_COUNT='1')
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-6000:]
    resumed = read_trained(work_dir)
    left = len(resumed.steps)
    assert 0 < left < 8 and asked.read_text().splitlines().count('requeue 4711') == 1
    for rank, wanted in zip(resumed.ranks, one_node.ranks, strict=True):
        assert [step['images'] for step in rank] == [step['images'] for step in wanted[-left:]]
    assert_same_weights(resumed.final, one_node.final, atol=1e-5)
