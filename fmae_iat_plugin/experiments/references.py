# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""References for an adversary, made from finished runs without one.

``NAME-refit`` refits the AU head of each run on its frozen feature, ``NAME-leace`` does the same
after LEACE has removed the identity of the training people (:mod:`~fmae_iat_plugin.evaluation.
erasure`). Their folders look like those of other runs, so that the report has them as rows.
"""

import argparse
import io
import sys
from pathlib import Path
from typing import List, Optional

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from mmpretrain.registry import DATASETS, MODELS

import fmae_iat_plugin  # noqa: F401  registers
from fmae_iat_plugin.engine import derive_sizes
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.evaluation import extract_features
from fmae_iat_plugin.evaluation.erasure import erase_identity, refit_heads
from fmae_iat_plugin.evaluation.predictions import stored_predictions
from fmae_iat_plugin.files import write_whole

from .ablations import run_dump
from .run_plan import Run
from .run_results import read_runs
from .run_settings import config_digest

KINDS = ('refit', 'leace')


def write_references(run: Run, out: str) -> List[Run]:
    """Make both references of a run; those that are there are kept.

    Args:
        run: Finished, with features and its last checkpoint.
        out: Folder of all runs.

    Raises:
        FileNotFoundError: If the checkpoint is not there any more.
    """
    made = [run._replace(experiment=f'{run.experiment}-{kind}', work_dir=str(
        Path(out, f'{run.experiment}-{kind}', Path(run.work_dir).name))) for kind in KINDS]
    if all(reference.predictions.is_file() for reference in made):
        return made
    cfg = run_dump(run)
    init_default_scope('mmpretrain')
    last = Path(run.work_dir, 'last_checkpoint')
    checkpoint = Path(run.work_dir, Path(last.read_text().strip()).name) if last.is_file() else last
    if not checkpoint.is_file():
        raise FileNotFoundError(f'{checkpoint} does not exist, but the references need the trained '
                                'encoder. Remedy: run it again with tools/cross_validate.py.')
    model = MODELS.build(derive_sizes(cfg).model).eval()
    load_checkpoint(model, str(checkpoint), map_location='cpu')
    train, test = (_frames(cfg, model, split) for split in ('train', 'test'))
    with np.load(run.features, allow_pickle=False) as data:
        stored = dict(data)
    erased = erase_identity(train[0].features, train[0].subjects, test[0].features,
                            stored['features'])
    plain = train[0].features, test[0].features, stored['features']
    for reference, (fit_on, tested, kept), kind in zip(made, (plain, erased), KINDS):
        scores, = refit_heads(fit_on, train[1], tested)
        _write(reference, cfg, kind, scores, test, {**stored, 'features': kept},
               stored_predictions(run.predictions))
    return made


def _frames(cfg: Config, model, split: str) -> tuple:
    """Features and labels ``[N, C]`` of a split, with the test pipeline."""
    data = DATASETS.build({**cfg.test_dataloader.dataset, 'split': split})
    labels = np.stack([np.asarray(data.get_data_info(k)['gt_score'], dtype=np.float32)
                       for k in range(len(data))])
    return extract_features(model, data), labels


def _write(run: Run, cfg: Config, kind: str, scores: np.ndarray, test: tuple, features: dict,
           given) -> None:
    """The folder of a reference; its predictions come last, because they say that it is whole."""
    folder = Path(run.work_dir)
    (folder / 'reference' / 'vis_data').mkdir(parents=True, exist_ok=True)
    (folder / 'reference' / 'vis_data' / 'scalars.json').touch()  # it was not trained
    cfg = Config(cfg.to_dict())
    cfg.reference = kind  # so that it is not taken for an ablation
    cfg.dump(folder / Path(run.config).name)
    run.write_note(config_digest(cfg))
    for path, content in ((run.features, features), (run.predictions, dict(
            scores=scores, labels=test[1], subject=test[0].subjects, img_path=test[0].paths,
            classes=np.array(given.classes), subjects=np.array(given.names)))):
        stream = io.BytesIO()
        np.savez(stream, **content)
        write_whole(path, stream.getvalue())


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; its exit code: 0, or 2 (an error)."""
    parser = argparse.ArgumentParser(
        description='References for an adversary: the AU head refitted on the frozen feature, with '
        'and without the identity that LEACE removes; see docs/en/iat.md.')
    parser.add_argument('folder', help='of tools/cross_validate.py; the references go there too')
    parser.add_argument('experiment', nargs='+', help='trained without an adversary')
    args = parser.parse_args(arguments)
    try:
        runs = read_runs(args.folder)
        missing = sorted(set(args.experiment) - {run.experiment for run in runs})
        if missing:
            raise ValueError(f'no finished run of {missing[0]!r} in {args.folder}. Remedy: one of '
                             f'{", ".join(sorted({run.experiment for run in runs}))}.')
        for run in runs:
            if run.experiment in args.experiment:
                for reference in write_references(run, args.folder):
                    sys.stdout.write(f'{reference.work_dir}\n')
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    return 0
