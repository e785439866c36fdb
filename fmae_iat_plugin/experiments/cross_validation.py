# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Trains and tests every fold and seed of experiments; what is finished is not repeated.

Finished is a run whose predictions are there and whose config and data are still the same; where
one has changed, the command says which setting it is, and does nothing.

A run is one fold with one seed, in a process and a folder of its own: config, checkpoints, logs,
and at its end ``features.npz`` and ``predictions.npz``, from which every number is computed
(:mod:`.run_results`, :mod:`.report`). The last epoch is tested; the test fold chooses nothing.
"""

import argparse
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import load_checkpoint

import fmae_iat_plugin  # noqa: F401  registers
from fmae_iat_plugin.engine import build_runner, is_repeatable
from fmae_iat_plugin.engine.launch import cpu_process_group, is_first_process
from fmae_iat_plugin.errors import STOPPED, say_error
from fmae_iat_plugin.extras import needs_extra
from fmae_iat_plugin.files import hold_folder
from fmae_iat_plugin.parallel import counting_bar, watch_parent

from .run_cost import write_cost
from .run_features import FEATURE_FRAMES, choose_frames, untrained_model, write_features
from .run_plan import Run, plan_runs, run_config
from .run_settings import check_run, config_digest, unfinished


def train_and_test(run: Run, launcher: str = 'none', resume: Optional[bool] = None,
                   feature_frames: int = FEATURE_FRAMES, hooks: Sequence[Hook] = (),
                   log_level: Optional[str] = None) -> None:
    """Train a run, keep features of its last epoch, test it.

    Args:
        run: Which.
        launcher: Of MMEngine.
        feature_frames: See :func:`~.run_features.choose_frames`; 0 = no features.
        resume: Whether a run that was stopped goes on from its last intact checkpoint, or begins
            anew. None: it goes on where its numbers do not depend on that, which is where the
            config has ``RepeatableHook``.
        hooks: Further hooks of the training, such as a bar.
        log_level: Replaces the config's; it does not belong to the settings of a run.

    Raises:
        ValueError: If its folder was begun with another config, another process works in it, or
            there are no features to keep.
    """
    cfg = run_config(run)
    settings = check_run(run, cfg)
    if run.predictions.is_file():
        return
    with hold_folder(run.work_dir, 'a training') if is_first_process() else nullcontext():
        run.write_note(config_digest(cfg), settings)  # the versions are those of the last process
        _train_and_test(run, cfg, launcher, resume, feature_frames, hooks, log_level)


def _train_and_test(run: Run, cfg: Config, launcher: str, resume: Optional[bool],
                    feature_frames: int,
                    hooks: Sequence[Hook], log_level: Optional[str]) -> None:
    resume = is_repeatable(cfg) if resume is None else resume
    cfg.launcher, cfg.resume = launcher, resume
    cfg.log_level = log_level or cfg.get('log_level', 'INFO')
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    if not resume and is_main_process():
        _forget(run, keep=runner.timestamp)
    keeps = feature_frames and is_main_process()
    frames = choose_frames(cfg, feature_frames) if keeps else None  # says errors before training
    runner.train()
    last = Path(run.work_dir, 'last_checkpoint').read_text().strip()
    if keeps:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        load_checkpoint(model, last, map_location='cpu')  # what is tested, also with averaging
        write_features(run.features, model, frames, untrained_model(cfg))
    cfg = run_config(run)
    cfg.launcher, cfg.load_from = launcher, last
    cfg.log_level = log_level or cfg.get('log_level', 'INFO')
    cfg.test_evaluator.out_file = str(run.predictions)
    build_runner(cfg).test()


def _forget(run: Run, keep: str) -> None:
    """Remove what a stopped run left, but for the log of its processes."""
    for path in Path(run.work_dir).iterdir():
        if path.suffix == '.pth' or path.name in ('last_checkpoint', run.features.name):
            path.unlink()
        elif path.is_dir() and (path / 'vis_data').is_dir() and path.name != keep:
            shutil.rmtree(path)


def cross_validate(runs: Sequence[Run], workers: int = 1, gpus: Sequence[str] = (),
                   processes: int = 1, resume: Optional[bool] = None,
                   feature_frames: int = FEATURE_FRAMES) -> List[Run]:
    """Carry out the runs that are not finished, ``workers`` at a time, with a bar.

    Args:
        runs: See :func:`plan_runs`.
        workers: Runs at a time; each in a process of its own, whose output goes to
            ``stdout.log`` in the run's folder, and its time, when it succeeded, to ``cost.json``.
        gpus: Their numbers, dealt out ``processes`` a run; () = no GPU is chosen.
        processes: Of each run (DDP by torchrun).
        resume, feature_frames: See :func:`train_and_test`.

    Returns:
        list[Run]: The runs that failed; the others went on.

    Raises:
        ValueError: If a run was begun or finished with another config or other data; none is begun.
    """
    slots: queue.Queue = queue.Queue()
    for k in range(workers):
        slots.put(','.join(gpus[k * processes:(k + 1) * processes]))
    waiting = unfinished(runs)
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


def _in_a_process(run: Run, gpus: str, processes: int, resume: Optional[bool],
                  feature_frames: int, active: Dict[str, subprocess.Popen]) -> int:
    folder = Path(run.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    ranks = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}']
    command = [sys.executable, *(ranks if processes > 1 else ()), '-m', __name__,
               json.dumps(run._asdict()), '--launcher', 'pytorch' if processes > 1 else 'none',
               '--feature-frames', str(feature_frames),
               *([] if resume is None else ['--resume' if resume else '--no-resume'])]
    environment = {**os.environ, **({'CUDA_VISIBLE_DEVICES': gpus} if gpus else {})}
    start = time.monotonic()
    with open(folder / 'stdout.log', 'ab') as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        active[run.work_dir] = process
        _, status, used = os.wait4(process.pid, 0)  # also counts its finished children
    process.returncode = os.waitstatus_to_exitcode(status)
    active.pop(run.work_dir)
    if process.returncode == 0:
        write_cost(folder, time.monotonic() - start, used.ru_utime + used.ru_stime, gpus)
    return process.returncode


def submit(runs: Sequence[Run], out: str, cluster: str = 'slurm', processes: int = 1,
           resume: Optional[bool] = None, parameters: Optional[Dict[str, Any]] = None,
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
    with needs_extra('slurm', 'job arrays'):
        import submitit
    waiting = unfinished(runs)
    executor = submitit.AutoExecutor(folder=str(Path(out, 'jobs')), cluster=cluster)
    executor.update_parameters(name='cross_validate', tasks_per_node=processes,
                               **(parameters or {}))
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
    parser.add_argument('--resume', action=argparse.BooleanOptionalAction)
    parser.add_argument('--feature-frames', type=int, default=FEATURE_FRAMES)
    args = parser.parse_args(arguments)
    watch_parent(os.getppid())
    with cpu_process_group(args.launcher):
        train_and_test(Run(**json.loads(args.run)), args.launcher, args.resume,
                       args.feature_frames)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``tools/cross_validate.py``."""
    parser.add_argument('config', nargs='+', help='NAME_fold1.py ..., or a config whose data set '
                        'has folds=N')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--splits', type=int, default=1, metavar='N', help='the folds as they are '
                        'and N - 1 random ones, whose spread is the noise floor of a comparison')
    parser.add_argument('--folds', type=int, nargs='+', help='only these folds')
    parser.add_argument('--out', default='work_dirs/cross_validation')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                        help='as in tools/train.py; {fold} and {seed} are filled in')
    parser.add_argument('--variant', nargs='+', action='append', default=[],
                        metavar=('NAME', 'KEY=VALUE'), help='an experiment CONFIG-NAME with these '
                        'options: --variant lambda1 model.adversary.neck.scale=1 --variant ...')
    parser.add_argument('--feature-frames', type=int, default=FEATURE_FRAMES, help='frames per '
                        'person whose features are kept for identity probes; 0: none; default: '
                        f'{FEATURE_FRAMES}')
    parser.add_argument('--resume', action=argparse.BooleanOptionalAction, help='whether stopped '
                        'runs continue from their last intact checkpoint or start again; default: '
                        'they continue where the numbers do not depend on it (RepeatableHook)')
    group = parser.add_argument_group('where')
    group.add_argument('--workers', type=int, default=1, help='runs at a time')
    group.add_argument('--gpus', help='numbers of the GPUs that the runs share, such as 0,1,2,3')
    group.add_argument('--processes', type=int, default=1,
                       help='processes of each run, each with its own GPU')
    group.add_argument('--launcher', choices=('none', 'slurm'), default='none',
                       help='slurm: a job array by submitit')
    group.add_argument('--slurm', nargs='+', action=DictAction, default={},
                       help='slurm_partition=gpu timeout_min=600 gpus_per_node=1 ...')


