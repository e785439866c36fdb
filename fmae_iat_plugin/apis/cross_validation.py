# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Trains and tests every fold and seed of experiments; what is finished is never repeated.

A run is one fold with one seed, in a process and a folder of its own: config, checkpoints, logs,
and at its end ``features.npz`` and ``predictions.npz``, from which every number is computed
(:mod:`.run_results`, :mod:`.report`). The last epoch is tested; the test fold chooses nothing.
"""

import argparse
import hashlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

import fmae_iat_plugin  # noqa: F401  registers
from fmae_iat_plugin.engine.launch import init_cpu_process_group
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.parallel import counting_bar, watch_parent

from .errors import say_error
from .run_features import FEATURE_FRAMES, write_features
from .versions import versions

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class Run(NamedTuple):
    """One fold with one seed.

    Attributes:
        experiment (str): The config's name without the fold.
        config (str): Path.
        fold (int), seed (int): Both are set in the config.
        work_dir (str): Its folder.
        options (dict): Config options by dotted name; ``{fold}`` and ``{seed}`` within a string
            are filled in.
    """

    experiment: str
    config: str
    fold: int
    seed: int
    work_dir: str
    options: Dict[str, Any] = {}

    @property
    def predictions(self) -> Path:
        """The file that says that the run is finished."""
        return Path(self.work_dir, 'predictions.npz')

    @property
    def features(self) -> Path:
        """Features of frames of all people, see :mod:`.run_features`."""
        return Path(self.work_dir, 'features.npz')


def plan_runs(configs: Sequence[str], seeds: Sequence[int], out: str,
              folds: Optional[Sequence[int]] = None,
              options: Optional[Dict[str, Any]] = None,
              variants: Optional[Dict[str, Dict[str, Any]]] = None) -> List[Run]:
    """All runs, in ``OUT/EXPERIMENT/foldF_seedS``.

    Args:
        configs: ``NAME_fold2.py`` is fold 2 of the experiment NAME. Another name stands for
            ``folds``, or for all folds of its data set, whose config then must say how many.
        seeds: Of the training.
        out: Folder of all runs.
        folds: Only these.
        options: See :class:`Run`.
        variants: Name -> further options. With them each config makes an experiment
            ``NAME-VARIANT`` for each, and none of its own.

    Raises:
        FileNotFoundError: If a config does not exist.
        ValueError: If the folds cannot be told, or a fold is named twice or does not exist.
    """
    found: Dict[tuple, str] = {}
    for config in configs:
        if not Path(config).is_file():
            raise FileNotFoundError(f'config {config} does not exist.')
        name = Path(config).stem
        match = re.fullmatch(r'(.+)_fold(\d+)(.*)', name)
        if match:
            name, numbers = match[1] + match[3], [int(match[2])]
        else:
            numbers = folds or range(1, _folds(config) + 1)
        for fold in numbers:
            if folds is not None and fold not in folds:
                continue
            if (name, fold) in found:
                raise ValueError(f'both {found[name, fold]} and {config} are fold {fold} of '
                                 f'{name}.')
            found[name, fold] = config
    if not found:
        raise ValueError(f'the configs have none of the folds {list(folds or ())}.')
    names = list(dict.fromkeys(name for name, _ in found))
    return [Run(name + suffix, found[name, fold], fold, seed,
                str(Path(out, name + suffix, f'fold{fold}_seed{seed}')),
                {**(options or {}), **more})
            for seed in seeds for name in names
            for suffix, more in ({f'-{key}': value for key, value in variants.items()}
                                 if variants else {'': {}}).items()
            for fold in sorted(fold for other, fold in found if other == name)]


def _folds(config: str) -> int:
    """How many folds the config's test data set has."""
    data = Config.fromfile(config).test_dataloader.dataset
    if not data.get('folds'):
        raise ValueError(f'{config}: neither its name (..._fold1.py) nor its test data set '
                         '(folds=3) says which folds there are. Remedy: --folds 1 2 3.')
    return data.folds


