# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Compiles the transformer blocks of a model, in place, for training.

All blocks of one width run the same code, so each width is compiled once, in seconds, where a whole
model takes minutes. ``module.compile()`` keeps the names of the parameters: checkpoints, layer
decay and frozen layers stay what they are.
"""

import os
import shutil
from importlib.util import find_spec
from typing import Iterator, Optional, Sequence, Tuple

import torch
from mmcv.cnn.bricks.drop import DropPath
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
from torch import Tensor, nn

from .sharded import is_sharded, unwrap

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
            yield f'{place}.{name}', block.module if is_sharded(block) else block


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
    layers = [(parent, name, float(child.drop_prob)) for _, block in blocks
              for parent in block.modules() for name, child in parent.named_children()
              if type(child) is DropPath]  # its rate is NumPy's, which is not compiled
    device = next(model.parameters()).device
    for parent, name, rate in layers:
        drops = any(rate for *_, rate in layers)
        setattr(parent, name, TensorDropPath(rate).to(device) if drops else nn.Identity())
    for _, block in blocks:
        block.compile(**{'dynamic': False, **options})
    return len(blocks)


def obstacle(device: torch.device) -> Optional[str]:
    """Why blocks cannot be compiled for a GPU on this machine; None where they can."""
    if find_spec('triton') is None:
        return 'the package triton is not installed'
    if not any(shutil.which(name) for name in (os.environ.get('CC') or 'cc', 'gcc', 'clang')):
        return 'there is no C compiler'
    if device.type == 'cuda' and torch.cuda.get_device_capability(device) < (7, 0):
        return 'the GPU is older than Volta'
    return None


@HOOKS.register_module()
class CompileBlocksHook(Hook):
    """Compiles the model's blocks before training, on a GPU; losses stay the same up to rounding.

    Only the iterations of the training run what was compiled. Validation and other hooks run the
    blocks as they are, because other shapes and modes would be compiled anew.

    Args:
        where (Sequence[str]): See :func:`compile_blocks`.
        on_cpu (bool): Whether to compile on a CPU, too, where it gains little and needs a C++
            compiler. Defaults to False.
        **options: Of :func:`torch.compile`, such as ``mode='max-autotune-no-cudagraphs'``.
    """

    priority = 'LOWEST'  # next to the training step

    def __init__(self, where: Sequence[str] = BLOCKS, on_cpu: bool = False, **options):
        self.where, self.on_cpu, self.options = where, on_cpu, options
        self._active = False

    def before_train(self, runner) -> None:
        """Compile, or say why not."""
        model = unwrap(runner.model)
        device = next(model.parameters()).device
        self._active = self.on_cpu if device.type == 'cpu' else device.type == 'cuda'
        if not self._active:
            return
        reason = None if device.type == 'cpu' else obstacle(device)
        if reason is None and not list(find_blocks(model, self.where)):
            reason = f'{type(model).__name__} has none at {", ".join(self.where)}'
        if reason is not None:
            self._active = False
            runner.logger.warning('Blocks are not compiled: %s. The training is slower.', reason)
            return
        number = compile_blocks(model, self.where, **self.options)
        runner.logger.info('%d blocks are compiled, in place: the first iteration takes longer.',
                           number)

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Run what is compiled."""
        if self._active:
            torch.compiler.set_stance('default')

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Run blocks as they are."""
        if self._active:
            torch.compiler.set_stance('force_eager')

    def after_train(self, runner) -> None:
        """Leave the process as it was."""
        if self._active:
            torch.compiler.set_stance('default')
