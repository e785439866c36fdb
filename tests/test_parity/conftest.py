# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Runs the plugin through MMEngine's Runner on the parity config, and names its weights."""

import itertools
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

import fmae_iat_plugin  # noqa: F401

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))  # for the twin, the recorder and the faces

TWIN_NAMES = (  # the plugin's name -> the twin's
    (r'^backbone\.patch_embed\.projection\.', 'patch.'),
    (r'^backbone\.cls_token$', 'cls'),
    (r'^backbone\.pos_embed$', 'pos'),
    (r'^backbone\.layers\.(\d+)\.ln(\d)\.', r'blocks.\1.norm\2.'),
    (r'^backbone\.layers\.(\d+)\.attn\.', r'blocks.\1.'),
    (r'^backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\.', r'blocks.\1.fc1.'),
    (r'^backbone\.layers\.(\d+)\.ffn\.layers\.1\.', r'blocks.\1.fc2.'),
    (r'^backbone\.ln2\.', 'norm.'),
    (r'^head\.fc\.', 'au.'),
    (r'^adversary\.head\.fc\.', 'identity.'),
)


class Trained:
    """What a training left in its work folder.

    Attributes:
        initial, final (dict[str, Tensor]): Weights by the plugin's names.
        ranks (list[list[dict]]): For each process and step ``images``, ``rates``, losses.
    """

    def __init__(self, folder):
        self.initial = torch.load(folder / 'initial.pth')
        last = Path((folder / 'last_checkpoint').read_text())
        # the test's own file; MMEngine's meta data are no tensors
        self.final = torch.load(last, weights_only=False)['state_dict']
        self.ranks = [json.loads(path.read_text()) for path in sorted(folder.glob('record_*'))]
        self.steps = self.ranks[0]


@pytest.fixture(scope='session')
def parity_config():
    """Returns ``make(faces, **options)``: the config, with dotted options over it."""

    def make(faces, **options):
        cfg = Config.fromfile(FOLDER / 'parity_config.py')
        cfg.merge_from_dict({
            'train_dataloader.dataset.data_root': str(faces),
            **{key.replace('__', '.'): value for key, value in options.items()}})
        return cfg

    return make


@pytest.fixture(scope='session')
def run(parity_config, tmp_path_factory):
    """Returns ``run(faces, **options)``, which trains in this process: a :class:`Trained`."""
    count = itertools.count()

    def train(faces, **options):
        cfg = parity_config(faces, **options)
        cfg.work_dir = str(tmp_path_factory.mktemp('run'))
        cfg.experiment_name = f'parity_{next(count)}'
        with pytest.MonkeyPatch.context() as patch:  # the same numbers beside a GPU
            patch.setattr('mmengine.runner.runner.get_device', lambda: 'cpu')
            Runner.from_cfg(cfg).train()
        return Trained(Path(cfg.work_dir))

    return train


@pytest.fixture(scope='session')
def read_trained():
    """Reads the work folder of a training that another process ran."""
    return Trained


@pytest.fixture(scope='session')
def to_twin():
    """Renames a dict of the plugin's parameters to the twin's names; refuses unknown ones."""

    def rename(values):
        renamed = {}
        for name, value in values.items():
            matching = [re.sub(old, new, name) for old, new in TWIN_NAMES if re.match(old, name)]
            assert len(matching) == 1, f'the twin has no {name}'
            renamed[matching[0]] = value
        assert len(renamed) == len(values)
        return renamed

    return rename


@pytest.fixture(scope='session')
def assert_same_weights():
    """Compares two dicts of weights, but for the biases of the attention's keys.

    A key's bias adds the same to all logits of a softmax: it has no effect and no gradient, and
    Adam turns the rounding noise in its place into steps (see ``test_key_bias_has_no_effect``).
    """

    def compare(found, wanted, atol):
        assert set(found) == set(wanted)
        for name, value in wanted.items():
            parts = [(found[name], value)]
            if name.endswith('qkv.bias'):
                queries, _, values = zip(found[name].chunk(3), value.chunk(3), strict=True)
                parts = [queries, values]
            for part, other in parts:
                torch.testing.assert_close(
                    part, other, rtol=0, atol=atol, msg=lambda text, name=name: f'{name}: {text}')

    return compare
