# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The recipe's transforms against torchvision and timm, pixel for pixel."""

import io
import random
import tarfile
from unittest.mock import patch

import mmcv
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, TRANSFORMS
from PIL import Image
from scipy.stats import ks_2samp
from timm.data import create_transform
from torchvision import transforms as tv
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tvf

from fmae_iat_plugin.datasets.decoding import UnreadableImageError
from fmae_iat_plugin.datasets.transforms import IMAGENET_MEAN, decode_image


def rgb_image(width=90, height=70, seed=0):
    """Smooth random colours: resampling filters differ on it, and R, G, B differ."""
    noise = np.random.RandomState(seed).randint(0, 256, (9, 7, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def bgr(image):
    return np.asarray(image)[:, :, ::-1]


def build(**cfg):
    return TRANSFORMS.build(cfg)


def encode(image, kind, **kwargs):
    buffer = io.BytesIO()
    image.save(buffer, kind, **kwargs)
    return buffer.getvalue()


# ---------------------------------------------------------------- crop, flip, resize


@pytest.mark.parametrize('size', [(90, 70), (224, 224), (300, 260)])
@pytest.mark.parametrize('scale', [(0.08, 1.0), (0.2, 1.0)])
def test_random_resized_crop_pixels_are_torchvisions(size, scale):
    """The same crop gives the same pixels, shrunk or enlarged."""
    np.random.seed(0)
    image = rgb_image(*size)
    crop = build(type='RandomResizedCrop', scale=64, crop_ratio_range=scale,
                 interpolation='bicubic', backend='pillow')
    for _ in range(5):
        box = crop.rand_crop_params(np.asarray(image))
        with patch.object(crop, 'rand_crop_params', return_value=box):
            got = crop(dict(img=bgr(image)))['img']
        want = tvf.resized_crop(image, *box, [64, 64], InterpolationMode.BICUBIC)
        np.testing.assert_array_equal(got, bgr(want))


def test_random_resized_crop_boxes_are_distributed_as_torchvisions():
    np.random.seed(0)
    torch.manual_seed(0)
    image = rgb_image(200, 120)
    crop = build(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.08, 1.0))
    array = np.asarray(image)
    ours = np.array([crop.rand_crop_params(array) for _ in range(3000)])
    theirs = np.array([
        tv.RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(3000)
    ])
    for column in range(4):  # top, left, height, width
        assert ks_2samp(ours[:, column], theirs[:, column]).pvalue > 0.01
    assert ks_2samp(ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3]).pvalue > 0.01
    assert ks_2samp(ours[:, 3] / ours[:, 2], theirs[:, 3] / theirs[:, 2]).pvalue > 0.01
    # The test can fail: MAE's pretraining scale is told apart.
    other = build(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.2, 1.0))
    other = np.array([other.rand_crop_params(array) for _ in range(3000)])
    assert ks_2samp(other[:, 2], theirs[:, 2]).pvalue < 1e-6


@pytest.mark.parametrize('size', [(1000, 10), (10, 1000), (999, 11)])
def test_random_resized_crop_falls_back_as_torchvision(size):
    """No crop of these shapes fits, so both take the central one after ten tries."""
    image = rgb_image(*size)
    crop = build(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.9, 1.0))
    assert crop.max_attempts == 10
    assert tuple(crop.rand_crop_params(np.asarray(image))) == tuple(
        tv.RandomResizedCrop.get_params(image, [0.9, 1.0], [3 / 4, 4 / 3]))


def test_flip_is_horizontal_half_of_the_time():
    np.random.seed(0)
    img = bgr(rgb_image(8, 6))
    flip = build(type='RandomFlip', prob=0.5, direction='horizontal')
    results = [flip(dict(img=img.copy()))['img'] for _ in range(2000)]
    flipped = sum(np.array_equal(r, img[:, ::-1]) for r in results)
    kept = sum(np.array_equal(r, img) for r in results)
    assert flipped + kept == 2000
    assert abs(flipped - 1000) < 4 * 22.4  # 4 standard deviations


