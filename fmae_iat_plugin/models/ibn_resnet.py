# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A small ResNet that leaves out of its features how a picture looks.

Instance normalisation removes contrast and tint of an image from a feature map, which renderers
and cameras differ in; batch normalisation keeps what tells images apart. The first blocks have
half of each (IBN-a, Pan et al., ECCV 2018, arXiv 1807.09441, section 3.2, figure 3a).
"""

import torch
import torch.nn as nn
from mmpretrain.models.backbones import ResNet_CIFAR
from mmpretrain.registry import MODELS


class InstanceBatchNorm(nn.Module):
    """Instance normalisation of the first half of the channels, batch normalisation of the rest.

    Args:
        channels (int): Number C of channels, at least 2.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.half = channels // 2
        self.instance = nn.InstanceNorm2d(self.half, affine=True)
        self.batch = nn.BatchNorm2d(channels - self.half)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[N, C, H, W]`` to the same shape."""
        return torch.cat([self.instance(x[:, :self.half]), self.batch(x[:, self.half:])], dim=1)


@MODELS.register_module()
class IBNResNetCIFAR(ResNet_CIFAR):
    """MMPretrain's ``ResNet_CIFAR`` with IBN-a in its first stages.

    Args:
        ibn_stages (int): In so many stages the first norm of each block is an
            :class:`InstanceBatchNorm`.
        **kwargs: Arguments of ``ResNet_CIFAR``.

    Raises:
        ValueError: If ``ibn_stages`` is not 0 to the number of stages.
    """

    def __init__(self, *args, ibn_stages: int = 2, **kwargs):
        super().__init__(*args, **kwargs)
        if not 0 <= ibn_stages <= len(self.res_layers):
            raise ValueError(f'ibn_stages is {ibn_stages}. Remedy: 0 to {len(self.res_layers)}.')
        for name in self.res_layers[:ibn_stages]:
            for block in getattr(self, name):
                setattr(block, block.norm1_name, InstanceBatchNorm(block.norm1.num_features))