def run_config(run: Run) -> Config:
    """The config of a run: its fold in all data sets, its seed, its folder, its options."""
    cfg = Config.fromfile(run.config)
    for loader in LOADERS:
        _set_fold(cfg[loader].dataset, run.fold)
    cfg.randomness.seed = run.seed
    values = {key: value.format(fold=run.fold, seed=run.seed) if isinstance(value, str) else value
              for key, value in run.options.items()}
    cfg.merge_from_dict(values)
    cfg.work_dir = run.work_dir
    return cfg


def _set_fold(dataset: dict, fold: int) -> None:
    parts = [dataset, *dataset.get('datasets', ()), dataset.get('dataset')]
    for part in parts:
        if part is not None and 'fold' in part:
            part['fold'] = fold


def train_and_test(run: Run, launcher: str = 'none', resume: bool = False,
                   feature_frames: int = FEATURE_FRAMES) -> None:
    """Train a run, keep features of its last epoch, test it.

    Args:
        run: Which.
        launcher: Of MMEngine.
        feature_frames: See :func:`~.run_features.write_features`; 0 = no features.
        resume: Go on from the last checkpoint of a run that was stopped. MMEngine does not restore
            the state of the random numbers, so its numbers then depend on where it was stopped;
            without, the run begins anew and they do not.

    Raises:
        ValueError: If its folder was begun with another config.
    """
    if run.predictions.is_file():
        return
    cfg = run_config(run)
    cfg.launcher, cfg.resume = launcher, resume
    _claim(run, cfg)
    runner = Runner.from_cfg(cfg)
    if not resume and is_main_process():
        _forget(run, keep=runner.timestamp)
    runner.train()
    if feature_frames and is_main_process():
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        write_features(run.features, model, cfg, feature_frames)
    cfg = run_config(run)
    cfg.launcher = launcher
    cfg.load_from = Path(run.work_dir, 'last_checkpoint').read_text().strip()
    cfg.test_evaluator.out_file = str(run.predictions)
    Runner.from_cfg(cfg).test()


def _forget(run: Run, keep: str) -> None:
    """Remove what a stopped run left, but for the log of its processes."""
    for path in Path(run.work_dir).iterdir():
        if path.suffix == '.pth' or path.name == 'last_checkpoint':
            path.unlink()
        elif path.is_dir() and (path / 'vis_data').is_dir() and path.name != keep:
            shutil.rmtree(path)


def _claim(run: Run, cfg: Config) -> None:
    """The run's folder belongs to one config, or a resumed run would be of two."""
    digest = hashlib.sha256(cfg.pretty_text.encode()).hexdigest()[:16]
    path = Path(run.work_dir, 'run.json')
    if path.is_file():
        before = json.loads(path.read_text())
        if before['digest'] != digest:
            raise ValueError(f'{run.work_dir} was begun with another config or other options. '
                             'Remedy: another --out, or remove this folder.')
    else:
        write_whole(path, json.dumps({**run._asdict(), 'digest': digest, 'versions': versions()},
                                     indent=1).encode())


def cross_validate(runs: Sequence[Run], workers: int = 1, gpus: Sequence[str] = (),
                   processes: int = 1, resume: bool = False,
                   feature_frames: int = FEATURE_FRAMES) -> List[Run]:
    """Carry out the runs that are not finished, ``workers`` at a time, with a bar.

    Args:
        runs: See :func:`plan_runs`.
        workers: Runs at a time; each in a process of its own, whose output goes to
            ``stdout.log`` in the run's folder.
        gpus: Their numbers, dealt out ``processes`` a run; () = no GPU is chosen.
        processes: Of each run (DDP by torchrun).
        resume, feature_frames: See :func:`train_and_test`.

    Returns:
        list[Run]: The runs that failed; the others went on.
    """
    slots: queue.Queue = queue.Queue()
    for k in range(workers):
        slots.put(','.join(gpus[k * processes:(k + 1) * processes]))
    waiting = [run for run in runs if not run.predictions.is_file()]
    failed, active = [], {}

    def carry_out(run: Run) -> int:
        slot = slots.get()
        try:
            return _in_a_process(run, slot, processes, resume, feature_frames, active)
        finally:
            slots.put(slot)

    with counting_bar() as bar, ThreadPoolExecutor(workers) as pool:
        task = bar.add_task('Runs', total=len(runs), completed=len(runs) - len(waiting))
        futures = {pool.submit(carry_out, run): run for run in waiting}
        try:
            for future in as_completed(futures):
                if future.result():
                    failed.append(futures[future])
                bar.advance(task)
        except KeyboardInterrupt:
            for future in futures:
                future.cancel()
            for process in list(active.values()):
                process.terminate()
            raise
    return failed


