# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Models of which only names and shapes are wanted: no memory, no initialisation."""

import torch
from torch.overrides import TorchFunctionMode

_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn)


class ShapesOnly(TorchFunctionMode):
    """``with ShapesOnly(): model = MODELS.build(cfg)`` puts what the model allocates on ``meta``.

    ``torch.device('meta')`` does the same to every tensor, also to the few numbers that a
    constructor reads back: MMPretrain's ResNet takes its drop-path rates from ``torch.linspace``.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in _MAKERS and kwargs.get('device') is None:
            kwargs['device'] = 'meta'
        return func(*args, **kwargs)
