# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The paper's experiment in small, on rendered faces, without a licence or a GPU.

Render people, pretrain a small encoder on them, then run a cross-validation of one fold and one
seed: FMAE and FMAE-IAT, tested on people they never saw. The report probes both features for
identity::

    python -m fmae_iat_plugin.experiments.quickstart --work-dir work_dirs/quickstart

Finished steps are skipped. A pretraining that was killed continues from its last checkpoint, a
fine-tuning begins anew.
"""

import argparse
import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from mmengine.config import Config
from mmengine.logging import MMLogger

import fmae_iat_plugin  # noqa: F401  registers
from fmae_iat_plugin.engine import ProgressBarHook, build_runner
from fmae_iat_plugin.files import claim_folder
from fmae_iat_plugin.synthfacs import read_population, write_synthfacs
from fmae_iat_plugin.weights.zoo_index import configs_root

from .cross_validation import train_and_test
from .run_cost import measured, total_cpu_seconds
from .run_plan import Run, run_config
from .run_settings import config_digest

BASE, OURS = 'FMAE', 'FMAE-IAT'
#: Sized by CPU time; the shortcut is the strongest: people differ in their action units as far as
#: the renderer lets them.
FACES = dict(subjects=24, frames=100, size=64, shortcut=1.0, aus=(1, 2, 4, 6, 9, 12, 25, 26))
PAGE, SETTINGS = 'report.html', 'quickstart.json'


class Quickstart:
    """The steps and what they leave in ``work_dir``.

    Args:
        work_dir: Everything goes there; made if need be.
        seed: Of the people, the training and the probe.
        options: ``'pretrain'``, ``'FMAE'`` or ``'FMAE-IAT'`` -> config options, as
            ``--cfg-options`` takes them; for tests.
        faces: Arguments of :func:`write_synthfacs` other than the defaults.
        probe_frames: (train, test) frames of each subject for the identity probe.
    """

    def __init__(self, work_dir: os.PathLike, seed: int = 0,
                 options: Optional[Dict[str, Dict[str, Any]]] = None,
                 faces: Optional[dict] = None, probe_frames=(70, 30)):
        self.work, self.seed = Path(work_dir).resolve(), seed
        self.options, self.faces = options or {}, {**FACES, **(faces or {})}
        self.probe_frames = probe_frames
        os.environ['QUICKSTART_DIR'] = str(self.work)

    def pretrain_config(self) -> Config:
        """The config of the pretraining in this work dir."""
        cfg = Config.fromfile(configs_root() / 'synthfacs' / 'quickstart_pretrain.py')
        cfg.merge_from_dict(self.options.get('pretrain', {}))
        cfg.work_dir = str(self.work / 'pretrain')
        cfg.randomness.seed = self.seed
        cfg.resume = True
        return cfg

    def pretrained(self) -> Path:
        """The last checkpoint of the pretraining."""
        return self.work / 'pretrain' / f'epoch_{self.pretrain_config().train_cfg.max_epochs}.pth'

    def runs(self) -> Dict[str, List[Run]]:
        """The runs of the cross-validation: one of each model."""
        more = {OURS: {'model.adversary.head.num_subjects': self.faces['subjects']}}
        return {name: [Run(
            name, str(configs_root() / 'synthfacs' / f'quickstart_{file}.py'),
            self.faces.get('fold', 1), self.seed, str(self.work / name.lower()),
            {'model.pretrained': str(self.pretrained()), **more.get(name, {}),
             **self.options.get(name, {})})] for name, file in ((BASE, 'fmae'), (OURS, 'iat'))}

    def config(self, name: str) -> Config:
        """The config of a model in this work dir."""
        return run_config(self.runs()[name][0])

    def run(self) -> Path:
        """All steps that are not finished; returns the page.

        Raises:
            ValueError: If the folder holds the steps of another seed or configuration.
        """
        logger = MMLogger.get_instance('quickstart', log_level='INFO')
        configs = {BASE: self.config(BASE), OURS: self.config(OURS),
                   'pretrain': self.pretrain_config()}
        claim_folder(self.work, SETTINGS, dict(
            seed=self.seed, faces=self.faces, probe_frames=self.probe_frames,
            configs={name: config_digest(cfg) for name, cfg in configs.items()}), 'a quickstart')
        runs = self.runs()
        steps = [('Render faces of people with known action units', self.render),
                 ('Pretrain an encoder by masked autoencoding', self.pretrain)]
        steps += [(f'Fine-tune {name} on the training subjects, test it on unseen ones',
                   partial(self.fine_tune, name)) for name in runs]
        steps += [('Probe identity, draw t-SNE, write the report', self.report)]
        for number, (text, function) in enumerate(steps, 1):
            logger.info('[%d/%d] %s', number, len(steps), text)
            if function() is False:
                logger.info('[%d/%d] was done already', number, len(steps))
        logger.info('CPU time before the report: %.1f min. The result is in %s',
                    total_cpu_seconds(self.work) / 60, self.work / PAGE)
        return self.work / PAGE

    def render(self) -> Optional[bool]:
        """Write the faces; False if they are there."""
        if (self.work / 'faces' / 'annotations.csv').is_file():
            return False
        with measured(self.work / 'faces'):
            write_synthfacs(self.work / 'faces', seed=self.seed, workers=1, **self.faces)
        return None

    def pretrain(self) -> Optional[bool]:
        """Train the encoder; False if it is there."""
        if self.pretrained().is_file():
            return False
        cfg = self.pretrain_config()
        cfg.log_level = _log_level()
        with measured(self.work / 'pretrain'), _bar('pretraining') as hooks:
            runner = build_runner(cfg)
            for hook in hooks:
                runner.register_hook(hook)
            runner.train()
        return None

    def fine_tune(self, name: str) -> Optional[bool]:
        """Train and test a model; False if that is done."""
        run, = self.runs()[name]
        if run.predictions.is_file():
            return False
        with measured(Path(run.work_dir)), _bar(name) as hooks:
            train_and_test(run, hooks=hooks, log_level=_log_level())
        return None

    def report(self) -> None:
        """``report.json`` and ``report.html`` from what the runs left."""
        from fmae_iat_plugin.visualization import write_report

        from .report import build
        people = read_population(self.work / 'faces')
        test = sum(map(people.is_test, range(people.subjects)))
        write_report(self.work / PAGE, *build(
            self.runs(), BASE, OURS, self.probe_frames, seed=self.seed,
            title='FMAE and FMAE-IAT on rendered faces',
            summary=f'A small model learned {len(people.aus)} facial action units from rendered '
            f'faces of {people.subjects - test} people, once as it is ({BASE}) and once while '
            f'unlearning who they are ({OURS}), and was tested on {test} other people. In '
            f'training, identity predicts the action units (shortcut {people.shortcut:g} of 1); '
            'among the test people it does not.',
            caveat='Intervals are of 95 %, over people. There is one training, so a verdict is '
            'about this checkpoint and not about the method; it needs the effect to differ from 0 '
            'after Holm’s correction for the number of claims, else it says “not enough data”. A '
            'tiny model and few rendered people: this shows how the experiment works, it is not '
            'evidence about real faces.',
            setup={
                'Faces': f'{people.subjects} people, {people.frames} frames each, '
                f'{people.sessions} sessions, {self.faces["size"]} px',
                'Pretraining': f'{self.pretrain_config().train_cfg.max_epochs} epochs, training '
                'subjects only',
                'Fine-tuning': f'{self.config(OURS).train_cfg.max_epochs} epochs, the same recipe '
                'for both',
                'CPU time before the report': f'{total_cpu_seconds(self.work) / 60:.1f} min'}))


def _log_level() -> str:
    """At a terminal there is a bar; elsewhere lines with the time left."""
    return 'WARNING' if sys.stdout.isatty() else 'INFO'


@contextmanager
def _bar(title: str) -> Iterator[List[ProgressBarHook]]:
    """The hooks that draw a bar at a terminal."""
    bar = ProgressBarHook(title=f'  {title}')
    try:
        yield [bar] if sys.stdout.isatty() else []
    finally:
        bar.close()


def main(arguments: Optional[list] = None) -> Path:
    """Parse arguments and run; returns the path of the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work-dir', default='work_dirs/quickstart')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(arguments)
    return Quickstart(args.work_dir, args.seed).run()


if __name__ == '__main__':
    main()
