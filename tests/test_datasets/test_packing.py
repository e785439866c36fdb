# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Batches without copies hold the same numbers as MMPretrain's."""

import numpy as np
import torch
from mmengine.dataset import default_collate
from mmengine.runner import Runner
from mmpretrain.datasets import PackInputs

from fmae_iat_plugin.datasets import PackFace, face_collate


def images(*shapes):
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]


def test_a_batch_is_mmpretrains():
    faces = images((5, 7), (5, 7), (5, 7))
    packed = [PackFace().transform(dict(img=face, img_path='a', sample_idx=0)) for face in faces]
    assert [sample['inputs'].data_ptr() for sample in packed] == [
        face.ctypes.data for face in faces]  # nothing is copied
    batch = face_collate(packed)
    theirs = default_collate([PackInputs().transform(dict(img=face)) for face in faces])
    assert torch.equal(batch['inputs'], theirs['inputs']) and list(batch) == ['inputs']
    assert batch['inputs'].is_contiguous(memory_format=torch.channels_last)


def test_images_of_other_sizes_stay_a_list():
    faces = images((5, 7), (6, 7))
    batch = face_collate([PackFace().transform(dict(img=face)) for face in faces])['inputs']
    assert isinstance(batch, list)
    for got, face in zip(batch, faces):
        assert torch.equal(got, torch.from_numpy(face).permute(2, 0, 1))


def test_workers_hand_the_same_batches_over(tmp_path):
    from PIL import Image
    for number, face in enumerate(images(*[(6, 6)] * 6)):
        Image.fromarray(face).save(tmp_path / f'{number}.png')
    found = []
    for workers in (0, 2):
        loader = Runner.build_dataloader(dict(
            batch_size=2, num_workers=workers, collate_fn=dict(type='face_collate'),
            sampler=dict(type='PermutationSampler', _scope_='mmpretrain', seed=4),
            dataset=dict(type='Face9M', _scope_='mmpretrain', data_root=str(tmp_path),
                         pipeline=[dict(type='LoadFace'), dict(type='PackFace')])))
        found.append([batch['inputs'] for batch in loader])
        assert all(batch.is_contiguous(memory_format=torch.channels_last) for batch in found[-1])
    assert torch.equal(torch.cat(found[0]), torch.cat(found[1]))
