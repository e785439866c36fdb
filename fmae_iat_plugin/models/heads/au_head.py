# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The AU head: one linear layer, binary cross entropy averaged over the coded labels.

MMPretrain's ``MultiLabelClsHead`` divides its loss by the batch size alone (the number of classes
times the mean) and cannot leave out a missing label. This class reuses the rest of it.
"""

from typing import Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from ..losses import masked_mean


@MODELS.register_module()
class AUHead(MultiLabelClsHead):
    """Linear multi-label head for action units.

    Args:
        in_channels (int): Width D of the feature.
        num_classes (int): Number C of AUs.
        pos_weight (Sequence[float], optional): C weights of the positive term, e.g.
            negatives / positives of each AU. Defaults to None (the paper: unweighted).
        thr (float): Probability from which an AU is predicted present. Defaults to 0.5.
        init_cfg (dict, optional): Defaults to None: weight from a normal distribution of std 2e-5
            cut off at +-2, bias as PyTorch does.

    Raises:
        ValueError: If ``pos_weight`` does not hold C positive numbers.
    """

    def __init__(self,
                 in_channels: int,
                 num_classes: int,
                 pos_weight: Optional[Sequence[float]] = None,
                 thr: float = 0.5,
                 init_cfg: Optional[dict] = None):
        super().__init__(loss=nn.BCEWithLogitsLoss(reduction='none'), thr=thr, init_cfg=init_cfg)
        self.in_channels, self.num_classes = in_channels, num_classes
        if pos_weight is not None:
            weight = torch.as_tensor(pos_weight, dtype=torch.float32)
            if weight.shape != (num_classes, ) or not (weight > 0).all():
                raise ValueError(f'pos_weight is {list(pos_weight)}. Remedy: {num_classes} '
                                 'positive numbers, one per AU.')
            self.loss_module.pos_weight = weight
        self.fc = nn.Linear(in_channels, num_classes)

    def init_weights(self) -> None:
        super().init_weights()
        if self.init_cfg is None:
            nn.init.trunc_normal_(self.fc.weight, std=2e-5)

    def forward(self, feats: Tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Logits ``[N, C]`` from the last stage of ``feats``, ``([N, D], ...)``."""
        return self.fc(self.pre_logits(feats))

    def _get_loss(self, cls_score: torch.Tensor, data_samples: List[DataSample],
                  **kwargs) -> Dict[str, torch.Tensor]:
        """``loss_au``: mean binary cross entropy over the coded labels (``gt_score`` not NaN)."""
        for sample in data_samples:
            if 'gt_score' not in sample or len(sample.gt_score) != self.num_classes:
                found = len(sample.gt_score) if 'gt_score' in sample else 'no'
                raise ValueError(
                    f'{sample.get("img_path", "a sample")!r} has {found} AU labels, the head has '
                    f'num_classes={self.num_classes}. Remedy: the AUs of the data set and '
                    'model.head.num_classes must agree; an image without labels carries NaNs.')
        target = torch.stack([sample.gt_score for sample in data_samples]).to(cls_score)
        coded = ~torch.isnan(target)
        loss = self.loss_module(cls_score, torch.where(coded, target, 0.))
        return dict(loss_au=masked_mean(loss, coded))
