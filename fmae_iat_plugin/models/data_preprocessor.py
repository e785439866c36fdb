# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Random crops, normalisation and random erasing on the device.

Random erasing belongs after normalisation (MAE's and FMAE's recipe: noise N(0, 1) in units of
the normalised image). MMPretrain's ``RandomErasing`` transform runs before it, on uint8, and
clips the noise. Doing it here also spares the workers and runs on the GPU.

Source: Zhong et al., 2020 (arXiv 1708.04896), in timm's implementation.
"""

from typing import Optional

import torch
from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from timm.data.random_erasing import RandomErasing

from .device_crop import RandomCrop


@MODELS.register_module()
class FaceDataPreprocessor(ClsDataPreprocessor):
    """``ClsDataPreprocessor`` that crops, flips and erases in training.

    The crop comes before normalisation, from images of any sizes; see :mod:`.device_crop`.

    Python's ``random`` draws the position and shape of a box, and the device's torch generator
    draws its pixels. Both belong to the main process of a rank: start a run on several GPUs with
    ``randomness=dict(seed=..., diff_rank_seed=True)``, or all ranks erase the same boxes.

    Args:
        random_erasing: Arguments of :class:`timm.data.random_erasing.RandomErasing`, with
            ``prob`` for its ``probability``; ``dict(prob=0.25)`` is the recipe of the paper.
            Defaults here: ``mode='pixel'`` (N(0, 1) for every pixel and channel), one box
            (``max_count=1``) of area 0.02 to 1/3 of the image and aspect ratio 0.3 to 1/0.3.
            None erases nothing.
        random_resized_crop: Arguments of :class:`~.device_crop.RandomCrop`, such as
            ``dict(size=224, crop_ratio_range=(0.2, 1.0), flip=0.5)``. None: images come cropped.
        non_blocking: Whether the host goes on while pinned memory is copied to the device.
        **kwargs: Arguments of :class:`mmpretrain.models.ClsDataPreprocessor`: ``mean`` and
            ``std`` of R, G, B on the 0-255 scale, ``to_rgb``, ...

    Raises:
        ValueError: If ``random_erasing`` is given without ``mean`` and ``std``, or a
            probability is not within [0, 1].
    """

    def __init__(self, random_erasing: Optional[dict] = None,
                 random_resized_crop: Optional[dict] = None, non_blocking: bool = False,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        self._non_blocking = non_blocking  # which MMPretrain's class does not pass on to MMEngine's
        self.crop = None if random_resized_crop is None else RandomCrop(**random_resized_crop)
        self.random_erasing = None
        if random_erasing is None:
            return
        if not self._enable_normalize:
            raise ValueError('random_erasing fills boxes with N(0, 1) noise and needs a '
                             'normalised image. Remedy: set `mean` and `std` as well.')
        options = {'mode': 'pixel', 'max_count': 1, **random_erasing}
        prob = options.pop('prob', None)
        if prob is None or not 0 <= prob <= 1:
            raise ValueError(f'random_erasing needs a probability `prob` in [0, 1], got {prob!r}')
        self.random_erasing = RandomErasing(probability=prob, **options)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Move to the device and normalise; in training, crop before and erase after.

        Args:
            data: ``inputs``, uint8 [N, C, H, W] or a list of [C, H, W], and optionally
                ``data_samples``, a list of N DataSamples.
            training: Whether to augment.

        Returns:
            dict: ``inputs``, float [N, C, H, W], and ``data_samples``.

        Raises:
            ValueError: If only some of the samples carry a ``gt_score`` or a ``gt_label``.
        """
        self._check_labels(data.get('data_samples'))
        self._send_scores(data.get('data_samples'))
        if training and self.crop is not None:
            data = self.cast_data(data)
            data = {**data, 'inputs': self.crop(data['inputs'])}
        data = super().forward(data, training)
        if training and self.random_erasing is not None:
            self.random_erasing.device = data['inputs'].device
            data['inputs'] = self.random_erasing(data['inputs'])
        return data

    def _send_scores(self, data_samples: Optional[list]) -> None:
        """Put all ``gt_score`` on the device with one copy, for which the host does not wait, as it
        would for the parent's."""
        samples = [s for s in data_samples or [] if isinstance(s, DataSample) and 'gt_score' in s]
        if self._non_blocking and samples:
            scores = torch.stack([sample.gt_score for sample in samples])
            for sample, score in zip(samples, scores.to(self.device, non_blocking=True)):
                sample.set_gt_score(score)

    @staticmethod
    def _check_labels(data_samples: Optional[list]) -> None:
        """Refuse labels of some samples only; the parent looks at the first sample alone."""
        samples = [s for s in data_samples or [] if isinstance(s, DataSample)]
        for key in ('gt_score', 'gt_label'):
            having = [key in sample for sample in samples]
            if any(having) and not all(having):
                lacking = samples[having.index(False)]
                raise ValueError(
                    f'{having.count(False)} of {len(having)} samples of a batch have no {key}, '
                    f'the first of them {lacking.get("img_path")!r}; give an unlabelled sample a '
                    'gt_score of NaN')


@MODELS.register_module()
class GreyDataPreprocessor(ClsDataPreprocessor):
    """One grey channel with mean 0 and about unit variance in each image.

    Colour and exposure say little about action units, and they are what rendered faces and
    cameras differ in most. ``x = (grey - mean) / (std + floor)``, where grey is ITU-R BT.601's
    mixture and mean and standard deviation are the image's own. It is part of an exported model.

    Args:
        floor: Is added to the standard deviation, grey levels; an even image stays finite.
        **kwargs: Arguments of :class:`mmpretrain.models.ClsDataPreprocessor` without ``mean`` and
            ``std``. Images are B, G, R.

    Raises:
        ValueError: If ``mean`` or ``std`` is given, or ``floor`` is not positive.
    """

    def __init__(self, floor: float = 5., **kwargs) -> None:
        if kwargs.get('mean') is not None or kwargs.get('std') is not None or kwargs.get('to_rgb'):
            raise ValueError('GreyDataPreprocessor normalises by each image. Remedy: leave mean, '
                             'std and to_rgb out.')
        if not floor > 0:
            raise ValueError(f'GreyDataPreprocessor: floor is {floor}. Remedy: above 0.')
        super().__init__(**kwargs)
        self.floor = floor
        self.register_buffer('mixture', torch.tensor([.114, .587, .299]).view(1, 3, 1, 1), False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """``inputs``: uint8 [N, 3, H, W] or a list of [3, H, W], to float [N, 1, H, W]."""
        FaceDataPreprocessor._check_labels(data.get('data_samples'))
        data = super().forward(data, training)
        grey = (data['inputs'].float() * self.mixture).sum(1, keepdim=True)
        mean = grey.mean(dim=(1, 2, 3), keepdim=True)
        spread = ((grey - mean) ** 2).mean(dim=(1, 2, 3), keepdim=True).sqrt()
        data['inputs'] = (grey - mean) / (spread + self.floor)
        return data