@pytest.mark.parametrize('size', [(90, 70), (400, 300), (224, 224)])
def test_test_resize_is_torchvisions(size):
    """Antialiased bilinear straight to the square; cv2's, without antialias, differs."""
    image = rgb_image(*size, seed=1)
    image = Image.fromarray(np.asarray(image) ^ np.random.RandomState(0).randint(
        0, 64, (size[1], size[0], 3)).astype(np.uint8))
    resize = build(type='Resize', scale=(224, 224), interpolation='bilinear', backend='pillow')
    got = resize(dict(img=bgr(image)))['img']
    want = bgr(tv.Resize((224, 224))(image))
    np.testing.assert_array_equal(got, want)
    if size == (400, 300):
        cv2 = build(type='Resize', scale=(224, 224))(dict(img=bgr(image)))['img']
        assert np.abs(cv2.astype(int) - want).mean() > 1


# ---------------------------------------------------------------- RandAugment


def timm_rand_augment(size):
    """The RandAugment inside the transform that MAE's fine-tuning builds with timm."""
    transform = create_transform(
        input_size=size, is_training=True, color_jitter=None,
        auto_augment='rand-m9-mstd0.5-inc1', interpolation='bicubic', re_prob=0.25,
        re_mode='pixel', re_count=1)
    found = [t for t in transform.transforms if type(t).__name__ == 'RandAugment']
    assert len(found) == 1
    return found[0]


def masking_posterize(image, bits):
    """Pillow's posterise by its definition: keep the high bits, whatever their number."""
    return image.point(lambda value: value & ~(2**(8 - bits) - 1))


@pytest.mark.parametrize('size', [224, 48])
def test_rand_augment_is_timms(size):
    ours, theirs = build(type='TimmRandAugment', img_size=size), timm_rand_augment(size)
    changed = 0
    for seed in range(100):
        image = rgb_image(size, size, seed)
        random.seed(seed)
        np.random.seed(seed)
        got = ours(dict(img=bgr(image)))['img']
        random.seed(seed)
        np.random.seed(seed)
        with patch('PIL.ImageOps.posterize', masking_posterize):
            want = np.asarray(theirs(image.copy()))
        np.testing.assert_array_equal(got[:, :, ::-1], want)
        changed += not np.array_equal(want, np.asarray(image))
    assert changed > 50


@pytest.mark.parametrize('index', range(15))
def test_rand_augment_survives_the_largest_magnitude(index):
    """At magnitude 10 "posterise" keeps no bit, which Pillow 13 refuses."""
    op = build(type='TimmRandAugment', img_size=48).augment.ops[index]
    op.prob, op.magnitude, op.magnitude_std = 1.0, 10, 0
    random.seed(0)
    image = op(rgb_image(48, 48))
    assert image.size == (48, 48) and image.mode == 'RGB'
    if op.name == 'PosterizeIncreasing':
        assert not np.asarray(image).any()


def test_rand_augment_follows_the_recipe():
    augment = build(type='TimmRandAugment').augment
    assert augment.num_layers == 2
    assert len(augment.ops) == 15
    assert {op.prob for op in augment.ops} == {0.5}
    assert {op.magnitude for op in augment.ops} == {9}
    assert {op.magnitude_std for op in augment.ops} == {0.5}
    assert {op.kwargs['fillcolor'] for op in augment.ops} == {(124, 116, 104)}
    assert {op.hparams['translate_const'] for op in augment.ops} == {100}
    assert {op.kwargs['resample'] for op in augment.ops} == {Image.Resampling.BICUBIC}


def test_rand_augment_takes_no_other_random_numbers():
    """torch's generator is untouched; seeding `random` and NumPy is enough to repeat it."""
    state = torch.get_rng_state()
    augment = build(type='TimmRandAugment', img_size=32)
    for _ in range(10):
        augment(dict(img=bgr(rgb_image(32, 32))))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize('img', [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)])
