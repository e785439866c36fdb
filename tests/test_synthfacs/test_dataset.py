# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""SynthFACS: on the fly and from disk are the same data set, and its folds hold."""

import cv2
import numpy as np
import pytest
from mmpretrain.registry import DATASETS

from fmae_iat_plugin.datasets import read_annotation
from fmae_iat_plugin.synthfacs import Population, SynthFACS, write_synthfacs

pytestmark = pytest.mark.slow

PEOPLE = dict(subjects=6, frames=5, shortcut=0.7, seed=2, aus=(1, 12, 25), sessions=2)
PIPELINE = [dict(type='LoadFace'), dict(type='PackInputs', algorithm_keys=('subject', ))]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp('faces')
    write_synthfacs(out, size=32, workers=2, **PEOPLE)
    return out


def build(**kwargs):
    return DATASETS.build(dict(type='SynthFACS', _scope_='mmpretrain', pipeline=PIPELINE,
                               **kwargs))


@pytest.mark.parametrize('split', ['train', 'test', 'all'])
def test_disk_equals_on_the_fly(folder, split):
    disk = build(data_root=str(folder), split=split)
    fly = build(population=PEOPLE, size=32, split=split)
    assert len(disk) == len(fly) == dict(train=20, test=10, all=30)[split]
    assert disk.metainfo == fly.metainfo
    for a, b in zip(disk, fly):
        assert (a['inputs'] == b['inputs']).all() and a['inputs'].shape == (3, 32, 32)
        assert (a['data_samples'].gt_score == b['data_samples'].gt_score).all()
        assert a['data_samples'].subject == b['data_samples'].subject
        assert a['data_samples'].sample_idx == b['data_samples'].sample_idx


def test_labels_images_and_subjects_are_the_populations(folder):
    people = Population(**PEOPLE)
    data = build(data_root=str(folder), split='all', aus=(25, 1))
    assert data.metainfo['classes'] == ('AU25', 'AU1')
    assert data.metainfo['subjects'] == people.names
    sample = data[13]  # subject 2, frame 3
    coded = people.face(2, 3).coded
    assert sample['data_samples'].subject == 2
    assert sample['data_samples'].gt_score.tolist() == [coded[25] >= 2, coded[1] >= 2]
    rgb = people.image(2, 3, 32)
    np.testing.assert_array_equal(sample['inputs'].permute(1, 2, 0).numpy(), rgb[..., ::-1])


def test_train_and_test_share_nobody():
    people = Population(**PEOPLE)
    seen = {split: {row['subject'] for row in map(
        build(population=PEOPLE, size=16, split=split).get_data_info, range(0, 10, 2))}
            for split in ('test', 'train')}
    assert seen['test'] == {k for k in range(6) if people.is_test(k)}
    assert not seen['test'] & seen['train']


def test_a_killed_run_goes_on(tmp_path, folder):
    table = write_synthfacs(tmp_path, size=32, workers=1, **PEOPLE)
    kept, lost = tmp_path / 'S000/T1/0000.png', tmp_path / 'S003/T2/0003.png'
    table.unlink()
    stamp, whole = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()
    write_synthfacs(tmp_path, size=32, workers=1, **PEOPLE)
    assert kept.stat().st_mtime_ns == stamp and lost.read_bytes() == whole
    assert table.read_bytes() == (folder / 'annotations.csv').read_bytes()
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob('*') if path.is_file()}
    assert len(files) == 30 + 2  # nothing half-written stays
    assert len(read_annotation(table).images) == 30
    assert cv2.imread(str(kept)).shape == (32, 32, 3)


def test_errors(tmp_path, folder):
    with pytest.raises(ValueError, match='made with other settings.*size: 32 there, 48 asked for'):
        write_synthfacs(folder, size=48, workers=1, **PEOPLE)
    with pytest.raises(ValueError, match='leave `population` out'):
        SynthFACS(population={**PEOPLE, 'seed': 3}, data_root=str(folder))
    with pytest.raises(ValueError, match='drawn with the shortcut'):
        SynthFACS(population=PEOPLE, fold=2)
    SynthFACS(population={**PEOPLE, 'shortcut': 0}, fold=2, split='test')
    with pytest.raises(FileNotFoundError, match='render the faces first'):
        SynthFACS(data_root=str(tmp_path))
