# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Batches without copies hold the same numbers as MMPretrain's."""

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.runner import Runner
from mmpretrain.datasets import PackInputs

from fmae_iat_plugin.datasets import Face9M, LoadFace, PackFace, face_collate


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


def jpegs(folder, *shapes):
    import cv2
    for number, face in enumerate(images(*shapes)):
        cv2.imwrite(str(folder / f'{number}.jpg'), face)
    return [cv2.imread(str(folder / f'{number}.jpg')) for number in range(len(shapes))]


def test_images_of_one_size_are_decoded_into_the_batch(tmp_path):
    pytest.importorskip('simplejpeg')
    faces = jpegs(tmp_path, *[(16, 24)] * 6, (16, 16), (16, 24))
    dataset = Face9M(str(tmp_path), pipeline=[LoadFace(), PackFace()])

    def batch(*numbers):
        samples = dataset.__getitems__(numbers)
        rows = [sample['inputs'] for sample in samples]
        return face_collate(samples)['inputs'], rows

    def same(got, numbers):
        truth = [torch.from_numpy(faces[number]).permute(2, 0, 1) for number in numbers]
        return len(got) == len(truth) and all(map(torch.equal, got, truth))

    copied, rows = batch(0, 1)  # the size is not known yet
    assert same(copied, (0, 1)) and copied.data_ptr() != rows[0].data_ptr()
    whole, rows = batch(3, 2, 5)
    assert same(whole, (3, 2, 5)) and whole.data_ptr() == rows[0].data_ptr()
    assert whole.is_contiguous(memory_format=torch.channels_last)
    other, _ = batch(4, 0)
    assert other.data_ptr() != whole.data_ptr() and same(whole, (3, 2, 5))  # it stays as it is
    mixed, _ = batch(1, 6)
    assert isinstance(mixed, list) and same(mixed, (1, 6))
    for numbers in ((7, 0), (0, 1)):  # after the small one, and then again in one memory
        assert same(batch(*numbers)[0], numbers)


def test_workers_hand_the_same_batches_over(tmp_path):
    faces = jpegs(tmp_path, *[(6, 6)] * 12)
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
    assert sorted(face.sum() for face in faces) == sorted(
        int(face.sum()) for face in torch.cat(found[0]))