def test_rand_augment_refuses_other_images(img):
    with pytest.raises(ValueError, match='uint8 image of shape'):
        build(type='TimmRandAugment')(dict(img=img))


def test_rand_augment_refuses_other_policies():
    with pytest.raises(ValueError, match="'original'.*must begin with 'rand'"):
        build(type='TimmRandAugment', config_str='original')


# ---------------------------------------------------------------- loading


@pytest.mark.parametrize('kind, mode', [('PNG', 'RGB'), ('PNG', 'L'), ('PNG', 'P'), ('PPM', 'L'),
                                        ('PPM', 'RGB'), ('GIF', 'L'), ('GIF', 'P'), ('BMP', 'RGB'),
                                        ('JPEG', 'RGB'), ('JPEG', 'L'), ('JPEG', 'CMYK'),
                                        ('WEBP', 'RGB'), ('PNG', '1'), ('PNG', 'RGBA')])
def test_decode_every_format(kind, mode):
    """Against mmcv's Pillow decoder and, where lossless, the pixels that went in."""
    image = rgb_image(40, 30).convert(mode)
    data = encode(image, kind)
    got = decode_image(data)
    assert got.flags.c_contiguous and got.dtype == np.uint8
    np.testing.assert_array_equal(got, mmcv.imfrombytes(data, backend='pillow'))
    if kind not in ('JPEG', 'WEBP'):
        np.testing.assert_array_equal(got, bgr(image.convert('RGB')))


def test_decode_applies_the_exif_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    image = rgb_image(40, 30)
    got = decode_image(encode(image, 'PNG', exif=exif))
    np.testing.assert_array_equal(got, np.rot90(bgr(image), -1))


@pytest.mark.parametrize('kind', ['PNG', 'PPM'])
def test_decode_scales_16_bit_grey(kind):
    """A plain conversion would turn almost all of it white."""
    grey = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    got = decode_image(encode(Image.fromarray(grey), kind))
    np.testing.assert_array_equal(got, np.repeat(np.arange(256).reshape(16, 16, 1), 3, 2))


def test_load_face_from_file_tar_and_memory(tmp_path):
    image = rgb_image(40, 30)
    data = encode(image, 'PNG')
    (tmp_path / 'a.png').write_bytes(data)
    with tarfile.open(tmp_path / 's.tar', 'w') as tar:
        tar.add(tmp_path / 'a.png', 'b.png')
        member = tar.getmember('b.png')
    with tarfile.open(tmp_path / 's.tar') as tar:
        offset = tar.getmember('b.png').offset_data
    load = build(type='LoadFace')
    in_tar = dict(img_path='s.tar/b.png', tar_path=str(tmp_path / 's.tar'), offset=offset,
                  size=member.size)
    memory = bgr(image).copy()
    for results in (dict(img_path=str(tmp_path / 'a.png')), in_tar, dict(img=memory)):
        results = load(results)
        np.testing.assert_array_equal(results['img'], bgr(image))
        assert results['img_shape'] == results['ori_shape'] == (30, 40)
    local = build(type='LoadFace', backend_args=dict(backend='local'))
    got = local(dict(img_path=str(tmp_path / 'a.png')))['img']
    np.testing.assert_array_equal(got, bgr(image))


