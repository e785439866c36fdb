# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Mean over the labelled elements of the whole batch, the same on 1 rank and on many."""

import torch
from mmengine.dist import all_reduce, get_world_size


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of ``values`` where ``mask`` is true, over all ranks.

    DDP averages the gradients of the ranks, so each rank returns
    ``world_size * local_sum / global_count``: the average over ranks is then the mean over the
    labelled elements of the total batch, however unevenly they are spread. Without any labelled
    element the result is 0 and still depends on ``values``, so every rank touches every parameter.

    Under gradient accumulation, each iteration takes its own mean, and all iterations weigh the
    same. The result equals the mean of the total batch if no label is missing, and is near it
    otherwise.

    Args:
        values: Any shape.
        mask: Bool, same shape.

    Returns:
        torch.Tensor: Scalar.
    """
    total = torch.where(mask, values, 0.).sum()
    count = mask.sum().to(total.dtype)
    world_size = get_world_size()
    if world_size > 1:
        all_reduce(count)
    return world_size * total / count.clamp(min=1)
