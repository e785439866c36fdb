# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The intensity head: how strong each action unit is, 0 to 5, beside the head of occurrences.

``regression``: ``y = 5 sigmoid(w x + b)``, mean squared error. ``ordinal``: five cumulative
logits ``z_k = w x + b_k`` that share their weights, binary cross entropy of "at least k", and
``y = sum_k sigmoid(z_k)``: CORAL (Cao, Mirjalili and Raschka, "Rank consistent ordinal regression
for neural networks", 2020, arXiv 1901.07884, section 3.3). The target of step k is
``clamp(y - (k - 1), 0, 1)``, which is "at least k" of a whole intensity and sums to ``y`` also
where an intensity has a fraction.
"""

from typing import Dict, List, Optional, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from ..losses import masked_mean

HIGHEST = 5  #: FACS codes traces (A) to the maximum (E) as 1 to 5; 0 is absent
FORMS = ('regression', 'ordinal')
_START = -2.  # of the bias: untrained, an intensity is 0.6, near the mean of the data sets


@MODELS.register_module()
class AUIntensityHead(BaseModule):
    """Linear head for the intensities of action units.

    Args:
        in_channels (int): Width D of the feature.
        num_classes (int): Number K of action units with intensities.
        form (str): ``'regression'`` or ``'ordinal'``; see the module.
        loss_weight (float): Factor of the loss.
        init_cfg (dict, optional): Defaults to None: weight from a normal distribution of std 2e-5
            cut off at +-2, biases that give an intensity of about 0.6.

    Raises:
        ValueError: If ``form`` is another name, or the weight is not positive.
    """

    def __init__(self,
                 in_channels: int,
                 num_classes: int,
                 form: str = 'regression',
                 loss_weight: float = 1.,
                 init_cfg: Optional[dict] = None):
        super().__init__(init_cfg=init_cfg)
        if form not in FORMS:
            raise ValueError(f'form {form!r} is none of {", ".join(FORMS)}.')
        if not loss_weight > 0:
            raise ValueError(f'loss_weight is {loss_weight}. Remedy: a number above 0, or no '
                             'intensity head.')
        self.in_channels, self.num_classes = in_channels, num_classes
        self.form, self.loss_weight = form, loss_weight
        self.fc = nn.Linear(in_channels, num_classes)
        if form == 'ordinal':
            self.steps = nn.Parameter(torch.zeros(num_classes, HIGHEST))

    def init_weights(self) -> None:
        super().init_weights()
        if self.init_cfg is None:
            nn.init.trunc_normal_(self.fc.weight, std=2e-5)
            nn.init.constant_(self.fc.bias, _START)

    def forward(self, feats: Tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Logits from the last stage of ``feats``, ``([N, D], ...)``: ``[N, K]``, or ``[N, K, 5]``
        of the ordinal form."""
        logits = self.fc(feats[-1])
        return logits if self.form == 'regression' else logits[..., None] + self.steps

    def intensities(self, feats: Tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Intensities ``[N, K]`` within 0..5."""
        shares = torch.sigmoid(self(feats))
        return HIGHEST * shares if self.form == 'regression' else shares.sum(dim=-1)

    def loss(self, feats: Tuple[torch.Tensor, ...],
             data_samples: List[DataSample]) -> Dict[str, torch.Tensor]:
        """``loss_intensity``: the mean over the coded intensities (``gt_intensity`` not NaN).

        Raises:
            ValueError: If a sample has another number of intensities, or one outside 0..5.
        """
        logits = self(feats)
        target = self._targets(data_samples).to(logits)
        coded = ~torch.isnan(target)
        target = torch.where(coded, target, 0.)
        if self.form == 'regression':
            loss = (HIGHEST * torch.sigmoid(logits) - target)**2
        else:
            below = torch.arange(HIGHEST).to(logits)
            reached = (target[..., None] - below).clamp(0, 1)
            loss = F.binary_cross_entropy_with_logits(logits, reached, reduction='none').mean(-1)
        return dict(loss_intensity=self.loss_weight * masked_mean(loss, coded))

    def _targets(self, data_samples: List[DataSample]) -> torch.Tensor:
        """``[N, K]``, NaN = not coded."""
        rows = []
        for sample in data_samples:
            row = torch.as_tensor(sample.gt_intensity, dtype=torch.float32) \
                if 'gt_intensity' in sample else torch.empty(0)
            if row.shape != (self.num_classes, ) or ((row < 0) | (row > HIGHEST)).any():
                found = row.tolist() if len(row) else 'none'
                raise ValueError(
                    f'{sample.get("img_path", "a sample")!r} has the AU intensities {found}, the '
                    f'head has num_classes={self.num_classes}. Remedy: `intensities` of the data '
                    "set names as many AUs, 'gt_intensity' is in algorithm_keys of PackInputs, and "
                    f'values are 0 to {HIGHEST}, or NaN where not coded.')
            rows.append(row)
        return torch.stack(rows)

    def predict(self, feats: Tuple[torch.Tensor, ...],
                data_samples: List[DataSample]) -> List[DataSample]:
        """The same samples, each with ``pred_intensity`` ``[K]``."""
        for sample, values in zip(data_samples, self.intensities(feats)):
            sample.set_field(values, 'pred_intensity')
        return data_samples