def _in_a_process(run: Run, gpus: str, processes: int, resume: bool, feature_frames: int,
                  active: Dict[str, subprocess.Popen]) -> int:
    folder = Path(run.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    ranks = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}']
    command = [sys.executable, *(ranks if processes > 1 else ()), '-m', __name__,
               json.dumps(run._asdict()), '--launcher', 'pytorch' if processes > 1 else 'none',
               '--feature-frames', str(feature_frames),
               *(['--resume'] if resume else [])]
    environment = {**os.environ, **({'CUDA_VISIBLE_DEVICES': gpus} if gpus else {})}
    start = time.monotonic()
    with open(folder / 'stdout.log', 'ab') as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        active[run.work_dir] = process
        _, status, used = os.wait4(process.pid, 0)  # also counts its finished children
    process.returncode = os.waitstatus_to_exitcode(status)
    active.pop(run.work_dir)
    if process.returncode == 0:
        write_whole(folder / 'cost.json', json.dumps(
            dict(seconds=round(time.monotonic() - start, 1), gpus=gpus,
                 cpu_seconds=round(used.ru_utime + used.ru_stime, 1))).encode())
    return process.returncode


def submit(runs: Sequence[Run], out: str, cluster: str = 'slurm', processes: int = 1,
           resume: bool = False, parameters: Optional[Dict[str, Any]] = None,
           feature_frames: int = FEATURE_FRAMES) -> List[Run]:
    """The same as a job array, by submitit; waits for it, with a bar.

    Args:
        runs: See :func:`plan_runs`.
        out: Its folder ``jobs`` gets submitit's scripts and logs.
        cluster: ``'slurm'``, or ``'local'`` (this machine).
        processes: Tasks of a job, a GPU each.
        resume, feature_frames: See :func:`train_and_test`.
        parameters: Of ``AutoExecutor.update_parameters``: slurm_partition, timeout_min, ...

    Returns:
        list[Run]: The runs that failed.

    Raises:
        ImportError: If submitit is not installed.
    """
    try:
        import submitit
    except ImportError as error:
        raise ImportError(f'job arrays need submitit ({error}). Remedy: pip install '
                          "'fmae_iat_plugin[slurm]'.") from error
    executor = submitit.AutoExecutor(folder=str(Path(out, 'jobs')), cluster=cluster)
    executor.update_parameters(name='cross_validate', tasks_per_node=processes,
                               **(parameters or {}))
    waiting = [run for run in runs if not run.predictions.is_file()]
    launcher = 'slurm' if cluster == 'slurm' and processes > 1 else 'none'
    jobs = executor.map_array(partial(train_and_test, launcher=launcher, resume=resume,
                                      feature_frames=feature_frames), waiting)
    failed = []
    with counting_bar() as bar:
        task = bar.add_task('Runs', total=len(runs), completed=len(runs) - len(waiting))
        place = {job.job_id: run for job, run in zip(jobs, waiting)}
        for job in submitit.helpers.as_completed(jobs):
            if job.exception() is not None:
                failed.append(place[job.job_id])
            bar.advance(task)
    return failed


