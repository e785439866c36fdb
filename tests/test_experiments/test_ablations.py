# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The paper's ablations are recognised by what differs in their configs."""

import os
from unittest.mock import patch

import pytest
from mmengine.config import Config

from fmae_iat_plugin.experiments.ablations import (
    ablations,
    differing,
    kinds,
    setting,
    start_point,
)
from fmae_iat_plugin.experiments.run_plan import Run

FILES = {  # experiment -> (config, the ablations it belongs to)
    'fmae': ('fmae_bp4d', ()),  # another recipe than FMAE-IAT's: no lambda 0 of it
    'iat': ('bp4d', ()),
    'l0': ('ablations/lambda0_bp4d', ('lambda', )),
    'l0.02': ('ablations/lambda0.02_bp4d', ('lambda', )),
    'l3': ('ablations/lambda3_bp4d', ('lambda', )),
    'h2': ('ablations/id-head2_bp4d', ('head', )),
    'h3': ('ablations/id-head3_bp4d', ('head', )),
    'ce': ('ablations/id-loss-ce_bp4d', ()),
    'small': ('start_points/fmae-small_bp4d', ('size', )),
    'in1k': ('start_points/mae-in1k-large_bp4d', ('size', )),
    'disfa': ('disfa', ()),
}


def load(repo, name, fold=2):
    file = FILES[name][0]
    with patch.dict(os.environ, FOLD=str(fold)):  # the start points are one file for all folds
        return Config.fromfile(
            repo / f'configs/iat/{file}{"" if "start" in file else f"_fold{fold}"}.py')


@pytest.mark.parametrize('one, other, same', [
    ('checkpoints/fmae_vit-base_face9m.pth', 'checkpoints/fmae_vit-large_face9m.pth', True),
    ('x/mae_vit-base-p16_8xb512_in1k_20220825-f7569ca2.pth',
     'x/mae_vit-large-p16_8xb512_in1k_20220825-cc70ef21.pth', True),
    ('checkpoints/fmae_vit-base_face9m.pth', 'x/mae_vit-base-p16_8xb512_in1k.pth', False),
    ('work_dirs/pretrain_small/epoch_50.pth', 'work_dirs/pretrain_large/epoch_50.pth', True),
    ('work_dirs/pretrain_small/epoch_50.pth', 'work_dirs/pretrain_large/epoch_10.pth', False),
    ('work_dirs/faces/s.pth', 'work_dirs/objects/s.pth', False),
    (None, None, True), (None, 'checkpoints/fmae_vit-base_face9m.pth', False)])
def test_encoders_of_two_sizes_with_one_start_point(one, other, same):
    """A larger encoder is compared with a smaller one, not more pictures with fewer."""
    points = [start_point(Config(dict(model=dict(pretrained=name)))) for name in (one, other)]
    assert (points[0] == points[1]) == same


@pytest.mark.parametrize('name', FILES)
def test_kinds(repo, name):
    found = kinds(load(repo, name), load(repo, 'fmae'), load(repo, 'iat'))
    assert found == FILES[name][1]


def test_a_ramp_is_told_from_other_hooks(repo):
    base, ours, ramp, other = (load(repo, name) for name in ('fmae', 'iat', 'iat', 'iat'))
    ramp.custom_hooks.append(dict(type='LambdaRampHook'))
    other.custom_hooks.append(dict(type='EmptyCacheHook'))
    assert kinds(ramp, base, ours) == ('ramp', ) and setting(ramp).ramp
    assert kinds(other, base, ours) == ()


def test_settings(repo):
    assert setting(load(repo, 'iat'))[:4] == (2.0, 1, False, '1024 x 24')
    assert setting(load(repo, 'h3'))[:2] == (2.0, 3)
    assert setting(load(repo, 'l0'))[:2] == (0.0, 1)
    small = setting(load(repo, 'small'))
    assert small[:4] == (0.0, 0, False, '384 x 12')
    # 12 blocks of 12 d^2 + 13 d, patches, positions, class token, last norm
    d = 384
    assert small.parameters == 12 * (12 * d * d + 13 * d) + (768 + 1) * d + 197 * d + d + 2 * d


def test_what_belongs_to_a_run_is_no_difference(repo):
    one, two = load(repo, 'iat'), load(repo, 'iat')
    one.work_dir, two.work_dir = 'a', 'b'
    two.randomness.seed, two.resume, two.load_from = 7, True, 'x.pth'
    assert differing(one, two) == set()
    two.optim_wrapper.optimizer.lr = 1.0
    assert differing(one, two) == {'optim_wrapper.optimizer.lr'}


def test_only_common_folds_and_seeds_are_compared(repo, tmp_path):
    places = dict(fmae=[(1, 0), (2, 0)], iat=[(1, 0), (2, 0), (2, 1)], l0=[(2, 0), (2, 1)],
                  l3=[(2, 0), (2, 1), (3, 0)], h2=[(2, 1)], small=[(1, 0), (2, 0), (3, 0)])
    experiments = {}
    for name, found in places.items():
        for fold, seed in found:
            folder = tmp_path / name / f'{fold}_{seed}'
            folder.mkdir(parents=True)
            cfg = load(repo, name, fold if 'abl' not in FILES[name][0] else 2)
            for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
                cfg[loader].dataset.fold = fold
            cfg.dump(folder / 'c.py')
            experiments.setdefault(name, []).append(Run(name, 'c.py', fold, seed, str(folder)))
    found = ablations(experiments, 'fmae', 'iat')
    assert {kind: {name: [(run.fold, run.seed) for run in runs] for name, runs in group.items()}
            for kind, group in found.items()} == {
        'lambda': {name: [(2, 0), (2, 1)] for name in ('l0', 'iat', 'l3')},
        'size': {'small': [(1, 0), (2, 0)], 'fmae': [(1, 0), (2, 0)]}}
