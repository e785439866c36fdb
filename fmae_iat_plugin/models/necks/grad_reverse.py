# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Gradient reversal: identity forward, gradient times ``-lambda`` backward.

Source: Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation" (2015); with a
strong constant lambda (0.5-2) in FMAE-IAT, "Representation Learning and Identity Adversarial
Training for Facial Behavior Understanding" (2024).
"""

import math
from typing import Tuple, Union

import torch
import torch.nn as nn
from mmpretrain.registry import MODELS

Features = Union[torch.Tensor, Tuple[torch.Tensor, ...]]


class _ReverseGradient(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(scale)
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        scale, = ctx.saved_tensors
        return -scale.to(grad.dtype) * grad, None


@MODELS.register_module()
class GradReverse(nn.Module):
    """Gradient reversal layer.

    Args:
        scale (float): lambda >= 0. The paper: BP4D 2.0, BP4D+ 1.0, DISFA 0.5; 0 stops the
            identity gradient. It is kept as a tensor, so that :meth:`set_scale` recompiles nothing.

    Raises:
        ValueError: If ``scale`` is negative or not finite.
    """

    def __init__(self, scale: float = 1.0):
        super().__init__()
        # a setting, not a weight: the config decides, even after a checkpoint is loaded
        self.register_buffer('scale', torch.zeros(()), persistent=False)
        self.set_scale(scale)

    def set_scale(self, scale: float) -> None:
        """Set lambda, e.g. from a schedule."""
        if not math.isfinite(scale) or scale < 0:
            raise ValueError(f'GradReverse scale (lambda) is {scale}. Remedy: set a finite number '
                             '>= 0; the minus sign is built in.')
        self.scale.fill_(scale)

    def forward(self, feats: Features) -> Features:
        """Map over the stages of a feature tuple; ``x: [N, D]`` or ``([N, D], ...)`` in and out."""
        if isinstance(feats, (tuple, list)):
            return tuple(_ReverseGradient.apply(x, self.scale) for x in feats)
        return _ReverseGradient.apply(feats, self.scale)

    def extra_repr(self) -> str:
        return f'scale={self.scale.item():g}'