def test_load_face_names_what_it_cannot_read(tmp_path):
    load = build(type='LoadFace')
    png = encode(rgb_image(), 'PNG')
    broken = {
        'empty.png': b'', 'text.jpg': b'<html>not found</html>', 'cut.png': png[:len(png) // 2],
        'cut.jpg': encode(rgb_image(), 'JPEG')[:700], 'cut.gif': encode(rgb_image(), 'GIF')[:400],
        'cut.ppm': encode(rgb_image(), 'PPM')[:500], 'flipped.png': png[:60] + b'xx' + png[62:],
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnreadableImageError, match=name) as error:
            load(dict(img_path=str(tmp_path / name)))
        assert error.value.path == str(tmp_path / name)
    with pytest.raises(UnreadableImageError, match='No such file'):
        load(dict(img_path=str(tmp_path / 'missing.png')))
    with pytest.raises(UnreadableImageError, match='the shard was truncated'):
        load(dict(img_path='x', tar_path=str(tmp_path / 'text.jpg'), offset=5, size=100))


def test_load_face_reads_the_real_faces(real_data):
    """GIF, PGM and JPEG as Pillow's own loader shows them."""
    files = [sorted(real_data.glob(p))[0] for p in ('faces/yale/*.gif', 'faces/orl/*/*.pgm',
                                               'media/*.jpg')]
    for file in files:
        got = build(type='LoadFace')(dict(img_path=str(file)))['img']
        np.testing.assert_array_equal(got, bgr(Image.open(file).convert('RGB')))
        assert got.std() > 10


# ---------------------------------------------------------------- the pipelines as a whole


def pipelines(size):
    load = dict(type='LoadFace')
    flip = dict(type='RandomFlip', prob=0.5, direction='horizontal')
    crop = dict(type='RandomResizedCrop', scale=size, interpolation='bicubic', backend='pillow')
    resize = dict(type='Resize', scale=(size, size), interpolation='bilinear', backend='pillow')
    pack = dict(type='PackInputs')
    return dict(
        train=[load, dict(crop, crop_ratio_range=(0.08, 1.0)), flip,
               dict(type='TimmRandAugment', img_size=size), pack],
        test=[load, resize, pack],
        pretrain=[load, dict(crop, crop_ratio_range=(0.2, 1.0)), flip, pack],
        pretrain_released=[load, resize, flip, pack])


@pytest.mark.parametrize('name', ['train', 'test', 'pretrain', 'pretrain_released'])
def test_pipelines_build_and_keep_the_colours(tmp_path, name):
    """An image of one colour stays it through every step that does not recolour."""
    Image.new('RGB', (50, 40), (200, 30, 90)).save(tmp_path / 'a.png')
    pipeline = Compose([TRANSFORMS.build(t) for t in pipelines(32)[name]])
    inputs = pipeline(dict(img_path=str(tmp_path / 'a.png'), sample_idx=0))['inputs']
    assert inputs.shape == (3, 32, 32) and inputs.dtype == torch.uint8
    if name != 'train':
        assert torch.equal(inputs, torch.tensor([90, 30, 200]).view(3, 1, 1).expand(3, 32, 32))


def test_default_mean_is_imagenets():
    np.testing.assert_allclose(np.array(IMAGENET_MEAN) / 255, [0.485, 0.456, 0.406], atol=1e-6)


@DATASETS.register_module()
class _DrawDataset(torch.utils.data.Dataset):
    """Returns what the augmentation would draw."""

    def __len__(self):
        return 8

    def __getitem__(self, idx):
        return dict(draw=torch.tensor([np.random.rand(), random.random()]))


def test_augmentation_differs_between_epochs_only_with_persistent_workers():
    """mmengine seeds a worker with the same number whenever it starts.

    Configs must therefore say persistent_workers=True. If the second half of this test
    fails, mmengine was fixed, and they need not any more.
    """
    def two_epochs(persistent):
        loader = Runner.build_dataloader(
            dict(batch_size=4, num_workers=1, persistent_workers=persistent,
                 dataset=dict(type='_DrawDataset', _scope_='mmpretrain'),
                 sampler=dict(type='DefaultSampler', shuffle=True),
                 collate_fn=dict(type='default_collate')), seed=0)
        return [torch.cat([batch['draw'] for batch in loader]) for _ in range(2)]

    first, second = two_epochs(persistent=True)
    assert not (first == second).any()
    first, second = two_epochs(persistent=False)
    assert torch.equal(first, second)
