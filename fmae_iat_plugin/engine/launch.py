# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Run MMPretrain's own ``tools/train.py`` and ``tools/test.py``, on GPUs and on CPUs.

The tools and their options are MMPretrain's. This file adds only what they cannot do: a process
group on machines without a GPU, one training at a time in a ``work_dir``, and ``--trust-pickle``.
"""

import argparse
import gc
import os
import runpy
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Iterator, Optional

import mmpretrain
import torch
import torch.distributed as dist
from mmengine.config import Config, DictAction

from fmae_iat_plugin.files import hold_folder
from fmae_iat_plugin.trust import trust_pickle

_TRUST = '--trust-pickle'


def mmpretrain_tool(name: str) -> Path:
    """Path of a tool of the installed MMPretrain, e.g. ``'train.py'``.

    Raises:
        FileNotFoundError: If the installation carries no tools.
    """
    package = Path(mmpretrain.__file__).parent
    candidates = [package / '.mim' / 'tools' / name, package.parent / 'tools' / name]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(f'MMPretrain {mmpretrain.__version__} carries no tools/{name} (looked '
                            f'for {", ".join(map(str, candidates))}). Remedy: install it from its '
                            "wheel: pip install 'fmae_iat_plugin[stack]'.")


@contextmanager
def cpu_process_group(launcher: str) -> Iterator[bool]:
    """A gloo process group during a block, where torchrun or srun started processes without a GPU.

    MMEngine's own ``init_dist`` selects a CUDA device whatever the backend is, but keeps a group
    that exists already. Slurm's variables are read as it does. The block's end ends the group: the
    runner and its DDP model refer to each other and to it, so only the collector ends gloo's
    threads, and one that outlives the interpreter's end aborts the process.

    Args:
        launcher: The tool's ``--launcher``.

    Yields:
        bool: Whether a group was created.
    """
    if (launcher not in ('pytorch', 'slurm') or torch.cuda.is_available()
            or dist.is_initialized()):
        yield False
        return
    if launcher == 'slurm':
        for name, slurm in (('RANK', 'PROCID'), ('WORLD_SIZE', 'NTASKS'),
                            ('LOCAL_RANK', 'LOCALID')):
            os.environ[name] = os.environ[f'SLURM_{slurm}']
        os.environ.setdefault('MASTER_PORT', '29500')
        if 'MASTER_ADDR' not in os.environ:
            hosts = subprocess.run(['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']],
                                   capture_output=True, text=True, check=True).stdout.split()
            os.environ['MASTER_ADDR'] = hosts[0]
    dist.init_process_group('gloo')
    try:
        yield True
    finally:
        dist.destroy_process_group()
        gc.collect()


def is_first_process() -> bool:
    """Of a job of several, also before it has a process group."""
    return int(os.environ.get('RANK', os.environ.get('SLURM_PROCID', 0))) == 0


def training_folder(args: argparse.Namespace) -> Optional[str]:
    """Where MMPretrain's ``tools/train.py`` will write, None without a config.

    Args:
        args: ``config``, ``work_dir``, ``cfg_options`` of its command line.
    """
    if args.config is None or not Path(args.config).is_file():
        return None
    cfg = Config.fromfile(args.config, import_custom_modules=False)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('work_dirs', Path(args.config).stem)
    return (args.cfg_options or {}).get('work_dir', cfg.work_dir)


def run_mmpretrain_tool(name: str) -> None:
    """Run a tool of MMPretrain as a script, with this process's arguments.

    A training holds its ``work_dir``: a second one there would mix its checkpoints with the
    first one's, and remove them.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('config', nargs='?')
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--auto-scale-lr', action='store_true')
    parser.add_argument('--work-dir')
    parser.add_argument('--resume', nargs='?')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    parser.add_argument('--local_rank', '--local-rank')
    trusted = _TRUST in sys.argv  # MMPretrain's own parser does not know it
    sys.argv = [argument for argument in sys.argv if argument != _TRUST]
    known, rest = parser.parse_known_args()
    if {'-h', '--help'} & set(rest):
        sys.stdout.write(f'{_TRUST} (of this plugin): checkpoints may run the code in them; only '
                         'for your own files. The other options are MMPretrain\'s:\n\n')
    if known.auto_scale_lr:
        sys.exit('--auto-scale-lr: in these configs `batch_size` is the total over all GPUs '
                 '(TotalBatchSampler), so their number changes nothing and there is nothing to '
                 'scale. To train with another total, set train_dataloader.batch_size and '
                 'optim_wrapper.optimizer.lr = base learning rate * batch_size / 256.')
    with ExitStack() as held:
        if trusted:
            held.enter_context(trust_pickle())
        folder = training_folder(known) if name == 'train.py' and is_first_process() else None
        if folder is not None:
            try:
                held.enter_context(hold_folder(folder, 'a training'))
            except (ValueError, OSError) as error:
                sys.exit(f'error: {error}')
        held.enter_context(cpu_process_group(known.launcher))
        runpy.run_path(str(mmpretrain_tool(name)), run_name='__main__')
