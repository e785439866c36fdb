# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Features are the backbone's, in eval mode, in the order of the data set."""

import numpy as np
import pytest
import torch
from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.data import DataLoader, Dataset

from fmae_iat_plugin.evaluation.features import DrawnFrames, extract_features, frame_notes
from fmae_iat_plugin.evaluation.identity_probe import split_frames


class Images(Dataset):
    """Ten images; the subject is unknown for the last."""

    def __init__(self, num=10):
        self.images = np.random.default_rng(0).integers(0, 256, (num, 3, 4, 4), np.uint8)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        sample = DataSample(metainfo=dict(img_path=f'{index}.png'))
        if index < len(self) - 1:
            sample.set_field(index % 3, 'subject')
        return dict(inputs=torch.as_tensor(self.images[index]), data_samples=sample)


class Model(nn.Module):
    """Mean colour after dropout; the dropout would show if eval mode were forgotten."""

    def __init__(self, flat=True):
        super().__init__()
        self.data_preprocessor = ClsDataPreprocessor(mean=[1, 2, 3], std=[2, 2, 2])
        self.dropout, self.flat = nn.Dropout(0.5), flat
        self.weight = nn.Parameter(torch.ones(()))

    def extract_feat(self, x):
        x = self.dropout(x) * self.weight
        return (x, x.mean((2, 3)) if self.flat else x)


@pytest.mark.parametrize('loader', [False, True])
def test_features(loader):
    data = Images()
    model = Model().train()
    got = extract_features(model, DataLoader(
        data, 3, collate_fn=lambda rows: {key: [row[key] for row in rows] for key in rows[0]})
        if loader else data, batch_size=4)
    expected = (data.images.mean((2, 3)) - [1, 2, 3]) / 2
    np.testing.assert_allclose(got.features, expected, rtol=1e-5)
    assert got.subjects.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, -1]
    assert got.paths.tolist() == [f'{k}.png' for k in range(10)]
    assert model.training and model.weight.grad is None


class Counted(Images):
    """Notes which images were decoded; its notes cost nothing."""

    def __init__(self):
        super().__init__(num=40)
        self.read = []

    def get_data_info(self, index):
        return dict(subject=index % 3, sequence=f'T{index % 2}') if index < 39 else {}

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def test_only_drawn_frames_are_read_and_they_come_in_the_order_of_the_split():
    data = Counted()
    subjects, sequences = frame_notes(data)
    assert subjects.tolist() == [k % 3 for k in range(39)] + [-1] and not data.read
    assert sequences.tolist() == [f'T{k % 2}' for k in range(39)] + ['']
    split = split_frames(subjects, 4, 2, seed=1)
    train, test = DrawnFrames(data, split).features(Model(), batch_size=5)
    assert sorted(data.read) == sorted([*split.train, *split.test]) and len(data.read) == 18
    expected = (data.images.mean((2, 3)) - [1, 2, 3]) / 2
    np.testing.assert_allclose(train, expected[split.train], rtol=1e-5)
    np.testing.assert_allclose(test, expected[split.test], rtol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match=r'\(4, 3, 4, 4\), not \[N, D\]'):
        extract_features(Model(flat=False), Images(), batch_size=4)
    with pytest.raises(ValueError, match='empty'):
        extract_features(Model(), Images(num=0))
