# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Single-image optical flow: from one face, how will it have moved a moment later?

::

    global = mean(backbone(image))                     # [N, D]
    flow   = decoder(global)                           # [N, 2, S, S], percent of the image
    loss   = mean(|flow - target|)                     # end point error, known pixels only

The decoder sees the global feature alone, so the task trains that feature. It needs no label, only
the next frames. Source: the abstract of RTATL (arXiv 2107.14399); the decoder, the loss and the
frame interval are our choice.
"""

from typing import Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from ..losses import masked_mean

UNIT = 100.  # the decoder and the loss count in percent of the image's side


def end_point_error(flow: Tensor, target: Tensor, eps: float = 0.) -> Tensor:
    """Length of the difference of two flows, ``[N, 2, H, W]`` each to ``[N, H, W]``.

    Args:
        flow, target: In the same unit, which is that of the result.
        eps: Added to the squared length under the root, so that its gradient exists at 0.
    """
    return ((flow - target).square().sum(dim=1) + eps).sqrt()


def stack_flow(data_samples: List[DataSample], size: int, device) -> Tuple[Tensor, Tensor]:
    """Targets of a batch.

    Args:
        data_samples: N samples; one with a target has ``flow``, float32 ``[S, S, 2]`` in fractions
            of the image, NaN where it is unknown.
        size: S.

    Returns:
        tuple: Flow ``[N, 2, S, S]`` in percent of the image, 0 where unknown; known pixels, bool
        ``[N, S, S]``.

    Raises:
        ValueError: If a target has another size.
    """
    rows = []
    for sample in data_samples:
        flow = sample.get('flow')
        if flow is None:
            rows.append(torch.full((size, size, 2), torch.nan))
            continue
        if tuple(flow.shape) != (size, size, 2):
            raise ValueError(
                f'the flow of {sample.get("img_path", "a sample")!r} has the shape '
                f'{tuple(flow.shape)}, the decoder makes {(size, size, 2)}. Remedy: the same '
                'number in model.flow.size and in `size` of LoadFlow in the pipeline.')
        rows.append(torch.as_tensor(flow, dtype=torch.float32))
    flow = torch.stack(rows).to(device).permute(0, 3, 1, 2)
    known = ~flow.isnan().any(dim=1)
    return UNIT * flow.nan_to_num(0.), known


@MODELS.register_module()
class SingleImageFlow(BaseModule):
    """Decoder and loss of single-image optical flow; exists in training only.

    Args:
        in_channels (int): Width D of the global feature.
        size (int): Side S of the predicted flow: a multiple of 4, 4 times a power of 2.
        channels (Sequence[int]): Widths of the decoder at 4, 8, 16, ... pixels; the last one goes
            for all that follow.
        weight (float): Of the loss. Defaults to 1.
        init_cfg (dict, optional): Defaults to None: PyTorch's initialisation, with the last layer
            at 0, so that training begins with no motion.

    Raises:
        ValueError: On another ``size``, or a negative ``weight``.
    """

    def __init__(self, in_channels: int, size: int = 16, channels: Sequence[int] = (128, 64, 32),
                 weight: float = 1., init_cfg: Optional[dict] = None):
        super().__init__(init_cfg=init_cfg)
        doublings = max(size // 4, 1).bit_length() - 1
        if size != 4 * 2**doublings:
            raise ValueError(f'size is {size}. Remedy: 4, 8, 16, 32, 64, ...')
        if not weight >= 0:
            raise ValueError(f'the weight of the flow loss is {weight}. Remedy: 0 or more.')
        self.size, self.weight = size, weight
        widths = [channels[min(step, len(channels) - 1)] for step in range(doublings + 1)]
        self.seed = nn.Linear(in_channels, widths[0] * 16)
        layers: List[nn.Module] = []
        for before, after in zip(widths, widths[1:]):
            layers += [nn.GELU(), nn.Upsample(scale_factor=2, mode='bilinear'),
                       nn.Conv2d(before, after, 3, padding=1)]
        self.grow = nn.Sequential(*layers, nn.GELU())
        self.last = nn.Conv2d(widths[-1], 2, 3, padding=1)

    def init_weights(self) -> None:
        super().init_weights()
        if self.init_cfg is None:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """Flow ``[N, 2, S, S]`` (x, y) in percent of the image, from ``[N, D]``."""
        return self.last(self.grow(self.seed(pooled).unflatten(1, (-1, 4, 4))))

    def loss(self, pooled: Tensor, data_samples: List[DataSample]) -> Dict[str, Tensor]:
        """``loss_flow``: mean end point error over the known pixels, in percent of the image.

        Args:
            pooled: ``[N, D]`` global feature.
            data_samples: See :func:`stack_flow`.
        """
        target, known = stack_flow(data_samples, self.size, pooled.device)
        error = end_point_error(self(pooled).float(), target, eps=1e-6)
        return dict(loss_flow=self.weight * masked_mean(error, known))
