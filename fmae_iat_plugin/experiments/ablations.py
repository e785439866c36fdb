# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which experiments are ablations of which: told by what differs in their configs, not by names.

- lambda (the paper's Tables 5 and 6): the config of FMAE-IAT with another ``neck.scale``, or
  without an adversary;
- head (Table 7): with other hidden layers of the identity head;
- ramp: with a :class:`~fmae_iat_plugin.engine.LambdaRampHook`;
- size (Figure 2): the config of FMAE with another backbone or another pretrained encoder.
"""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Set, Tuple

import torch
from mmengine.config import Config

from .run_plan import Run

KINDS = ('lambda', 'head', 'ramp', 'size')
#: what differs from run to run of one experiment
_OF_A_RUN = ('work_dir', 'load_from', 'resume', 'launcher', 'randomness.seed',
             'test_evaluator.out_file')


class Setting(NamedTuple):
    """What is compared in an ablation.

    Attributes:
        scale (float): lambda; 0 without an adversary.
        layers (int): Of the identity head; 0 without an adversary.
        ramp (bool): Does lambda rise?
        encoder (str): Width x depth of the backbone.
        parameters (int): Of the backbone.
    """

    scale: float
    layers: int
    ramp: bool
    encoder: str
    parameters: int


def run_dump(run: Run) -> Config:
    """The config that the run was trained with, as MMEngine left it in the run's folder.

    Raises:
        FileNotFoundError: If it is missing.
    """
    path = Path(run.work_dir, Path(run.config).name)
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist: it should hold the config of the run. '
                                'Remedy: run it again with tools/cross_validate.py.')
    return Config.fromfile(path)


def setting(cfg: Config) -> Setting:
    """The setting of a config."""
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import MODELS
    init_default_scope('mmpretrain')
    with torch.device('meta'):  # shapes are enough
        backbone = MODELS.build(cfg.model.backbone)
    adversary = cfg.model.get('adversary')
    ramp = any(hook['type'] == 'LambdaRampHook' for hook in cfg.get('custom_hooks', ()))
    return Setting(
        scale=float(adversary.neck.get('scale', 1.0)) if adversary else 0.0,
        layers=1 + len(adversary.head.get('hidden_dims', ())) if adversary else 0, ramp=ramp,
        encoder=f'{backbone.embed_dims} x {len(backbone.layers)}',
        parameters=sum(p.numel() for p in backbone.parameters()))


def start_point(cfg: Config) -> str:
    """Where the encoder's weights come from, but for its size; '' = from scratch.

    ``fmae_vit-base_face9m.pth`` and ``fmae_vit-large_face9m.pth`` are of one start point: the same
    method on the same pictures. ``mae_vit-base_..._in1k.pth`` is another one.
    """
    name = str(cfg.model.get('pretrained') or '')
    name = re.sub(r'[-_][0-9]{8}-[0-9a-f]{8}(?=\.)', '', name)  # date and hash of OpenMMLab
    return re.sub(r'(?<![a-z])(tiny|small|base|large|huge|[tsblh])(-?p?[0-9]+)?(?![a-z0-9])', '*',
                  name.lower())


def _flat(value, name: str = '') -> Dict[str, object]:
    if not isinstance(value, dict) or not value:
        return {name: value}
    out = {}
    for key, item in value.items():
        out.update(_flat(item, f'{name}.{key}' if name else key))
    return out


def differing(a: Config, b: Config) -> Set[str]:
    """Dotted names of what differs between two configs, but for what belongs to a run alone."""
    first, second = _flat(a.to_dict()), _flat(b.to_dict())
    absent = object()
    return {key for key in first.keys() | second.keys()
            if key not in _OF_A_RUN and first.get(key, absent) != second.get(key, absent)}


def _all(keys: Set[str], *starts: str) -> bool:
    return all(key.startswith(starts) for key in keys)


def kinds(cfg: Config, base: Config, ours: Config) -> Tuple[str, ...]:
    """The ablations that a config belongs to, beside those of ``base`` and ``ours``."""
    found = []
    to_ours, to_base = differing(cfg, ours), differing(cfg, base)
    adversary = cfg.model.get('adversary')
    if to_ours == {'model.adversary.neck.scale'} or (
            adversary is None and _all(to_ours, 'model.adversary')):
        found.append('lambda')
    if adversary and to_ours and _all(to_ours, 'model.adversary.head.hidden_dims'):
        found.append('head')
    if to_ours == {'custom_hooks'} and setting(cfg).ramp != setting(ours).ramp:
        found.append('ramp')
    if adversary is None and to_base and _all(to_base, 'model.backbone', 'model.pretrained',
                                              'model.head.in_channels'):
        found.append('size')
    return tuple(found)


def ablations(experiments: Dict[str, List[Run]], base: str,
              ours: str) -> Dict[str, Dict[str, List[Run]]]:
    """The ablations among some experiments.

    Args:
        experiments: Name -> finished runs.
        base, ours: FMAE's and FMAE-IAT's names.

    Returns:
        dict: Kind -> experiment -> its runs, of the folds and seeds that all experiments of this
        kind have; without those of fewer than two experiments. ``lambda`` and ``size`` rise,
        others stand in the order of their settings.
    """
    members: Dict[str, List[str]] = {kind: [ours] for kind in ('lambda', 'head', 'ramp')}
    members['size'] = [base]
    places = {name: {(run.fold, *run.training): run for run in runs}
              for name, runs in experiments.items()}
    for name in experiments:
        common = places[name].keys() & places[base].keys() & places[ours].keys()
        if name == ours or not common:
            continue
        configs = [run_dump(places[one][min(common)]) for one in (name, base, ours)]
        for kind in kinds(*configs):
            members[kind].append(name)
    out = {}
    for kind, names in members.items():
        common = set.intersection(*(set(places[name]) for name in names))
        if len(names) < 2 or not common:
            continue
        settings = {name: setting(run_dump(experiments[name][0])) for name in names}
        names.sort(key=lambda name: settings[name].parameters if kind == 'size'
                   else settings[name][:3])
        out[kind] = {name: [places[name][place] for place in sorted(common)] for name in names}
    return out
