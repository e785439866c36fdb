# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which runtime a model is for: ONNX Runtime for exported files, PyTorch for configs.

PyTorch is imported for a config alone.
"""

from pathlib import Path
from typing import Any, Optional, Tuple

from fmae_iat_plugin.stack import use_stack

from .onnx_backend import OnnxBackend, check_onnx_device
from .recipe import Recipe


def runs_on_onnx(model: Any, weights: Optional[str] = None) -> bool:
    """Whether an exported file holds the weights."""
    return any(isinstance(file, (str, Path)) and Path(file).suffix == '.onnx'
               for file in (model, weights))


def open_model(model: Any, weights: Optional[str] = None,
               device: Optional[str] = None) -> Tuple[Recipe, Any]:
    """How faces get to a model, and what runs it.

    Args:
        model: Config, or its path; or an ``.onnx`` file, which notes what is needed of its config.
        weights: Checkpoint, or ``.onnx`` file. None: random weights.
        device: Defaults to the GPU if there is one.

    Returns:
        tuple: The recipe; a ``TorchBackend`` or an :class:`~.onnx_backend.OnnxBackend`.

    Raises:
        FileNotFoundError, ImportError, ValueError: See the two backends.
    """
    if runs_on_onnx(model):
        if weights is not None:
            raise ValueError(f'{model} and {weights} are both weights. Remedy: give one of them.')
        backend = OnnxBackend(model, device)
        return backend.recipe(), backend
    use_stack()
    from .torch_backend import TorchBackend, config_recipe, read_config
    cfg = read_config(model)
    recipe = config_recipe(cfg)
    if weights is not None and runs_on_onnx(weights):
        return recipe, OnnxBackend(weights, device)
    return recipe, TorchBackend(cfg, weights, device)


def check_device(device: Optional[str], model: Any, weights: Optional[str] = None) -> None:
    """Before hours of work.

    Raises:
        ValueError: If the device is unknown, or is not on this machine.
    """
    if runs_on_onnx(model, weights):
        check_onnx_device(device)
    elif device is not None:
        use_stack()
        from .torch_backend import check_torch_device
        check_torch_device(device)
