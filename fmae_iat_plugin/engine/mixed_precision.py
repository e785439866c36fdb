# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Mixed precision on devices for which MMEngine has it, fp32 on the others.

MMEngine's ``AmpOptimWrapper`` stops on other devices, so a config written for GPUs could not be
tried on a laptop, with a CPU or with Apple's GPU (``mps``).
"""

from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmpretrain.registry import OPTIM_WRAPPERS

#: devices of MMEngine's AmpOptimWrapper
WITH_AMP = ('cuda', 'npu', 'mlu', 'musa')


@OPTIM_WRAPPERS.register_module()
def MixedPrecisionOptimWrapper(optimizer, dtype: str = 'float16', loss_scale='dynamic',
                               **kwargs) -> OptimWrapper:
    """``AmpOptimWrapper`` on a device of :data:`WITH_AMP`; else, with a warning, fp32.

    Args:
        optimizer (torch.optim.Optimizer): The optimizer.
        dtype (str): ``'float16'`` or ``'bfloat16'``.
        loss_scale (str | float): As in :class:`mmengine.optim.AmpOptimWrapper`.
        **kwargs: Arguments of both wrappers, such as ``accumulative_counts``.
    """
    device = get_device()
    if device in WITH_AMP:
        return AmpOptimWrapper(optimizer=optimizer, dtype=dtype, loss_scale=loss_scale, **kwargs)
    MMLogger.get_current_instance().warning(
        f'device {device}: training in fp32 instead of {dtype} mixed precision')
    return OptimWrapper(optimizer=optimizer, **kwargs)
