# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Image loading and the RandAugment of the FMAE recipe.

Everything else in the recipe already exists in MMPretrain and mmcv and equals torchvision's
transform bit for bit once the Pillow backend is asked for. At image size ``S``:

- fine-tuning, train::

    dict(type='LoadFace'),
    dict(type='RandomResizedCrop', scale=S, crop_ratio_range=(0.08, 1.0),
         interpolation='bicubic', backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='TimmRandAugment', config_str='rand-m9-mstd0.5-inc1', img_size=S),
    dict(type='PackInputs'),

  followed on the device by ``FaceDataPreprocessor(random_erasing=dict(prob=0.25))``;
- fine-tuning, test (no centre crop)::

    dict(type='LoadFace'),
    dict(type='Resize', scale=(S, S), interpolation='bilinear', backend='pillow'),
    dict(type='PackInputs'),

- pretraining, as the paper writes: the crop with ``crop_ratio_range=(0.2, 1.0)`` and the flip;
- pretraining, as the released code does: ``Resize`` and the flip.

All random numbers come from the global generators of ``random`` and NumPy. mmengine seeds a worker
with the same number whenever it starts. Without ``persistent_workers=True``, every epoch therefore
draws the same augmentation parameters again.

Sources: the FMAE paper (Ning et al., 2024) and MAE's fine-tuning transform (He et al., 2022).
"""

import functools
from typing import Callable, Optional, Sequence, Tuple, Union

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from timm.data.transforms import str_to_pil_interp

from fmae_iat_plugin.videos import PICTURE_ERRORS

from .byte_ranges import read_range
from .decoding import decode_image, unreadable

# ImageNet mean of the R, G, B channels on the 0-255 scale.
IMAGENET_MEAN = (123.675, 116.28, 103.53)


@TRANSFORMS.register_module()
class LoadFace(BaseTransform):
    """Load an image from a file or a tar shard, or keep the one in memory.

    Required keys: ``img`` (an image in memory, kept as it is), or ``img_path`` and, for a
    member of a tar file, ``tar_path``, ``offset`` and ``size`` in bytes. Optional: ``out``, a uint8
    tensor (H, W, 3) that an image of this size may be decoded into.
    Added keys: ``img`` (uint8 BGR (H, W, 3)), ``img_shape`` and ``ori_shape`` (H, W).

    Args:
        backend_args: Storage backend of :func:`mmengine.fileio.get`, for images that are
            files. Defaults to the local disk, and to fsspec for an address.

    Raises:
        UnreadableImageError: If the file is missing or cannot be decoded.
    """

    def __init__(self, backend_args: Optional[dict] = None) -> None:
        self.backend_args = backend_args

    def _read(self, results: dict) -> bytes:
        tar_path = results.get('tar_path')
        if tar_path is not None:
            return read_range(tar_path, results['offset'], results['size'])
        if self.backend_args is None:
            return read_range(results['img_path'])
        return fileio.get(results['img_path'], backend_args=self.backend_args)

    def transform(self, results: dict) -> dict:
        """Add ``img``, ``img_shape`` and ``ori_shape`` to ``results``."""
        if 'img' not in results:
            try:
                out = results.get('out')
                results['img'] = decode_image(
                    self._read(results), None if out is None else out.numpy())
            except PICTURE_ERRORS as error:
                raise unreadable(results['img_path'], error) from error
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(backend_args={self.backend_args})'


def _posterize(posterize: Callable, image: Image.Image, bits: int, **kwargs) -> Image.Image:
    """timm's posterise, which is black if no bit is left.

    Magnitude 10, about 2 % of the draws of N(9, 0.5), keeps 0 bits. Older Pillow returned a black
    image, which is the recipe; newer Pillow raises an error, which would end the training.
    """
    if bits < 1:
        return Image.new(image.mode, image.size)
    return posterize(image, bits, **kwargs)


@TRANSFORMS.register_module()
class TimmRandAugment(BaseTransform):
    """RandAugment as timm implements it, with the settings timm's ``create_transform`` gives it.

    ``rand-m9-mstd0.5-inc1`` draws 2 of the 15 "increasing" operations with replacement,
    applies each with probability 0.5 at magnitude N(9, 0.5), and fills what moves into the
    image with the rounded mean colour. MMPretrain's own RandAugment differs in operations,
    magnitudes and probability. Source: Cubuk et al., 2020 (arXiv 1909.13719).

    Required and modified key: ``img``, uint8 BGR (H, W, 3).

    Args:
        config_str: timm's description of the policy. It must begin with ``rand``.
        img_size: Side of the image in pixels, or (H, W). Translations are at most
            ``int(0.45 * min(img_size))`` pixels.
        mean: Fill colour, R, G, B on the 0-255 scale. Rounded.
        interpolation: Resampling of the geometric operations.

    Raises:
        ValueError: If ``config_str`` is not a RandAugment policy, or an image is not uint8 with
            three channels.
    """

    def __init__(self,
                 config_str: str = 'rand-m9-mstd0.5-inc1',
                 img_size: Union[int, Tuple[int, int]] = 224,
                 mean: Sequence[float] = IMAGENET_MEAN,
                 interpolation: str = 'bicubic') -> None:
        if config_str.split('-')[0] != 'rand':
            raise ValueError(f"config_str={config_str!r} is not a RandAugment policy; it must "
                             "begin with 'rand', for example 'rand-m9-mstd0.5-inc1'")
        self.config_str = config_str
        self.img_size = img_size
        self.mean = tuple(mean)
        self.interpolation = interpolation
        side = img_size if isinstance(img_size, int) else min(img_size)
        self.augment = rand_augment_transform(
            config_str,
            dict(
                translate_const=int(side * 0.45),
                img_mean=tuple(min(255, round(value)) for value in mean),
                interpolation=str_to_pil_interp(interpolation)))
        for op in self.augment.ops:
            if op.name.startswith('Posterize'):
                op.aug_fn = functools.partial(_posterize, op.aug_fn)

    def transform(self, results: dict) -> dict:
        """Augment ``results['img']``; timm works on RGB, so the channels are swapped twice."""
        img = results['img']
        if img.dtype != np.uint8 or img.ndim != 3 or img.shape[2] != 3:
            raise ValueError('TimmRandAugment needs a uint8 image of shape (H, W, 3), got '
                             f'{img.dtype} {img.shape}; load it with LoadFace')
        image = self.augment(Image.fromarray(np.ascontiguousarray(img[:, :, ::-1])))
        results['img'] = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(config_str={self.config_str!r}, img_size={self.img_size}, '
                f'mean={self.mean}, interpolation={self.interpolation!r})')
