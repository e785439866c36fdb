# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Mixed precision where there is an accelerator, fp32 where there is none.

MMEngine's ``AmpOptimWrapper`` stops on a machine without an accelerator, so a config written for
GPUs could not be tried on a laptop.
"""

from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmpretrain.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
def MixedPrecisionOptimWrapper(optimizer, dtype: str = 'float16', loss_scale='dynamic',
                               **kwargs) -> OptimWrapper:
    """``AmpOptimWrapper`` on an accelerator; ``OptimWrapper`` (fp32), with a warning, on a CPU.

    Args:
        optimizer (torch.optim.Optimizer): The optimizer.
        dtype (str): ``'float16'`` or ``'bfloat16'``.
        loss_scale (str | float): As in :class:`mmengine.optim.AmpOptimWrapper`.
        **kwargs: Arguments of both wrappers, such as ``accumulative_counts``.
    """
    if get_device() != 'cpu':
        return AmpOptimWrapper(optimizer=optimizer, dtype=dtype, loss_scale=loss_scale, **kwargs)
    MMLogger.get_current_instance().warning(
        f'no accelerator: training in fp32 instead of {dtype} mixed precision')
    return OptimWrapper(optimizer=optimizer, **kwargs)
