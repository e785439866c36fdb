# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Identity probing of a checkpoint: does its feature know who people are?"""

import argparse
import json
import sys
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS
from torch import nn
from torch.utils.data import Dataset

from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.evaluation import ProbeResult, extract_features, identity_probe
from fmae_iat_plugin.files import write_whole

RANDOM, SEQUENCES = 'frames drawn at random', 'other sequences than in training'


def probe_model(model: nn.Module, data: Dataset, train: int = 70, test: int = 30, seed: int = 0,
                num_workers: int = 0) -> Dict[str, ProbeResult]:
    """Probe a model's frozen feature, as the paper does and by sequence.

    Args:
        model: See :func:`~fmae_iat_plugin.evaluation.extract_features`.
        data: All frames (``split='all'``) with the test pipeline.
        train, test, seed: See :func:`~fmae_iat_plugin.evaluation.identity_probe`.
        num_workers: That read images.

    Returns:
        dict: :data:`RANDOM` -> the paper's split; :data:`SEQUENCES` -> no sequence on both sides,
        where the table has a column ``sequence``.
    """
    found = extract_features(model, data, num_workers=num_workers)
    sequences = np.array([data.get_data_info(k).get('sequence', '') for k in range(len(data))])
    out = {RANDOM: identity_probe(found.features, found.subjects, train, test, seed)}
    if (sequences != '').any():
        out[SEQUENCES] = identity_probe(found.features, found.subjects, train, test, seed,
                                        sequences=sequences)
    return out


def probe_checkpoint(cfg: Config, checkpoint: str, device: Optional[str] = None,
                     **options) -> Dict[str, ProbeResult]:
    """:func:`probe_model` of a checkpoint, opened without running code from it, on all frames of
    the config's test data set; ``options`` are those of :func:`probe_model`."""
    from fmae_iat_plugin.inference.torch_backend import TorchBackend
    init_default_scope('mmpretrain')
    model = TorchBackend(cfg, checkpoint, device).model
    data = DATASETS.build({**cfg.test_dataloader.dataset, 'split': 'all'})
    return probe_model(model, data, **options)


def as_table(found: Dict[str, ProbeResult]) -> dict:
    """Plain values, in percent."""
    return {split: dict(
        subjects=len(probe.subjects), train=probe.train, test=probe.test,
        chance=100 * probe.chance,
        left_out={str(who): frames for who, frames in probe.split.left_out.items()},
        epochs=[100 * value for value in probe.paper_epochs],
        **{kind: dict(accuracy=100 * probe.accuracy(kind),
                      interval=[100 * value for value in probe.interval(kind)])
           for kind in ('paper', 'logistic')}) for split, probe in found.items()}


def as_text(table: dict) -> str:
    """The table for people."""
    lines = []
    for split, row in table.items():
        lines.append(f'{split}: {row["subjects"]} people, {row["train"]} + {row["test"]} frames '
                     f'each, chance {row["chance"]:.1f} %'
                     + (f', {len(row["left_out"])} people have too few' * bool(row['left_out'])))
        for kind, name in (('paper', "paper's probe, last epoch"),
                           ('logistic', 'logistic regression')):
            low, high = row[kind]['interval']
            lines.append(f'  {name:<26} {row[kind]["accuracy"]:5.1f} %  '
                         f'(95 % interval {low:.1f} to {high:.1f})')
        lines.append(f'  {"best epoch (on the test)":<26} {max(row["epochs"]):5.1f} %')
    return '\n'.join(lines) + '\n'


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; its exit code: 0, or 2 (an error)."""
    parser = argparse.ArgumentParser(
        description='Identity probe of a checkpoint; see docs/en/evidence.md.')
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--train', type=int, default=70, help='frames per person; default: 70')
    parser.add_argument('--test', type=int, default=30, help='frames per person; default: 30')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', help='default: the GPU if there is one')
    parser.add_argument('--workers', type=int, default=2, dest='num_workers',
                        help='processes that read images')
    parser.add_argument('--out', type=Path, help='JSON file of all numbers')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args(arguments)
    try:
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options)
        table = as_table(probe_checkpoint(cfg, args.checkpoint, args.device, train=args.train,
                                          test=args.test, seed=args.seed,
                                          num_workers=args.num_workers))
    except (ValueError, OSError, ImportError) as error:
        return say_error(error)
    if args.out is not None:
        write_whole(args.out, json.dumps(table, indent=1).encode())
    sys.stdout.write(as_text(table))
    return 0
