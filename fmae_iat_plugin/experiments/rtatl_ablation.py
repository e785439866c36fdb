# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RTATL's tasks one by one on rendered faces, with few and with all labels.

::

    python tools/benchmark/rtatl.py --work-dir work_dirs/rtatl

renders people, their landmarks and their flow, trains every arm on every seed, tests on people that
were never seen, and prints the tables of docs/en/rtatl_runs.md. Finished runs are skipped.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import fmae_iat_plugin  # noqa: F401  registers
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.faces.flow_files import compute_table_flow
from fmae_iat_plugin.faces.landmark_files import find_table_landmarks
from fmae_iat_plugin.files import claim_folder, whole_named_file, write_whole
from fmae_iat_plugin.synthfacs import write_synthfacs
from fmae_iat_plugin.weights.zoo_index import configs_root

from .rtatl_measure import flow_errors, infilling_errors, predictions, test_data
from .rtatl_tables import tables
from .run_cost import cpu_seconds

FACES = dict(subjects=36, frames=60, size=64, shortcut=0.0, aus=(1, 2, 4, 6, 9, 12, 25, 26))
DELTA = 4  # frames to the future that the flow leads to
SEEDS = (11, 12, 13)
#: name -> config; the last has its own regions for each face in training
ARMS = {'none': 'none', 'inpainting': 'inpainting', 'flow': 'flow', 'both': 'rtatl',
        'both + IAT': 'rtatl-iat', 'both, landmarks': 'rtatl'}
BATCH = 32
#: percent of the labels -> epochs (passes over the labelled frames): 450 updates each
EPOCHS = {10: 50, 100: 10}
EVERY = 4  # in-filling is measured on each fourth unseen face


class Run(NamedTuple):
    """One training.

    Attributes:
        arm (str): Of :data:`ARMS`.
        percent (int): Of the training frames that keep their labels.
        seed (int): Of people, labels and training.
    """

    arm: str
    percent: int
    seed: int

    @property
    def folder(self) -> str:
        """Of the run, below the work dir."""
        name = self.arm.replace(', ', '-').replace(' + ', '-').lower()
        return f'seed{self.seed}/{name}_{self.percent}'


def planned(seeds: Sequence[int] = SEEDS) -> List[Run]:
    """All runs, seed by seed: five arms with 10 and 100 % of the labels, landmarks with 100 %."""
    return [Run(arm, percent, seed) for seed in seeds for percent in (10, 100) for arm in ARMS
            if percent == 100 or arm != 'both, landmarks']


def prepare(work: Path, seed: int, faces: dict) -> None:
    """Render the people of a seed, with landmarks and flow."""
    out = work / f'seed{seed}' / 'faces'
    write_synthfacs(out, seed=seed, workers=1, **faces)
    if not (out / 'landmarks.csv').is_file():
        find_table_landmarks(out, source='rendered')
    if not (out / 'flow' / 'flow.csv').is_file():
        compute_table_flow(out, method='rendered', delta=DELTA, stride=2)


def run_config(run: Run, work: Path, epochs: Optional[Dict[int, int]] = None,
               options: Optional[dict] = None) -> Config:
    """The config of a run.

    Without unlabelled frames (``none``, or all labels) a batch has the labelled half alone, so that
    all arms see the same labelled frames in the same number of updates; with all labels it has 32.
    """
    os.environ['RTATL_DIR'] = str(work / f'seed{run.seed}')
    cfg = Config.fromfile(configs_root() / 'rtatl' / f'{ARMS[run.arm]}_synthfacs.py')
    labelled = BATCH // 2 if run.percent < 100 else BATCH
    alone = run.arm == 'none' or run.percent == 100
    cfg.merge_from_dict({
        'train_dataloader.dataset.labelled': run.percent / 100,
        'train_dataloader.dataset.label_seed': run.seed,
        'train_dataloader.batch_size': labelled if alone else BATCH,
        'train_dataloader.batch_sampler.labelled': labelled,
        'randomness.seed': run.seed, 'work_dir': str(work / run.folder),
        'default_hooks.checkpoint': dict(type='CheckpointHook', interval=-1, save_last=True,
                                         max_keep_ckpts=2),
        'log_level': 'WARNING',
        'env_cfg.mp_cfg.opencv_num_threads': 1})
    if run.arm == 'both, landmarks':
        cfg.model.neck.regions = 'landmarks'
    cfg.train_cfg.max_epochs = (epochs or EPOCHS)[run.percent]
    cfg.train_cfg.val_interval = cfg.train_cfg.max_epochs
    cfg.param_scheduler.warmup_epochs = cfg.train_cfg.max_epochs / 10
    cfg.merge_from_dict(options or {})
    return cfg


def train_and_measure(run: Run, work: Path, epochs: Optional[Dict[int, int]] = None,
                      options: Optional[dict] = None) -> dict:
    """Train a run and measure it on the unseen people; what it leaves is ``result.json`` and
    ``predictions.npz``. A finished run is read."""
    folder = work / run.folder
    if (folder / 'result.json').is_file():
        return json.loads((folder / 'result.json').read_text(encoding='utf-8'))
    init_default_scope('mmpretrain')
    begun, cfg = cpu_seconds(), run_config(run, work, epochs, options)
    cfg.experiment_name = run.folder.replace('/', '_') + f'_{os.getpid()}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    model = runner.model.eval()
    trained = cpu_seconds() - begun
    dataset = test_data(cfg)
    stored = predictions(model, dataset)
    result = dict(run._asdict(), cpu_seconds=round(trained, 1), epochs=cfg.train_cfg.max_epochs,
                  updates=runner.iter)
    if run.arm == 'both, landmarks':
        stored['scores_landmarks'] = predictions(model, dataset, landmarks=True)['scores']
    if model.inpainting is not None:
        for name, values in infilling_errors(model, dataset, EVERY).items():
            stored[f'infilling_{name}'] = values
    if model.flow is not None:
        for name, values in flow_errors(model, dataset).items():
            stored[f'flow_{name}'] = values
    with whole_named_file(folder / 'predictions.npz') as partial:
        np.savez_compressed(partial, **stored)
    write_whole(folder / 'result.json', json.dumps(result, indent=2).encode())
    return result


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code: 0, or 2 with one line that says why."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work-dir', default='work_dirs/rtatl')
    parser.add_argument('--seeds', type=int, nargs='+', default=list(SEEDS))
    parser.add_argument('--arms', nargs='+', choices=list(ARMS), default=list(ARMS))
    parser.add_argument('--percents', type=int, nargs='+', choices=(10, 100), default=[10, 100])
    parser.add_argument('--tables', action='store_true', help='print the tables of what is there, '
                        'train nothing')
    args = parser.parse_args(arguments)
    work = Path(args.work_dir).resolve()
    runs = [run for run in planned(args.seeds) if run.arm in args.arms
            and run.percent in args.percents]
    try:
        work.mkdir(parents=True, exist_ok=True)
        claim_folder(work, 'ablation.json', dict(faces=FACES, delta=DELTA), 'an ablation')
        if not args.tables:
            for run in runs:
                prepare(work, run.seed, FACES)
                result = train_and_measure(run, work)
                sys.stderr.write(f'{run.folder}: {result["updates"]} updates, '
                                 f'{result["cpu_seconds"]} s of CPU\n')
        sys.stdout.write(tables(work, [run for run in runs
                                       if (work / run.folder / 'result.json').is_file()]))
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write('stopped. The same command goes on from here.\n')
        return 130
    return 0
