# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Starts a training by a tool of the plugin, with processes of its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def launch(command, faces, work_dir, **variables):
    """Run ``command`` on two epochs of ``faces``, 4 images a batch."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        'PYTHONPATH': f'{ROOT}:{HERE}', 'PORT': str(port), 'MASTER_ADDR': '127.0.0.1',
        'NNODES': '1', 'NODE_RANK': '0', 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '',
        **variables}
    return subprocess.run(
        [*command, '--work-dir', str(work_dir), '--cfg-options',
         f'train_dataloader.dataset.data_root={faces}', 'train_dataloader.batch_size=4',
         'optim_wrapper.optimizer.lr=2e-3', 'train_cfg.max_epochs=2'],
        cwd=faces, env=environment, capture_output=True, text=True, timeout=300)
