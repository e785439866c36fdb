# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Several steps of the identity head for each step of the backbone.

Source: Goodfellow et al., "Generative Adversarial Nets" (2014), algorithm 1: k steps of the
discriminator for one of the generator, so that it stays near its optimum.
"""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

from .sharded import refuse_sharded, unwrap


@HOOKS.register_module()
class HeadStepsHook(Hook):
    """After each update of the model, further updates of the identity head alone.

    They are steps of the run's own optimiser, with the head's learning rate and moments, on frames
    drawn from the head's bank of recent features. Every rank draws the same from the same bank, so
    the ranks stay equal without communication, and a draw depends on the iteration alone.

    Args:
        steps (int): Number of further steps, at least 1.
        batch_size (int): Frames of each. Defaults to 64.

    Raises:
        ValueError: If an argument is below 1 (here), or if the model has no identity head with a
            bank that the optimiser trains (before training).
    """

    def __init__(self, steps: int = 4, batch_size: int = 64):
        if steps < 1 or batch_size < 1:
            raise ValueError(f'HeadStepsHook: steps={steps} and batch_size={batch_size} must be at '
                             'least 1. Remedy: remove the hook for no further steps.')
        self.steps, self.batch_size = steps, batch_size

    def before_train(self, runner) -> None:
        """Find the head."""
        refuse_sharded(runner.model, 'HeadStepsHook')
        model = unwrap(runner.model)
        adversary = getattr(model, 'adversary', None)
        head: Any = None if adversary is None else adversary['head']
        if getattr(head, 'bank', None) is None or head.fit != 'gradient':
            raise ValueError('HeadStepsHook: the model has no identity head with a bank that the '
                             'optimiser trains. Remedy: model.adversary.head.bank=1024 and '
                             "fit='gradient', or remove the hook from custom_hooks.")
        self.model, self.head = model, head

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """The steps, unless gradients are being accumulated or the bank is empty."""
        if any(p.grad is not None for p in self.model.parameters()):
            return  # the update is still to come
        optimizer, parameters = runner.optim_wrapper.optimizer, list(self.head.parameters())
        for step in range(self.steps):
            if not (self.head.bank.subjects >= 0).any():
                return
            rows, subject = self.head.bank.draw(self.batch_size, runner.iter * self.steps + step)
            loss = self.head.head_loss(self.head((rows, )), subject).mean() / self.head.divisor
            for parameter, grad in zip(parameters, torch.autograd.grad(loss, parameters)):
                parameter.grad = grad
            optimizer.step()  # tensors without a gradient are left alone
            optimizer.zero_grad(set_to_none=True)
