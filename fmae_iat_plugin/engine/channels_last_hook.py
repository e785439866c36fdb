# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Keeps the channels of a pixel together, which convolutions on CPUs and tensor cores prefer."""

import torch
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

from .sharded import refuse_sharded


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Stores the weights of convolutions as ``torch.channels_last`` before training.

    The feature maps follow the weights, so no config of a model changes. Values stay what they are,
    up to the rounding of sums in another order.
    """

    def before_train(self, runner) -> None:
        """Convert the model in place."""
        refuse_sharded(runner.model, 'ChannelsLastHook')
        runner.model.to(memory_format=torch.channels_last)
