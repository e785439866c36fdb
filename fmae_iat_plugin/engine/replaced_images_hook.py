# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Says at the end of a training how many unreadable images were replaced."""

from typing import Any, Iterator

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS


def _parts(dataset: Any) -> Iterator[Any]:
    """A data set, or those that it wraps."""
    inner = getattr(dataset, 'datasets', None) or (
        [dataset.dataset] if hasattr(dataset, 'dataset') else [])
    yield dataset
    for part in inner:
        yield from _parts(part)


@HOOKS.register_module()
class ReplacedImagesHook(Hook):
    """Adds up ``replaced`` of the training's data sets over all workers and ranks, and logs it.

    A resumed training counts from its resume. Data sets without ``replaced`` stop at a bad image,
    and say nothing.
    """

    priority = 'LOW'

    def after_train(self, runner) -> None:
        """Log the number."""
        counts = [part.replaced for part in _parts(runner.train_dataloader.dataset)
                  if hasattr(part, 'replaced')]
        if not counts:
            return
        total = torch.tensor([sum(counts)])
        all_reduce(total)
        say = runner.logger.warning if int(total) else runner.logger.info
        say('%d unreadable images were replaced by the next good one%s.', int(total),
            '; each is named above, with its shard' if int(total) else '')
