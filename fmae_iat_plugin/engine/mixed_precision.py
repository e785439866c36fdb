# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Mixed precision on devices for which MMEngine has it, fp32 on the others.

MMEngine's ``AmpOptimWrapper`` stops on other devices, so a config written for GPUs could not be
tried on a laptop, with a CPU or with Apple's GPU (``mps``).
"""

from contextlib import contextmanager
from typing import Iterator, Optional

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmpretrain.registry import OPTIM_WRAPPERS

#: devices of MMEngine's AmpOptimWrapper
WITH_AMP = ('cuda', 'npu', 'mlu', 'musa')


class CPUAutocastOptimWrapper(OptimWrapper):
    """bfloat16 on a CPU: convolutions and matrix products in 16 bits, weights and updates in 32.

    The exponent is that of float32, so no loss is scaled. It is fast on CPUs with AVX512-BF16 or
    AMX, and slow on others.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Forward and loss run in here."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


@OPTIM_WRAPPERS.register_module()
def MixedPrecisionOptimWrapper(optimizer, dtype: str = 'float16', loss_scale='dynamic',
                               cpu_dtype: Optional[str] = None, use_fsdp: bool = False,
                               **kwargs) -> OptimWrapper:
    """``AmpOptimWrapper`` on a device of :data:`WITH_AMP`; else, with a warning, fp32.

    Args:
        optimizer (torch.optim.Optimizer): The optimizer.
        dtype (str): ``'float16'`` or ``'bfloat16'``.
        loss_scale (str | float): As in :class:`mmengine.optim.AmpOptimWrapper`.
        cpu_dtype (str, optional): ``'bfloat16'`` trains in it on a CPU, too. Defaults to fp32.
        use_fsdp (bool): Whether processes agree on a step that infinite gradients skip;
            ``WholeFSDPStrategy`` sets it.
        **kwargs: Arguments of both wrappers, such as ``accumulative_counts``.

    Raises:
        ValueError: If ``cpu_dtype`` is another type.
    """
    if cpu_dtype not in (None, 'bfloat16'):
        raise ValueError(f'MixedPrecisionOptimWrapper: cpu_dtype is {cpu_dtype!r}. Remedy: '
                         "'bfloat16', or None for fp32 on a CPU.")
    device = get_device()
    if device in WITH_AMP:
        return AmpOptimWrapper(optimizer=optimizer, dtype=dtype, loss_scale=loss_scale,
                               use_fsdp=use_fsdp, **kwargs)
    if device == 'cpu' and cpu_dtype is not None:
        return CPUAutocastOptimWrapper(optimizer=optimizer, **kwargs)
    MMLogger.get_current_instance().warning(
        f'device {device}: training in fp32 instead of {dtype} mixed precision')
    return OptimWrapper(optimizer=optimizer, **kwargs)
