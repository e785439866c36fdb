# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Kills trainings with SIGKILL at pseudo-random moments, resumes them, and compares the weights.

Two small trainings on rendered faces stand for all: MAE pretraining, and fine-tuning with IAT
(RandAugment in the workers, dropped paths, erased boxes, a ramp of lambda, the adversary monitor,
a feature bank). Each runs once undisturbed, and once killed again and again. Where a kill falls is
drawn from a seed: within an iteration, a validation, or the writing of a checkpoint, where the
training waits for it, or a random time after an iteration began. Docs: docs/en/reproduce.md.
"""

import argparse
import os
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmpretrain.registry import HOOKS

import fmae_iat_plugin  # noqa: F401  registers
from fmae_iat_plugin.engine import SafeCheckpointHook, build_runner
from fmae_iat_plugin.synthfacs import read_population, write_synthfacs
from fmae_iat_plugin.weights.checkpoint import read_checkpoint
from fmae_iat_plugin.weights.zoo_index import configs_root

KINDS = ('pretraining', 'fine-tuning')
#: places within a training; those of the second line are within the writing of a checkpoint
STEP, UPDATED, VALIDATING, ANYWHERE = 'batch read', 'weights updated', 'validating', 'any moment'
HALF, UNNAMED, NAMED = 'half written', 'written, not renamed', 'renamed, older not removed'
SAVING = (HALF, UNNAMED, NAMED)


class Moment(NamedTuple):
    """When a training is killed.

    Attributes:
        iteration (int): Not before so many iterations are done.
        place (str): The first such place from then on.
        delay (float): Seconds until the kill, for a place where the training does not wait.
    """

    iteration: int
    place: str
    delay: float = 0.


class Victim:
    """A moment as the training sees it: it says that it is there, and waits for the end.

    Args:
        moment: None: it is left alone.
        pipe: File descriptor to write to.
    """

    def __init__(self, moment: Optional[Moment] = None, pipe: int = -1):
        self.moment, self.pipe = moment, pipe

    def reach(self, place: str, done: int) -> None:
        """The training is at a place with ``done`` iterations behind it."""
        if self.moment is None or done < self.moment.iteration or place != self.moment.place:
            return
        moment, self.moment = self.moment, None
        self.end(moment)

    def at(self, place: str) -> bool:
        """Whether its moment has this place."""
        return self.moment is not None and self.moment.place == place

    def end(self, moment: Moment) -> None:
        """Called once, there."""
        os.write(self.pipe, b'x')
        while not moment.delay:
            signal.pause()


class KilledHook(Hook):
    """Takes a :class:`Victim` through the iterations."""

    priority = 'HIGHEST'  # before the schedule takes its step

    def __init__(self, victim: Victim):
        self.victim = victim

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        for place in (STEP, ANYWHERE):
            self.victim.reach(place, runner.iter)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.victim.reach(UPDATED, runner.iter)

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.victim.reach(VALIDATING, runner.iter)


@HOOKS.register_module()
class KilledCheckpointHook(SafeCheckpointHook):
    """Takes a :class:`Victim` through the writing of a checkpoint."""

    victim, done = Victim(), 0

    def _write(self, runner, *args, **kwargs) -> str:
        self.done = runner.iter
        return super()._write(runner, *args, **kwargs)

    def _settle(self, partial: Path, final: Path) -> None:
        if self.victim.at(HALF) and self.done >= self.victim.moment.iteration:
            os.truncate(partial, partial.stat().st_size // 2)
        for place in (HALF, UNNAMED):
            self.victim.reach(place, self.done)
        super()._settle(partial, final)
        self.victim.reach(NAMED, self.done)


def moments(number: int, iterations: int, validates: bool, seed: int = 0) -> List[Moment]:
    """``number`` moments of a training, in their order, drawn from a seed.

    Args:
        iterations: Of the training.
        validates: Whether it validates.
    """
    rng = np.random.default_rng(seed)
    places = [STEP, HALF, UPDATED, UNNAMED, ANYWHERE, NAMED, *([VALIDATING] if validates else [])]
    drawn = rng.permutation(np.resize(places, number))  # each place about as often
    return [Moment(int(done), str(place), float(rng.uniform(.01, .3)) if place == ANYWHERE else 0.)
            for done, place in zip(np.sort(rng.integers(0, iterations, number)), drawn)]


def config(kind: str, faces: Path, work_dir: Path, workers: int, epochs: int = 4) -> Config:
    """A small training of a kind, with checkpoints every two iterations.

    Args:
        kind: Of :data:`KINDS`.
        faces: Folder that :func:`write_synthfacs` wrote at 48 px.
        work_dir: Is made.
        workers: Of its data; 0 = none.
    """
    base, tune = configs_root() / '_base_', kind == KINDS[1]
    parts = (['models/iat_vit-tiny-48px.py', 'datasets/faces_48.py', 'schedules/finetune.py',
              'finetune_runtime.py'] if tune else
             ['models/mae_vit-tiny-48px.py', 'datasets/face9m.py', 'schedules/fmae_pretrain.py',
              'default_runtime.py'])
    cfg = Config(dict(_base_=[str(base / part) for part in parts]))
    work_dir.mkdir(parents=True, exist_ok=True)
    cfg.dump(work_dir / 'config.py')
    cfg = Config.fromfile(work_dir / 'config.py')
    arch = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64)
    loaders = dict(num_workers=workers, persistent_workers=workers > 0)
    cfg.merge_from_dict(dict(
        work_dir=str(work_dir), log_level='WARNING', resume=True,
        train_cfg=dict(max_epochs=epochs), train_dataloader=dict(batch_size=8, **loaders),
        param_scheduler=dict(warmup_epochs=1),
        default_hooks=dict(checkpoint=dict(within_epoch=2), logger=dict(interval=1))))
    cfg.model.backbone.arch = arch
    if not tune:
        cfg.train_dataloader.dataset.update(data_root=str(faces))
        cfg.model.data_preprocessor = {key: value for key, value in cfg.face_preprocessor.items()
                                       if key != '_delete_'}
        cfg.model.data_preprocessor.random_resized_crop.size = 48
        cfg.model.neck.update(embed_dim=32, decoder_embed_dim=32, decoder_depth=1)
        return cfg
    data = dict(type='SynthFACS', data_root=str(faces), aus=(1, 12))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(data)
        loader.update(loaders)
    cfg.val_evaluator = cfg.test_evaluator = dict(type='ActionUnitMetric')
    people = read_population(faces).subjects
    cfg.model.backbone.drop_path_rate = 0.3
    cfg.model.head.update(in_channels=32, num_classes=2)
    cfg.model.adversary.head.update(in_channels=32, num_subjects=people, loss='ce', bank=16)
    cfg.custom_hooks += [dict(type='LambdaRampHook'), dict(type='HeadStepsHook', steps=1),
                         dict(type='AdversaryMonitorHook', every=1, train=2, test=1)]
    return cfg


def train(cfg: Config, victim: Optional[Victim] = None) -> None:
    """Train, in this process."""
    victim = victim or Victim()
    cfg.default_hooks.checkpoint.type = 'KilledCheckpointHook'
    runner = build_runner(cfg)
    runner.register_hook(KilledHook(victim))
    for hook in runner.hooks:
        if isinstance(hook, KilledCheckpointHook):
            hook.victim = victim
    runner.train()


def in_a_process(cfg: Config, moment: Optional[Moment] = None) -> bool:
    """Train in a process of its own, and kill it; returns whether the moment came.

    Raises:
        RuntimeError: If the training fails; the message is the end of its output.
    """
    ours, theirs = os.pipe()
    log = Path(cfg.work_dir, 'output.txt')
    child = os.fork()
    if child == 0:
        _child(cfg, moment, theirs, log)
    os.close(theirs)
    with os.fdopen(ours, 'rb') as said:
        came = said.read(1) == b'x'  # else it ended before
    if came and moment is not None:
        time.sleep(moment.delay)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f'the training in {cfg.work_dir} ended with {code}:\n'
                           + log.read_text()[-3000:])
    return code == -signal.SIGKILL


def _child(cfg: Config, moment: Optional[Moment], pipe: int, log: Path) -> None:
    code = 1
    try:
        with open(log, 'a') as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        torch.set_num_threads(1)
        train(cfg, Victim(moment, pipe))
        code = 0
    except BaseException:  # noqa: BLE001  of a fork nothing may come back
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def differences(ours: Any, theirs: Any, name: str = '') -> Iterator[str]:
    """Names of values of two checkpoints that differ in a bit; times and memory do not count."""
    if any(part in name for part in ('time', 'memory', 'cfg', 'experiment_name', 'eta')):
        return
    if isinstance(ours, HistoryBuffer):
        ours, theirs = list(ours.data), list(theirs.data)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in {**ours, **theirs}:
            if key in ours and key in theirs:
                yield from differences(ours[key], theirs[key], f'{name}.{key}')
            elif 'time' not in str(key):
                yield f'{name}.{key}'
    elif isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        if len(ours) != len(theirs):
            yield f'{name} ({len(ours)}, {len(theirs)})'
        for number, pair in enumerate(zip(ours, theirs)):
            yield from differences(*pair, f'{name}.{number}')
    elif isinstance(ours, (torch.Tensor, np.ndarray)):
        ours, theirs = torch.as_tensor(ours), torch.as_tensor(theirs)
        if ours.dtype != theirs.dtype or not torch.equal(ours.nan_to_num(), theirs.nan_to_num()):
            yield name
    elif ours != theirs and not (ours != ours and theirs != theirs):
        yield name


def compare(whole: Path, killed: Path) -> List[str]:
    """What differs between the last checkpoints of two work dirs, and between their names."""
    names = [sorted(path.name for path in folder.glob('*.pth')) for folder in (whole, killed)]
    found = [] if names[0] == names[1] else [f'files: {names[0]}, {names[1]}']
    last = max((path for path in whole.glob('epoch_*.pth')), key=lambda path: path.stat().st_mtime)
    ours, theirs = (read_checkpoint(folder / last.name) for folder in (whole, killed))
    for content in (ours, theirs):  # they name the folder
        info = content['message_hub']['runtime_info']
        for key in [key for key in info if 'ckpt' in key]:
            info.pop(key)
    parts = ('state_dict', 'optimizer', 'param_schedulers', 'message_hub', 'progress')
    return found + list(differences({key: ours[key] for key in parts},
                                    {key: theirs[key] for key in parts}))


def trial(kind: str, workers: int, kills: int, folder: Path, seed: int = 0,
          epochs: int = 4) -> Tuple[Dict[str, int], List[str]]:
    """One training undisturbed and one that is killed again and again.

    Returns:
        tuple: How often it was killed at which place, and what differs at the end.
    """
    whole = folder / f'{kind}_{workers}_whole'
    killed = folder / f'{kind}_{workers}_killed'
    faces = folder / 'faces'
    in_a_process(config(kind, faces, whole, workers, epochs))
    last = read_checkpoint(whole / f'epoch_{epochs}.pth')['meta']['iter']
    places: Counter = Counter()
    for moment in moments(kills, last, kind == KINDS[1], seed):
        if in_a_process(config(kind, faces, killed, workers, epochs), moment):
            places[moment.place] += 1
        else:
            break  # it ended before the moment
    in_a_process(config(kind, faces, killed, workers, epochs))
    return dict(places), compare(whole, killed)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; its exit code is 0 if every training ended as the undisturbed one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=20, help='of each training; default: 20')
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2],
                        help='data workers; default: trainings with 1 and with 2')
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=KINDS)
    parser.add_argument('--epochs', type=int, default=4)
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--work-dir', default='work_dirs/kill_resume',
                        help='is to be empty; default: work_dirs/kill_resume')
    args = parser.parse_args(arguments)
    folder = Path(args.work_dir)
    if any(folder.glob('*_*_*')):
        sys.stderr.write(f'{folder} holds trainings already. Remedy: another --work-dir.\n')
        return 2
    write_synthfacs(folder / 'faces', subjects=6, frames=9, size=48, workers=1)
    bad = 0
    for kind in args.kinds:
        for workers in args.workers:
            places, wrong = trial(kind, workers, args.kills, folder, args.seed, args.epochs)
            saving = sum(places.get(place, 0) for place in SAVING)
            sys.stdout.write(
                f'{kind}, {workers} data workers: {sum(places.values())} kills, {saving} of them '
                f'within the saving of a checkpoint ('
                + ', '.join(f'{place} {count}' for place, count in sorted(places.items()))
                + '): ' + (f'{len(wrong)} values differ: {", ".join(wrong[:5])}' if wrong else
                           'weights, optimizer and log equal the undisturbed ones bit for bit')
                + '\n')
            sys.stdout.flush()
            bad += bool(wrong)
    sys.stdout.write(f'differing trainings {bad}\n')
    return int(bad > 0)


if __name__ == '__main__':
    sys.exit(main())
