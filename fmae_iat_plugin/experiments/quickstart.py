# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The paper's experiment in small, on rendered faces, without a licence or a GPU.

Render people, pretrain a small encoder on them, fine-tune it with and without the identity
adversary, test on people it never saw, probe both features for identity, write a report::

    python -m fmae_iat_plugin.experiments.quickstart --work-dir work_dirs/quickstart

Finished steps are skipped, a training run that was killed goes on from its last checkpoint.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import fmae_iat_plugin  # noqa: F401  registers
from fmae_iat_plugin.engine import ProgressBarHook
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.synthfacs import read_population, write_synthfacs
from fmae_iat_plugin.weights.zoo_index import configs_root

from .run_features import choose_frames, write_features
from .run_plan import Run

BASE, OURS = 'FMAE', 'FMAE-IAT'
#: Sized by CPU time; the shortcut is the strongest: people differ in their action units as far as
#: the renderer lets them.
FACES = dict(subjects=24, frames=100, size=64, shortcut=1.0, aus=(1, 2, 4, 6, 9, 12, 25, 26))


def _cpu_seconds() -> float:
    """CPU time of this process and its finished children."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


class Quickstart:
    """The steps and what they leave in ``work_dir``.

    Args:
        work_dir: Everything goes there; made if need be.
        seed: Of the people, the training and the probe.
        overrides: Config options for tests, as ``--cfg-options`` takes them, for all configs.
        faces: Arguments of :func:`write_synthfacs` other than the defaults.
        probe_frames: (train, test) frames a subject for the identity probe.
        lambdas: Name of each model -> its lambda; 0 is trained without an adversary, None takes
            that of the config.
    """

    #: what the last step leaves
    result = 'report.html'

    def __init__(self, work_dir: os.PathLike, seed: int = 0, overrides: Optional[dict] = None,
                 faces: Optional[dict] = None, probe_frames=(70, 30),
                 lambdas: Optional[Dict[str, Optional[float]]] = None):
        self.lambdas = lambdas or {BASE: 0, OURS: None}
        self.work, self.seed = Path(work_dir).resolve(), seed
        self.overrides, self.faces = overrides or {}, {**FACES, **(faces or {})}
        self.probe_frames = probe_frames
        self.work.mkdir(parents=True, exist_ok=True)
        self.record = self.work / 'steps.json'
        os.environ['QUICKSTART_DIR'] = str(self.work)

    def config(self, name: str) -> Config:
        """The config of ``'pretrain'`` or of a model in this work dir."""
        scale = self.lambdas.get(name)
        file = 'pretrain' if name == 'pretrain' else 'fmae' if scale == 0 else 'iat'
        cfg = Config.fromfile(configs_root() / 'synthfacs' / f'quickstart_{file}.py')
        if scale:
            cfg.model.adversary.neck.scale = scale
        cfg.merge_from_dict(self.overrides)
        if name != 'pretrain':
            cfg.model.pretrained = str(self.checkpoint('pretrain'))
        if cfg.model.get('adversary'):
            cfg.model.adversary.head.num_subjects = self.faces['subjects']
        cfg.work_dir = str(self.run_dir(name))
        cfg.randomness.seed = self.seed
        return cfg

    def run_dir(self, name: str) -> Path:
        return self.work / name.lower()

    def checkpoint(self, name: str) -> Path:
        """The last epoch's."""
        return self.run_dir(name) / f'epoch_{self.config(name).train_cfg.max_epochs}.pth'

    def steps(self) -> Dict[str, tuple]:
        """Name -> (what the user reads, function)."""
        out = {'render': ('Render faces of people with known action units', self.render),
               'pretrain': ('Pretrain an encoder by masked autoencoding',
                            lambda: self.train('pretrain'))}
        for name in self.lambdas:
            out[f'train {name}'] = (f'Fine-tune {name} on the training subjects',
                                    lambda name=name: self.train(name))
        for name in self.lambdas:
            out[f'test {name}'] = (f'Test {name} on unseen subjects, extract its features',
                                   lambda name=name: self.test(name))
        out['report'] = ('Probe identity, draw t-SNE, write the report', self.report)
        return out

    def run(self) -> Path:
        """All steps that are not finished; returns the file of the result.

        Raises:
            ValueError: If the folder holds the steps of another seed or configuration.
        """
        logger = MMLogger.get_instance('quickstart', log_level='INFO')
        done = json.loads(self.record.read_text()) if self.record.is_file() else {}
        steps, wanted = self.steps(), self._digest()
        if done and done.get('digest') != wanted:
            raise ValueError(f'{self.work} was begun with another seed or configuration. Remedy: '
                             'another --work-dir, or remove this one.')
        done['digest'] = wanted
        for number, (name, (text, function)) in enumerate(steps.items(), 1):
            if name in done:
                logger.info('[%d/%d] %s: done already', number, len(steps), text)
                continue
            logger.info('[%d/%d] %s', number, len(steps), text)
            start, cpu = time.time(), _cpu_seconds()
            function()
            done[name] = dict(seconds=round(time.time() - start, 1),
                              cpu_seconds=round(_cpu_seconds() - cpu, 1))
            write_whole(self.record, json.dumps(done, indent=1).encode())
        used = sum(item['cpu_seconds'] for item in done.values() if isinstance(item, dict))
        path = self.work / self.result
        logger.info('CPU time of all steps: %.1f min. The result is in %s', used / 60, path)
        return path

    def _digest(self) -> str:
        text = repr((self.seed, self.faces, self.probe_frames,
                     [self.config(name).pretty_text for name in ('pretrain', *self.lambdas)]))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def render(self) -> None:
        write_synthfacs(self.work / 'faces', seed=self.seed, workers=1, **self.faces)

    def _runner(self, cfg: Config) -> Runner:
        """A runner that draws a bar at a terminal and logs lines with the time left elsewhere."""
        cfg.log_level = 'WARNING' if sys.stdout.isatty() else 'INFO'
        return Runner.from_cfg(cfg)

    def train(self, name: str) -> None:
        cfg = self.config(name)
        cfg.resume = True
        runner = self._runner(cfg)
        bar = ProgressBarHook(title=f'  {name}')
        if sys.stdout.isatty():
            runner.register_hook(bar)
        try:
            runner.train()
        finally:
            bar.close()

    def runs(self) -> Dict[str, List[Run]]:
        """The runs as those of a cross-validation, of one fold and seed."""
        fold = read_population(self.work / 'faces').fold
        return {name: [Run(name, self.config(name).filename, fold, self.seed,
                           str(self.run_dir(name)))] for name in self.lambdas}

    def test(self, name: str) -> None:
        """What a run of a cross-validation leaves: its note, features and predictions."""
        cfg, (run, ) = self.config(name), self.runs()[name]
        run.write_note(self._digest())
        cfg.load_from = str(self.checkpoint(name))
        cfg.test_evaluator.out_file = str(run.predictions)
        runner = self._runner(cfg)
        runner.test()
        init_default_scope('mmpretrain')
        write_features(run.features, runner.model, choose_frames(cfg))

    def report(self) -> None:
        """``report.json`` and ``report.html`` from what the runs left."""
        from fmae_iat_plugin.visualization import write_report

        from .report import build
        people = read_population(self.work / 'faces')
        test = sum(map(people.is_test, range(people.subjects)))
        steps = json.loads(self.record.read_text()) if self.record.is_file() else {}
        used = sum(item['cpu_seconds'] for item in steps.values() if isinstance(item, dict))
        write_report(self.work / self.result, *build(
            self.runs(), BASE, OURS, self.probe_frames, seed=self.seed,
            title='FMAE and FMAE-IAT on rendered faces',
            summary=f'A small model learned {len(people.aus)} facial action units from rendered '
            f'faces of {people.subjects - test} people, once as it is ({BASE}) and once while '
            f'unlearning who they are ({OURS}), and was tested on {test} other people. In '
            f'training, identity predicts the action units (shortcut {people.shortcut:g} of 1); '
            'among the test people it does not.',
            caveat='Judged by 95 % intervals over people: “reproduced” when the whole interval '
            'lies on the claimed side, “not reproduced” when it lies on the other side, “not '
            'enough data” when it includes no difference or nothing was run. One seed, a tiny '
            'model and few rendered people: this shows how the experiment works, it is no '
            'evidence about real faces.',
            setup={
                'Faces': f'{people.subjects} people, {people.frames} frames each, '
                f'{people.sessions} sessions, {self.faces["size"]} px',
                'Pretraining': f'{self.config("pretrain").train_cfg.max_epochs} epochs, training '
                'subjects only',
                'Fine-tuning': f'{self.config(OURS).train_cfg.max_epochs} epochs, the same recipe '
                'for both',
                'CPU time before the report': f'{used / 60:.1f} min'}))


def main(arguments: Optional[list] = None) -> Path:
    """Parse arguments and run; returns the path of the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work-dir', default='work_dirs/quickstart')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(arguments)
    return Quickstart(args.work_dir, args.seed).run()


if __name__ == '__main__':
    main()