def _variants(given: Sequence[Sequence[str]]) -> Dict[str, Dict[str, Any]]:
    """``[['lambda1', 'model.adversary.neck.scale=1'], ...]`` as ``plan_runs`` takes it.

    Raises:
        ValueError: If a name occurs twice or is none, or an option is none.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='+', action=DictAction, default={})
    variants: Dict[str, Dict[str, Any]] = {}
    for name, *options in given:
        if name in variants or not re.fullmatch(r'[\w.+-]+', name):
            raise ValueError(f'--variant {name}: its name must come first, be its own, and consist '
                             'of letters, digits and . + - _')
        wrong = [option for option in options if not re.match('[^=]+=', option)]
        if wrong or not options:
            raise ValueError(f'--variant {name}: {wrong[0]!r} is not KEY=VALUE.' if wrong else
                             f'--variant {name} changes nothing. Remedy: give KEY=VALUE after its '
                             'name; without --variant the config itself is the experiment.')
        try:
            variants[name] = parser.parse_args(['--options', *options]).options
        except AssertionError as error:  # mmengine's, of brackets
            raise ValueError(f'--variant {name}: {error}') from error
    return variants


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; its exit code: 0, 1 (a run failed), 2 (an error), 130 (stopped)."""
    from .run_results import write_results
    parser = argparse.ArgumentParser(
        description='Train and test all folds and seeds of experiments; see docs/en/evidence.md.')
    add_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        if args.feature_frames < 0:
            raise ValueError(f'--feature-frames is {args.feature_frames}. Remedy: 0 for none, or '
                             'more.')
        runs = plan_runs(args.config, args.seeds, args.out, args.folds, args.cfg_options,
                         _variants(args.variant), args.splits)
        if args.launcher == 'slurm':
            failed = submit(runs, args.out, 'slurm', args.processes, args.resume, args.slurm,
                            args.feature_frames)
        else:
            gpus = args.gpus.split(',') if args.gpus else []
            if gpus and len(gpus) < args.workers * args.processes:
                raise ValueError(f'{args.workers} runs of {args.processes} processes need as many '
                                 f'GPUs, but --gpus names {len(gpus)}.')
            failed = cross_validate(runs, args.workers, gpus, args.processes, args.resume,
                                    args.feature_frames)
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write(STOPPED)
        return 130
    for run in failed:
        sys.stderr.write(f'failed: {run.experiment}, split {run.split}, fold {run.fold}, seed '
                         f'{run.seed}: see '
                         f'{run.work_dir}/stdout.log\n')
    sys.stdout.write(write_results(args.out))
    return 1 if failed else 0


if __name__ == '__main__':
    _run_one()
