# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Compiles the transformer blocks of a model, in place, for training.

All blocks of one width run the same code, so each width is compiled once, in seconds, where a whole
model takes minutes. ``module.compile()`` keeps the names of the parameters: checkpoints, layer
decay and frozen layers stay what they are.
"""

from typing import Iterator, Sequence, Tuple

import torch
from mmcv.cnn.bricks.drop import DropPath
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmpretrain.registry import HOOKS
from torch import Tensor, nn

#: where the blocks of MMPretrain's vision transformers, and of MAE's decoder, are
BLOCKS = ('backbone.layers', 'neck.decoder_blocks')


class TensorDropPath(nn.Module):
    """Stochastic depth whose rate is a tensor, so that all depths share one compiled code.

    Source: Huang et al., 2016 (arXiv 1603.09382). A sample's branch is dropped with probability
    ``drop_prob``, else divided by ``1 - drop_prob``.

    Args:
        drop_prob (float): In [0, 1).
    """

    def __init__(self, drop_prob: float):
        super().__init__()
        self.drop_prob = drop_prob
        self.register_buffer('keep', torch.tensor(1. - drop_prob), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, ...]`` in and out."""
        if not self.training:
            return x
        kept = torch.rand(x.shape[:1] + (1, ) * (x.ndim - 1), device=x.device) < self.keep
        return x * (kept / self.keep).to(x.dtype)


def find_blocks(model: nn.Module, where: Sequence[str] = BLOCKS) -> Iterator[Tuple[str, nn.Module]]:
    """Name and module of each block; places which a model lacks are passed over."""
    for place in where:
        try:
            blocks = model.get_submodule(place)
        except AttributeError:
            continue
        for name, block in blocks.named_children():
            yield f'{place}.{name}', block


def compile_blocks(model: nn.Module, where: Sequence[str] = BLOCKS, **options) -> int:
    """Compile the blocks in place; it happens when each is first called.

    Args:
        model: A model, not wrapped by DDP.
        where: Names of the lists of blocks.
        **options: Of :func:`torch.compile`. By default shapes are fixed (``dynamic=False``), which
            is fastest: a training drops an incomplete last batch.

    Returns:
        int: Blocks compiled.

    Raises:
        ValueError: If there is no block.
    """
    blocks = list(find_blocks(model, where))
    if not blocks:
        raise ValueError(f'{type(model).__name__} has no blocks at {", ".join(where)}. Remedy: '
                         'name its lists of blocks in `where`.')
    for _, block in blocks:
        for parent in list(block.modules()):
            for name, child in list(parent.named_children()):
                if type(child) is DropPath and child.drop_prob:
                    device = next(block.parameters()).device
                    setattr(parent, name, TensorDropPath(child.drop_prob).to(device))
        block.compile(**{'dynamic': False, **options})
    return len(blocks)


@HOOKS.register_module()
class CompileBlocksHook(Hook):
    """Compiles the model's blocks before training; validation runs them as they are.

    Args:
        where (Sequence[str]): See :func:`compile_blocks`.
        on_cpu (bool): Whether to compile on a CPU, too, where it gains little and needs a C++
            compiler. Defaults to False.
        **options: Of :func:`torch.compile`, such as ``mode='max-autotune-no-cudagraphs'``.
    """

    def __init__(self, where: Sequence[str] = BLOCKS, on_cpu: bool = False, **options):
        self.where, self.on_cpu, self.options = where, on_cpu, options

    def before_train(self, runner) -> None:
        """Compile."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if next(model.parameters()).device.type == 'cpu' and not self.on_cpu:
            return
        number = compile_blocks(model, self.where, **self.options)
        MMLogger.get_current_instance().info(
            f'{number} blocks are compiled in place; the first iterations take longer')

    def before_val(self, runner) -> None:
        """Other shapes, another mode: not worth a compilation."""
        torch.compiler.set_stance('force_eager')

    def after_val(self, runner) -> None:
        """Back to training."""
        torch.compiler.set_stance('default')
