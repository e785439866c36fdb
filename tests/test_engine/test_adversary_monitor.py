# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The monitor's numbers in a real training against those of a witness, and its sentences."""

import json
import math

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from fmae_iat_plugin.engine import AdversaryMonitorHook
from fmae_iat_plugin.engine.adversary_monitor import complaints
from fmae_iat_plugin.evaluation import split_frames

PEOPLE, FRAMES = 6, 24


class Witness(Hook):
    """What the head scores on every batch, by formulas of its own."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.rows = []

    def before_train(self, runner):
        def keep(module, inputs, output):
            self.feature = output[-1].detach().clone()
        self.handle = runner.model.adversary['neck'].register_forward_hook(keep)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        fc = runner.model.adversary['head'].fc
        who = torch.tensor([sample.subject for sample in data_batch['data_samples']])
        z = (self.feature @ fc.weight.T + fc.bias).detach().double()
        y = F.one_hot(who, PEOPLE).double()
        p = 1 / (1 + (-z).exp())
        gradient = p - y
        along = gradient @ torch.full((PEOPLE, ), PEOPLE**-.5, dtype=torch.float64)
        self.rows.append((-(y * p.log() + (1 - y) * (1 - p).log()).mean().item(),
                          (along.square().sum() / gradient.square().sum()).item(),
                          self.feature.square().sum(1).sqrt().mean().item()))


@pytest.fixture(scope='module')
def config(repo, tmp_path_factory):
    """Six people whose brightness differs, three of whom are trained on, and three sequences."""
    root, rng = tmp_path_factory.mktemp('people'), np.random.default_rng(0)
    lines = ['image,subject,sequence,AU1']
    for k in range(PEOPLE * FRAMES):
        pixels = rng.integers(0, 100, (48, 48, 3), dtype=np.uint8) + np.uint8(25 * (k % PEOPLE))
        Image.fromarray(pixels).save(root / f'{k}.png')
        lines.append(f'{k}.png,S{k % PEOPLE},T{k // PEOPLE % 3},{k % 5 // 3}')
    (root / 'annotation.csv').write_text('\n'.join(lines) + '\n')
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    for loader in ('train', 'val', 'test'):
        cfg[f'{loader}_dataloader'].update(num_workers=0, persistent_workers=False)
        cfg[f'{loader}_dataloader'].dataset.update(data_root=str(root), data_prefix='', folds=3,
                                                   fold=1, aus=(1, ))
    cfg.train_dataloader.batch_size = 16
    cfg.model.backbone.arch.num_layers = 1
    cfg.model.head.num_classes = 1
    cfg.model.adversary.head.num_subjects = PEOPLE
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=2)
    cfg.param_scheduler.warmup_epochs = 1
    cfg.log_level = 'ERROR'
    return cfg


def train(cfg, folder, *hooks):
    cfg = Config(cfg.to_dict())
    cfg.work_dir, cfg.experiment_name = str(folder), folder.name
    cfg.custom_hooks = [dict(type='NonFiniteLossHook')]
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    rows = [json.loads(line) for path in folder.glob('*/vis_data/scalars.json')
            for line in path.read_text().splitlines()]
    return runner, {row['step']: row for row in rows if 'adversary/loss' in row}


@pytest.mark.slow
def test_numbers_of_a_training(config, tmp_path):
    witness = Witness()
    monitor = AdversaryMonitorHook(every=1, train=8, test=4, seed=5)
    runner, rows = train(config, tmp_path / 'watched', monitor, witness)
    per_epoch = len(witness.rows) // 2
    assert sorted(rows) == [1, 2] and per_epoch >= 4
    for epoch, row in rows.items():
        wanted = np.mean(witness.rows[(epoch - 1) * per_epoch:epoch * per_epoch], axis=0)
        found = [row[f'adversary/{key}'] for key in ('loss', 'common_share', 'feature_norm')]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    # two of the six are tested, one is held out: the rates are 1/3 of three people, and 0 of three
    entropy = -(math.log(1 / 3) + 2 * math.log(2 / 3)) / 3
    assert rows[1]['adversary/floor'] == pytest.approx(3 * entropy / 6)
    assert rows[1]['adversary/ceiling'] == pytest.approx(math.log(2))

    # the probe at the end, by scikit-learn on features of the trained model
    data = DATASETS.build({**config.test_dataloader.dataset, 'split': 'all'})
    infos = [data.get_data_info(k) for k in range(len(data))]
    training = {info['subject'] for info in map(
        runner.train_dataloader.dataset.get_data_info,
        range(len(runner.train_dataloader.dataset)))}
    assert len(training) == 3
    who = np.array([info['subject'] if info['subject'] in training else -1 for info in infos])
    split = split_frames(who, 8, 4, 5, np.array([info['sequence'] for info in infos]))
    model = runner.model.eval()
    with torch.no_grad():
        feature = torch.cat([model.extract_feat(model.data_preprocessor(
            dict(inputs=[data[k]['inputs']], data_samples=[data[k]['data_samples']]), False)[
                'inputs'])[-1] for k in range(len(data))])
        own = model.adversary['head']((feature, ))[split.test].argmax(1).numpy()
    assert rows[2]['adversary/head'] == pytest.approx(100 * (own == who[split.test]).mean())
    x = feature.numpy()
    mean, std = x[split.train].mean(0), x[split.train].std(0)
    probe = LogisticRegression(max_iter=2000).fit((x[split.train] - mean) / std, who[split.train])
    right = probe.predict((x[split.test] - mean) / std) == who[split.test]
    assert rows[2]['adversary/fresh'] == pytest.approx(100 * right.mean(), abs=100 / len(right))
    assert rows[2]['adversary/chance'] == pytest.approx(100 / 3)

    plain, none = train(config, tmp_path / 'unwatched')
    assert none == {}
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, runner.model.state_dict()[name]), name


GOOD = dict(loss=.11, floor=.115, head=5., fresh=8., chance=4.)


@pytest.mark.parametrize('values, said', [
    (GOOD, []), (dict(loss=.12, floor=.115), []),
    ({**GOOD, 'loss': .9}, ['fools']), ({**GOOD, 'fresh': 29.}, ['turns faster']),
    ({**GOOD, 'loss': .9, 'fresh': 29.}, ['fools', 'turns faster'])])
def test_sentences(values, said):
    found = complaints(values)
    assert len(found) == len(said)
    assert all(word in sentence and 'Remedy' in sentence for word, sentence in zip(said, found))


@pytest.mark.slow
def test_without_an_adversary_it_does_nothing(config, tmp_path):
    with pytest.raises(ValueError, match='every=0'):
        AdversaryMonitorHook(every=0)
    cfg = Config(config.to_dict())
    cfg.model.adversary = None
    runner, rows = train(cfg, tmp_path, AdversaryMonitorHook())
    assert rows == {} and runner.epoch == 2
