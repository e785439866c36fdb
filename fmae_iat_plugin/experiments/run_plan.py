# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which runs a cross-validation consists of, and the config of each."""

import json
import os
import re
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from mmengine.config import Config
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.datasets.protocol import load_protocol
from fmae_iat_plugin.files import write_whole

from .versions import versions

NOTE = 'run.json'
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
        split (int): 0 = the folds as they are; another number: the subjects dealt anew.
    """

    experiment: str
    config: str
    fold: int
    seed: int
    work_dir: str
    options: Dict[str, Any] = {}
    split: int = 0

    @property
    def training(self) -> Tuple[int, int]:
        """Split and seed: the runs of one training, a fold each, test everybody once."""
        return self.split, self.seed

    @property
    def predictions(self) -> Path:
        """The file that says that the run is finished."""
        return Path(self.work_dir, 'predictions.npz')

    @property
    def features(self) -> Path:
        """Features of frames of all people, see :mod:`.run_features`."""
        return Path(self.work_dir, 'features.npz')

    def write_note(self, digest: str, settings: Optional[Dict[str, Any]] = None) -> None:
        """Note its fields, the digest of its config, and the versions of this process.

        Args:
            digest: Of its config.
            settings: What its numbers come from, see :func:`~.run_settings.run_settings`.
        """
        settings = {} if settings is None else dict(settings=settings)
        write_whole(Path(self.work_dir, NOTE), json.dumps(
            {**self._asdict(), 'digest': digest, **settings, 'versions': versions()},
            indent=1).encode())

    def note(self) -> dict:
        """What :meth:`write_note` wrote: its fields, ``digest``, ``settings`` and ``versions``."""
        return json.loads(Path(self.work_dir, NOTE).read_text(encoding='utf-8'))


def plan_runs(configs: Sequence[str], seeds: Sequence[int], out: str,
              folds: Optional[Sequence[int]] = None,
              options: Optional[Dict[str, Any]] = None,
              variants: Optional[Dict[str, Dict[str, Any]]] = None, splits: int = 1) -> List[Run]:
    """All runs, in ``OUT/EXPERIMENT/foldF_seedS``, or of further splits ``splitN_foldF_seedS``.

    Args:
        configs: ``NAME_fold2.py`` is fold 2 of the experiment NAME. Another name stands for all
            folds of its data set, or for ``folds`` where the config does not say how many.
        seeds: Of the training.
        out: Folder of all runs.
        folds: Only these.
        options: See :class:`Run`.
        variants: Name -> further options. With them each config makes an experiment
            ``NAME-VARIANT`` for each, and none of its own.
        splits: Number of splits of the subjects into folds, the folds as they are among them.

    Raises:
        FileNotFoundError: If a config does not exist.
        ValueError: If the folds cannot be told, a fold is named twice or does not exist or makes
            no difference to the config, or two runs have the same folder.
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
            numbers = _folds(config, folds, options or {})
        for fold in numbers:
            if folds is not None and fold not in folds:
                continue
            if (name, fold) in found:
                raise ValueError(f'both {found[name, fold]} and {config} are fold {fold} of '
                                 f'{name}.')
            found[name, fold] = config
    missing = sorted(set(folds or ()) - {fold for _, fold in found})
    if missing or not found:
        raise ValueError(f'the configs do not have the folds {missing}.')
    names = list(dict.fromkeys(name for name, _ in found))
    runs = [Run(name + suffix, found[name, fold], fold, seed,
                str(Path(out, name + suffix, f'split{split}_' * (split > 0)
                         + f'fold{fold}_seed{seed}')), {**(options or {}), **more}, split)
            for split in range(splits) for seed in seeds for name in names
            for suffix, more in ({f'-{key}': value for key, value in variants.items()}
                                 if variants else {'': {}}).items()
            for fold in sorted(fold for other, fold in found if other == name)]
    folders = [run.work_dir for run in runs]
    if splits < 1:
        raise ValueError(f'splits is {splits}. Remedy: 1 for the folds as they are, or more.')
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        raise ValueError(f'two runs would share the folder {twice}. Remedy: name each seed once, '
                         'and give configs and variants different names.')
    return runs


def _folds(config: str, wanted: Optional[Sequence[int]], options: Dict[str, Any]) -> Sequence[int]:
    """Those of a config whose name does not say its fold: what its data set has, or ``wanted``."""
    data = Config.fromfile(config).test_dataloader.dataset
    if data.get('folds'):
        return range(1, data.folds + 1)
    protocol = data.get('protocol') or _default_protocol(data.type)
    if protocol is not None:
        return sorted(load_protocol(protocol).folds)
    if not wanted:
        raise ValueError(f'{config}: neither its name (..._fold1.py) nor its test data set '
                         '(folds=3) names its folds. Remedy: --folds 1 2 3.')
    if 'fold' not in data and not any('{fold}' in str(value) for value in options.values()):
        raise ValueError(f'{config}: its data set has no `fold` and no option has {{fold}}, so all '
                         'folds would be the same. Remedy: set `fold` in its data sets, or '
                         '--cfg-options KEY=...{fold}...')
    return wanted


def _default_protocol(data_set: str) -> Optional[str]:
    """``'bp4d'`` for BP4D and so on; None for a data set without one."""
    found = signature(DATASETS.get(data_set).__init__).parameters.get('protocol')
    return None if found is None else found.default


@contextmanager
def _fold_in_the_environment(fold: int) -> Iterator[None]:
    """Configs of all folds read it as ``{{$FOLD:1}}``, e.g. for the encoder of the fold."""
    before = os.environ.get('FOLD')
    os.environ['FOLD'] = str(fold)
    try:
        yield
    finally:
        del os.environ['FOLD']
        if before is not None:
            os.environ['FOLD'] = before


def run_config(run: Run) -> Config:
    """The config of a run: its fold in all data sets, its seed, its folder, its options.

    The launcher does not belong to it, so that another launcher may continue the run.
    """
    with _fold_in_the_environment(run.fold):
        cfg = Config.fromfile(run.config)
    for loader in LOADERS:
        _set_fold(cfg[loader].dataset, run.fold, run.split)
    cfg.randomness.seed = run.seed
    values = {key: value.format(fold=run.fold, seed=run.seed) if isinstance(value, str) else value
              for key, value in run.options.items()}
    cfg.merge_from_dict(values)
    cfg.work_dir = run.work_dir
    cfg.launcher, cfg.resume = 'none', False
    return cfg


def _set_fold(dataset: dict, fold: int, split: int) -> None:
    parts = [dataset, *dataset.get('datasets', ()), dataset.get('dataset')]
    for part in parts:
        if part is not None and 'fold' in part:
            part['fold'] = fold
            if split:
                part['split_seed'] = split
