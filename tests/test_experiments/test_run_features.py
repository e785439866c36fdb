# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The features kept of a run are the model's, of a fixed draw of everybody's frames."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image

from fmae_iat_plugin.datasets.transforms import IMAGENET_MEAN
from fmae_iat_plugin.experiments.run_features import (
    choose_frames,
    draw_frames,
    read_features,
    write_features,
)

DEVIATION = (58.395, 57.12, 57.375)  # ImageNet's, of R, G, B
FRAMES = 4


@pytest.fixture
def cfg(repo, face_table):
    """Of a table of 4 people with 6, 5, 4 and 3 frames, and 3 frames of nobody."""
    people = np.random.default_rng(3).permutation(list('ddddddcccccbbbbaaa') + [''] * 3)
    root = face_table([f'{k}.png,{name},{k % 2},{1 - k % 2},T{k % 3}'
                       for k, name in enumerate(people)],
                      header='image,subject,AU1,AU12,sequence', size=48)
    cfg = Config.fromfile(repo / 'configs/custom/own_table_tiny_48px.py')
    cfg.test_dataloader.num_workers = 0
    cfg.test_dataloader.dataset.update(data_root=str(root), data_prefix='', aus=(1, 12), folds=2)
    cfg.model.head.num_classes, cfg.model.backbone.arch.num_layers = 2, 1
    return cfg


@pytest.fixture
def model(cfg):
    torch.manual_seed(0)
    return MODELS.build(cfg.model).train()


def table_of(cfg):
    """Image -> (subject, sequence), read without the package."""
    lines = Path(cfg.test_dataloader.dataset.data_root, 'annotation.csv').read_text().splitlines()
    return {image: (subject, sequence) for image, subject, _, _, sequence
            in (line.split(',') for line in lines[1:])}


def test_they_are_those_of_a_plain_loop(cfg, model, tmp_path):
    write_features(tmp_path / 'features.npz', model, choose_frames(cfg, FRAMES))
    found, table = read_features(tmp_path / 'features.npz'), table_of(cfg)
    assert model.training
    model.eval()
    for path, row in zip(found.paths, found.features):
        pixels = torch.from_numpy(np.array(Image.open(path).convert('RGB'))).float()
        face = (pixels - torch.tensor(IMAGENET_MEAN)) / torch.tensor(DEVIATION)
        with torch.no_grad():
            wanted = model.backbone(face.permute(2, 0, 1)[None])[-1][0]
        np.testing.assert_allclose(row, wanted.numpy(), rtol=1e-4, atol=1e-5)
    assert np.ptp(found.features, axis=0).max() > .1  # faces differ, or nothing was compared
    names = [Path(path).name for path in found.paths]
    assert [(found.names[subject], sequence) for subject, sequence in
            zip(found.subjects, found.sequences)] == [table[name] for name in names]
    assert found.names == ('a', 'b', 'c', 'd') and len(set(names)) == len(names)
    drawn = [table[name][0] for name in names]
    assert {person: drawn.count(person) for person in set(drawn)} == dict(a=3, b=4, c=4, d=4)


def test_folds_and_seeds_see_the_same_frames(cfg):
    chosen = []
    for fold in (1, 2):
        cfg.test_dataloader.dataset.fold = fold
        np.random.seed(fold)
        chosen.append(choose_frames(cfg, FRAMES).data.indices)
    assert chosen[0] == chosen[1] and len(chosen[0]) == 15


def test_the_draw():
    subjects = np.random.default_rng(0).permutation(np.repeat([-1, 0, 2, 5], [40, 30, 20, 3]))
    rows = draw_frames(subjects, 8)
    assert (np.diff(rows) > 0).all()  # ascending, so none twice
    assert np.unique(subjects[rows], return_counts=True)[1].tolist() == [8, 8, 3]
    assert -1 not in subjects[rows]
    np.testing.assert_array_equal(rows, draw_frames(subjects, 8))
    firsts = np.concatenate([np.flatnonzero(subjects == k)[:8] for k in (0, 2, 5)])
    assert set(rows) != set(firsts)  # drawn, not the first ones
    alone = draw_frames(np.where(subjects == 2, 2, -1), 8)  # another person changes nothing
    np.testing.assert_array_equal(alone, rows[subjects[rows] == 2])
    assert set(alone) < set(draw_frames(subjects, 12))  # more frames: these and others


def test_nobody_is_known(cfg):
    table = Path(cfg.test_dataloader.dataset.data_root, 'annotation.csv')
    head, *lines = [line.split(',') for line in table.read_text().splitlines()]
    lines = [head] + [[line[0], '', *line[2:]] for line in lines]
    table.write_text('\n'.join(map(','.join, lines)) + '\n')
    cfg.test_dataloader.dataset.update(folds=None, fold=None)
    with pytest.raises(ValueError, match='no frame of the test data set has a subject'):
        choose_frames(cfg, FRAMES)


def test_complete_or_absent(cfg, model, tmp_path, monkeypatch):
    path = tmp_path / 'features.npz'
    with pytest.raises(FileNotFoundError, match='--feature-frames 0'):
        read_features(path)
    write = Path.write_bytes

    def interrupted(self, data):
        write(self, data[:len(data) // 2])
        raise OSError('no space left')

    monkeypatch.setattr(Path, 'write_bytes', interrupted)
    with pytest.raises(OSError, match='no space left'):
        write_features(path, model, choose_frames(cfg, FRAMES))
    assert not path.exists()
