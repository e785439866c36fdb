# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The AU branch: one logit for each action unit from its token, fused with the global feature.

::

    logit[a] = w[a] . token[a] + b[a] + (W global)[a]     # a sum of two linear layers

How RTATL fuses its branches is not public; the sum is our choice.
"""

from typing import Optional, Tuple

import torch
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..heads import AUHead


@MODELS.register_module()
class RTATLHead(AUHead):
    """:class:`AUHead` on the global feature, and a linear layer of its own for each AU token.

    Args:
        in_channels (int): Width D of the global feature.
        num_classes (int): Number A of action units.
        embed_dims (int): Width E of an AU token.
        **kwargs: Arguments of :class:`AUHead`.
    """

    def __init__(self, in_channels: int, num_classes: int, embed_dims: int = 256,
                 init_cfg: Optional[dict] = None, **kwargs):
        super().__init__(in_channels, num_classes, init_cfg=init_cfg, **kwargs)
        self.regional = nn.Parameter(torch.zeros(num_classes, embed_dims))

    def init_weights(self) -> None:
        super().init_weights()
        if self.init_cfg is None:
            nn.init.trunc_normal_(self.regional, std=0.02)

    def forward(self, feats: Tuple[Tensor, ...]) -> Tensor:
        """Logits ``[N, A]`` from AU tokens ``[N, A, E]`` and the global feature ``[N, D]``."""
        tokens, pooled = feats
        return self.fc(pooled) + (tokens * self.regional).sum(dim=-1)
