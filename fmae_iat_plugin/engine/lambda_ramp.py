# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A lambda of the gradient reversal that rises during the training instead of being constant.

The paper keeps lambda constant. Source of the curve: Ganin and Lempitsky, "Unsupervised Domain
Adaptation by Backpropagation" (2015), section 4: 2 / (1 + exp(-10 p)) - 1, p = share of the ramp.
"""

import math

from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

from .sharded import unwrap

SHAPES = ('sigmoid', 'linear')


def ramp(p: float, shape: str = 'sigmoid') -> float:
    """Share of the full lambda, in [0, 1], at the share ``p`` of the ramp."""
    p = min(max(p, 0.0), 1.0)
    return p if shape == 'linear' else math.tanh(5 * p)  # = 2 / (1 + exp(-10 p)) - 1


@HOOKS.register_module()
class LambdaRampHook(Hook):
    """Ramps lambda from 0 to the value of the config.

    Lambda is a function of the iteration alone, so a resumed run continues as if it had not
    stopped.

    Args:
        share (float): Share of the training's iterations that the ramp takes, within (0, 1].
        shape (str): ``'sigmoid'`` (Ganin and Lempitsky, eq. of section 4) or ``'linear'``.

    Raises:
        ValueError: If the shape or the share is another (here), or if the model has no adversary
            (before training).
    """

    def __init__(self, share: float = 1.0, shape: str = 'sigmoid'):
        if shape not in SHAPES:
            raise ValueError(f'shape {shape!r} is none of {", ".join(SHAPES)}.')
        if not 0 < share <= 1:
            raise ValueError(f'share is {share}, but it must be within (0, 1].')
        self.share, self.shape = share, shape

    def before_train(self, runner) -> None:
        """Remember the full lambda."""
        model = unwrap(runner.model)
        if getattr(model, 'adversary', None) is None:
            raise ValueError('LambdaRampHook: the model has no adversary. Remedy: remove the hook '
                             'from custom_hooks, or set model.adversary.')
        self.layer = model.adversary['neck']
        self.full = self.layer.scale.item()

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Set lambda for this iteration."""
        length = max(1, round(self.share * runner.max_iters))
        scale = self.full * ramp(runner.iter / length, self.shape)
        self.layer.set_scale(scale)
        runner.message_hub.update_scalar('train/lambda', scale)

    def after_train(self, runner) -> None:
        """Set the layer back to the lambda of the config."""
        self.layer.set_scale(self.full)