def _run_one(arguments: Optional[List[str]] = None) -> None:
    """The process of a run."""
    parser = argparse.ArgumentParser(description='One run of tools/cross_validate.py.')
    parser.add_argument('run')
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--resume', action='store_true')
    parser.add_argument('--feature-frames', type=int, default=FEATURE_FRAMES)
    args = parser.parse_args(arguments)
    watch_parent(os.getppid())
    init_cpu_process_group(args.launcher)
    train_and_test(Run(**json.loads(args.run)), args.launcher, args.resume, args.feature_frames)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``tools/cross_validate.py``."""
    parser.add_argument('config', nargs='+', help='NAME_fold1.py ..., or a config whose data set '
                        'has folds=N')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--folds', type=int, nargs='+', help='only these')
    parser.add_argument('--out', default='work_dirs/cross_validation')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        help='as in tools/train.py; {fold} and {seed} are filled in')
    parser.add_argument('--variant', nargs='+', action='append', default=[],
                        metavar=('NAME', 'KEY=VALUE'), help='an experiment CONFIG-NAME with these '
                        'options: --variant lambda1 model.adversary.neck.scale=1 --variant ...')
    parser.add_argument('--feature-frames', type=int, default=FEATURE_FRAMES, help='frames a '
                        'person whose features are kept, for identity probes; 0: none; default: '
                        f'{FEATURE_FRAMES}')
    parser.add_argument('--resume', action='store_true', help='stopped runs go on from their last '
                        'checkpoint, and then their numbers depend on it; default: they begin anew')
    group = parser.add_argument_group('where')
    group.add_argument('--workers', type=int, default=1, help='runs at a time')
    group.add_argument('--gpus', help='their numbers, 0,1,2,3, dealt out to the runs')
    group.add_argument('--processes', type=int, default=1, help='of each run, a GPU each')
    group.add_argument('--launcher', choices=('none', 'slurm'), default='none',
                       help='slurm: a job array by submitit')
    group.add_argument('--slurm', nargs='+', action=DictAction, default={},
                       help='slurm_partition=gpu timeout_min=600 gpus_per_node=1 ...')


def _variants(given: Sequence[Sequence[str]]) -> Dict[str, Dict[str, Any]]:
    """``[['lambda1', 'model.adversary.neck.scale=1'], ...]`` as ``plan_runs`` takes it.

    Raises:
        ValueError: If a name occurs twice, or an option is none.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='+', action=DictAction, default={})
    variants: Dict[str, Dict[str, Any]] = {}
    for name, *options in given:
        if name in variants or '=' in name:
            raise ValueError(f'--variant {name}: its name must come first and be its own.')
        wrong = [option for option in options if '=' not in option]
        if wrong:
            raise ValueError(f'--variant {name}: {wrong[0]!r} is not KEY=VALUE.')
        variants[name] = parser.parse_args(['--options', *options]).options if options else {}
    return variants


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; its exit code: 0, 1 (a run failed), 2 (an error), 130 (stopped)."""
    from .run_results import write_results
    parser = argparse.ArgumentParser(
        description='Train and test all folds and seeds of experiments; see docs/en/evidence.md.')
    add_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        runs = plan_runs(args.config, args.seeds, args.out, args.folds, args.cfg_options,
                         _variants(args.variant))
        if args.launcher == 'slurm':
            failed = submit(runs, args.out, 'slurm', args.processes, args.resume, args.slurm,
                            args.feature_frames)
        else:
            gpus = args.gpus.split(',') if args.gpus else []
            if gpus and len(gpus) < args.workers * args.processes:
                raise ValueError(f'{args.workers} runs of {args.processes} processes need as many '
                                 f'GPUs, --gpus names {len(gpus)}.')
            failed = cross_validate(runs, args.workers, gpus, args.processes, args.resume,
                                    args.feature_frames)
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write('stopped. The same command goes on from here.\n')
        return 130
    for run in failed:
        sys.stderr.write(f'failed: {run.experiment}, fold {run.fold}, seed {run.seed}: see '
                         f'{run.work_dir}/stdout.log\n')
    sys.stdout.write(write_results(runs, args.out))
    return 1 if failed else 0


if __name__ == '__main__':
    _run_one()
