# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A model whose weights are spread over processes, for code that asks for the whole of it.

Under FSDP a parameter is one flat piece of itself, or nothing, between the iterations, and the
names of the modules hold those of the wrappers. So what shapes and names are is noted before, and
what runs a part of the model is let through the wrapper, which gathers the weights.
"""

import re
from typing import Any, Callable

from mmengine.model import is_model_wrapper
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

from .model_flops import on_meta

_WHOLE = 'whole_on_meta'  # in vars(): not a submodule, so that no checkpoint has it
_WRAPPERS = re.compile(r'\b(_fsdp_wrapped_module|_checkpoint_wrapped_module)(\.|$)')


def unwrap(model: nn.Module) -> nn.Module:
    """The model that DDP, FSDP or DeepSpeed wraps, or itself."""
    return model.module if is_model_wrapper(model) else model


def plain_name(name: str) -> str:
    """The name that a module or parameter has where nothing is wrapped."""
    return _WRAPPERS.sub('', name).rstrip('.')


def note_shapes(model: nn.Module) -> None:
    """Keep the shapes of a model that is about to be sharded; see :func:`with_shapes`."""
    vars(model)[_WHOLE] = on_meta(model)


def with_shapes(model: nn.Module) -> nn.Module:
    """A model with the plain names and whole shapes: itself, or what was noted of it, on the
    device ``meta``."""
    model = unwrap(model)
    return vars(model).get(_WHOLE, model)


def is_sharded(model: nn.Module) -> bool:
    """Whether a process holds its share of the weights alone."""
    return isinstance(model, FullyShardedDataParallel)


def call_whole(model: nn.Module, function: Callable[[nn.Module], Any]) -> Any:
    """``function(model)`` of the unwrapped model, with its weights gathered while it runs.

    Args:
        model: Wrapped or not. If it is sharded, all processes call together.
        function: It may call parts of the model, such as ``model.backbone``.
    """
    inner = unwrap(model)
    if not is_sharded(model):
        return function(inner)
    inner.forward = lambda: function(inner)  # the wrapper gathers for what it calls
    try:
        return model()
    finally:
        del inner.forward


def refuse_sharded(model: nn.Module, name: str) -> None:
    """For a hook that reads or writes weights by itself.

    Raises:
        ValueError: If the weights are spread over processes.
    """
    if is_sharded(model):
        raise ValueError(f'{name} works on whole weights, and FSDP gives each process a part of '
                         'them. Remedy: remove it from custom_hooks, or train without '
                         '`runner_type` and `strategy`, with DDP.')
