# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A head of the project's own: the plugin's, with labels that are less sure."""

from typing import Dict, List

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from fmae_iat_plugin.models.heads import AUHead


@MODELS.register_module()
class SmoothedAUHead(AUHead):
    """AU head that learns ``smoothing`` instead of 0, and ``1 - smoothing`` instead of 1.

    Args:
        smoothing (float): Between 0 and 0.5. Defaults to 0.05.
        **kwargs: See :class:`AUHead`.
    """

    def __init__(self, smoothing: float = 0.05, **kwargs):
        super().__init__(**kwargs)
        self.smoothing = smoothing

    def _get_loss(self, cls_score: torch.Tensor, data_samples: List[DataSample],
                  **kwargs) -> Dict[str, torch.Tensor]:
        smoothed = []
        for sample in data_samples:
            labels = sample.gt_score  # [C], NaN where an AU is not coded: NaN it stays
            smoothed.append(sample.clone().set_gt_score(
                labels * (1 - 2 * self.smoothing) + self.smoothing))
        return super()._get_loss(cls_score, smoothed, **kwargs)
