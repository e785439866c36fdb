# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The adversarial identity head of IAT: predicts the subject from the gradient-reversed feature.

Source: FMAE-IAT, section "Identity adversarial training". The paper writes cross entropy; the
published numbers (ID loss 0.152 in its Table 7) are binary cross entropy against the one-hot
identity, which is the default here.
"""

from typing import Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from ..losses import masked_mean

_UNKNOWN = ('the identity head does not know the number of subjects. Remedy: set '
            'model.adversary.head.num_subjects, or '
            "runner_type='mmpretrain.ActionUnitRunner', which counts them.")


@MODELS.register_module()
class LinearIdentityHead(BaseModule):
    """Identity head of one linear layer; the ablation adds hidden layers.

    Args:
        in_channels (int): Width D of the feature.
        num_subjects (int, optional): Number S of subjects, those of the test fold included (BP4D
            41, BP4D+ 140, DISFA 27). None: :class:`~fmae_iat_plugin.engine.ActionUnitRunner` counts
            them in the data before the model is built; a head without it cannot be trained.
        hidden_dims (Sequence[int]): Widths of hidden layers, each followed by GELU. The paper's
            ablation: ``()``, ``(D/2,)``, ``(D/2, D/4)``. Defaults to ``()``.
        loss (str): ``'bce'`` or ``'ce'``. Defaults to ``'bce'``.
        init_cfg (dict, optional): Defaults to None: PyTorch's initialisation.

    Raises:
        ValueError: If ``loss`` is another name.
    """

    def __init__(self,
                 in_channels: int,
                 num_subjects: Optional[int] = None,
                 hidden_dims: Sequence[int] = (),
                 loss: str = 'bce',
                 init_cfg: Optional[dict] = None):
        super().__init__(init_cfg=init_cfg)
        if loss not in ('bce', 'ce'):
            raise ValueError(f"loss {loss!r} is neither 'bce' (binary cross entropy against the "
                             "one-hot identity) nor 'ce' (softmax cross entropy).")
        self.num_subjects, self.loss_type = num_subjects, loss
        hidden, width = [], in_channels
        for dim in hidden_dims:
            hidden += [nn.Linear(width, dim), nn.GELU()]
            width = dim
        self.hidden = nn.Sequential(*hidden)
        self.fc = None if num_subjects is None else nn.Linear(width, num_subjects)

    def forward(self, feats: Tuple[torch.Tensor]) -> torch.Tensor:
        """Logits ``[N, S]`` from the last stage of ``feats``, ``([N, D], ...)``.

        Raises:
            ValueError: If the number of subjects is not known.
        """
        if self.fc is None:
            raise ValueError(_UNKNOWN)
        return self.fc(self.hidden(feats[-1]))

    def targets(self, data_samples: List[DataSample], device) -> torch.Tensor:
        """Subjects of the samples, ``[N]`` int64 in 0..S-1; -1 where unknown (no ``subject``).

        Raises:
            ValueError: If a subject is not below ``num_subjects``, or that is not known.
        """
        if self.num_subjects is None:
            raise ValueError(_UNKNOWN)
        subjects = [int(sample.get('subject', -1)) for sample in data_samples]
        for sample, subject in zip(data_samples, subjects):
            if not -1 <= subject < self.num_subjects:
                raise ValueError(
                    f'subject {subject} of {sample.get("img_path", "a sample")!r} does not fit '
                    f'num_subjects={self.num_subjects}. Remedy: set '
                    'model.adversary.head.num_subjects to the number of subjects of the data set, '
                    'those of the test fold included (BP4D 41, BP4D+ 140, DISFA 27; at least '
                    f'{subject + 1} here).')
        return torch.tensor(subjects, device=device)

    def loss(self, feats: Tuple[torch.Tensor],
             data_samples: List[DataSample]) -> Dict[str, torch.Tensor]:
        """``loss_id``, over the samples whose subject is known.

        ``'bce'``: mean over (samples x S) of the binary cross entropy against the one-hot subject.
        ``'ce'``: mean over the samples of the softmax cross entropy.
        """
        logits = self(feats)
        subject = self.targets(data_samples, logits.device)
        known = subject >= 0
        subject = subject.clamp(min=0)
        if self.loss_type == 'ce':
            return dict(loss_id=masked_mean(
                F.cross_entropy(logits, subject, reduction='none'), known))
        one_hot = F.one_hot(subject, self.num_subjects).to(logits)
        loss = F.binary_cross_entropy_with_logits(logits, one_hot, reduction='none')
        return dict(loss_id=masked_mean(loss, known[:, None].expand_as(loss)))
