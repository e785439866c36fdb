# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The adversarial identity head of IAT: predicts the subject from the gradient-reversed feature.

Source: FMAE-IAT, section "Identity adversarial training". The paper writes cross entropy; the
published numbers (ID loss 0.152 in its Table 7) are binary cross entropy against the one-hot
identity, which is the default here. The other forms are those of
:mod:`~fmae_iat_plugin.models.losses.identity_losses`; docs/en/iat.md says what each does.
"""

from typing import Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch.func import functional_call

from ..losses import feature_gradient, guessing_losses, masked_mean
from ..losses.identity_losses import FORMS, confusion_loss, head_loss, without_common
from .feature_bank import FeatureBank, discriminant

_UNKNOWN = ('the identity head does not know the number of subjects. Remedy: set '
            'model.adversary.head.num_subjects, or '
            "runner_type='mmpretrain.ActionUnitRunner', which counts them.")


@MODELS.register_module()
class LinearIdentityHead(BaseModule):
    """Identity head of one linear layer; the ablation adds hidden layers.

    The paper's game is ``loss='bce'`` and nothing else; each other argument is a way to make the
    game settle.

    Args:
        in_channels (int): Width D of the feature.
        num_subjects (int, optional): Number S of subjects, those of the test fold included (BP4D
            41, BP4D+ 140, DISFA 27). None: :class:`~fmae_iat_plugin.engine.ActionUnitRunner` counts
            them in the data before the model is built; a head without it cannot be trained.
        hidden_dims (Sequence[int]): Widths of hidden layers, each followed by GELU. The paper's
            ablation: ``()``, ``(D/2,)``, ``(D/2, D/4)``. Defaults to ``()``.
        loss (str): ``'bce'`` (the paper's numbers), ``'bce_centred'`` (the feature receives no
            gradient along the direction that raises all logits together), ``'ce'`` (as the paper
            writes it) or ``'confusion'`` (the head learns by CE, the feature is pulled to a uniform
            guess). Defaults to ``'bce'``.
        per_subject (bool): Divide ``'ce'`` and ``'confusion'`` by S, so that one lambda compares
            with that of the BCE forms, which are a mean over samples *and* subjects. Defaults to
            False.
        fit (str): ``'gradient'``: the optimiser trains the head. ``'closed_form'``: before each
            update it is replaced by the linear discriminant of the bank, so that it is the best of
            its kind for the recent features and cannot fall behind; this needs ``'ce'`` or
            ``'confusion'``, no hidden layers, and a bank. Defaults to ``'gradient'``.
        bank (int): Number of recent frames whose features are kept (:class:`FeatureBank`), for
            ``fit='closed_form'`` and for :class:`~fmae_iat_plugin.engine.HeadStepsHook`. Defaults
            to 0: none.
        shrinkage (float): Of the discriminant's covariance, within (0, 1]. Defaults to 0.1.
        init_cfg (dict, optional): Defaults to None: PyTorch's initialisation.

    Raises:
        ValueError: If an argument is another, or arguments do not fit each other.
    """

    def __init__(self,
                 in_channels: int,
                 num_subjects: Optional[int] = None,
                 hidden_dims: Sequence[int] = (),
                 loss: str = 'bce',
                 per_subject: bool = False,
                 fit: str = 'gradient',
                 bank: int = 0,
                 shrinkage: float = 0.1,
                 init_cfg: Optional[dict] = None):
        super().__init__(init_cfg=init_cfg)
        _check(loss, per_subject, fit, bank, shrinkage, hidden_dims)
        self.num_subjects, self.loss_type = num_subjects, loss
        self.per_subject, self.fit, self.shrinkage = per_subject, fit, shrinkage
        hidden, width = [], in_channels
        for dim in hidden_dims:
            hidden += [nn.Linear(width, dim), nn.GELU()]
            width = dim
        self.hidden = nn.Sequential(*hidden)
        self.fc = None if num_subjects is None else nn.Linear(width, num_subjects)
        self.bank = FeatureBank(bank, in_channels) if bank else None
        if fit == 'closed_form' and self.fc is not None:
            self.fc.requires_grad_(False)
            nn.init.zeros_(self.fc.weight)  # says nothing until the bank holds something
            nn.init.zeros_(self.fc.bias)

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
        return torch.tensor(subjects).to(device, non_blocking=True)

    def loss(self, feats: Tuple[torch.Tensor],
             data_samples: List[DataSample]) -> Dict[str, torch.Tensor]:
        """``loss_id``, over the samples whose subject is known: what the head minimises.

        ``'bce'`` and ``'bce_centred'``: mean over (samples x S) of the binary cross entropy against
        the one-hot subject. ``'ce'`` and ``'confusion'``: mean over the samples of the softmax
        cross entropy, with ``per_subject`` divided by S. The gradient that goes on to the feature
        is that of :func:`~fmae_iat_plugin.models.losses.feature_gradient`, averaged likewise.
        """
        subject = self.targets(data_samples, feats[-1].device)
        if self.bank is not None and self.training:
            if self.fit == 'closed_form':
                self.refit()
            self.bank.push(feats[-1], subject)
        known = subject >= 0
        subject = subject.clamp(min=0)
        if self.loss_type in ('bce', 'ce'):
            loss = self._mean(self.head_loss(self(feats), subject), known)
            return dict(loss_id=loss)
        # the head learns from the feature as it is; the feature sees the head as it is
        logits = self((feats[-1].detach(), ))
        frozen = {name: value.detach() for name, value in self.named_parameters()}
        towards = functional_call(self, frozen, ((feats[-1], ), ))
        if self.loss_type == 'bce_centred':
            logits = logits + without_common(towards - towards.detach())  # adds 0
            return dict(loss_id=self._mean(self.head_loss(logits, subject), known))
        pull = self._mean(confusion_loss(towards), known)
        loss = self._mean(self.head_loss(logits, subject), known)
        return dict(loss_id=loss - (pull - pull.detach()))

    def _mean(self, values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        mask = known if values.ndim == 1 else known[:, None].expand_as(values)
        return masked_mean(values, mask) / self.divisor

    @property
    def divisor(self) -> int:
        """What the mean is divided by: S with ``per_subject``, else 1."""
        return (self.num_subjects or 1) if self.per_subject else 1

    def head_loss(self, logits: torch.Tensor, subject: torch.Tensor) -> torch.Tensor:
        """See :func:`~fmae_iat_plugin.models.losses.identity_losses.head_loss`."""
        return head_loss(logits, subject, self.loss_type)

    def common_share(self, logits: torch.Tensor, subject: torch.Tensor) -> float:
        """Share, in 0..1, of the squared gradient on the logits towards the feature that lies along
        (1, ..., 1), the direction that says nothing about anybody.

        Args:
            logits: ``[N, S]``.
            subject: ``[N]`` in 0..S-1.
        """
        gradient = feature_gradient(logits.double(), subject, self.loss_type)
        along = gradient.sum(1).square().sum() / gradient.shape[1]
        return (along / gradient.square().sum().clamp(min=torch.finfo(torch.float64).tiny)).item()

    def guessing_losses(self, counts: torch.Tensor) -> Tuple[float, float]:
        """See :func:`~fmae_iat_plugin.models.losses.guessing_losses`; in units of ``loss_id``."""
        floor, ceiling = guessing_losses(counts, self.loss_type)
        return floor / self.divisor, ceiling / self.divisor

    @torch.no_grad()
    def refit(self) -> None:
        """Replace the layer by the linear discriminant of the bank, if that holds two frames of a
        person on average: with fewer it does not know how frames of one person differ."""
        rows, subjects = self.bank.content()
        if len(rows) >= 2 * max(1, len(subjects.unique())):
            weight, bias = discriminant(rows, subjects, self.num_subjects, self.shrinkage)
            self.fc.weight.copy_(weight)
            self.fc.bias.copy_(bias)


def _check(loss, per_subject, fit, bank, shrinkage, hidden_dims) -> None:
    """Raises ValueError if arguments of :class:`LinearIdentityHead` are unknown or do not fit."""
    if loss not in FORMS:
        raise ValueError(f"loss {loss!r} is neither 'bce' (binary cross entropy against the "
                         "one-hot identity), 'bce_centred', 'ce' (softmax cross entropy) nor "
                         "'confusion'.")
    if per_subject and loss.startswith('bce'):
        raise ValueError(f'per_subject=True with loss={loss!r}: this loss is a mean over subjects '
                         "already. Remedy: leave it out, or loss='ce'.")
    if fit not in ('gradient', 'closed_form'):
        raise ValueError(f"fit {fit!r} is neither 'gradient' nor 'closed_form'.")
    if not 0 < shrinkage <= 1:
        raise ValueError(f'shrinkage is {shrinkage}. Remedy: a share within (0, 1].')
    if fit == 'closed_form' and (not bank or hidden_dims or loss.startswith('bce')):
        raise ValueError(f"fit='closed_form' with loss={loss!r}, bank={bank}, hidden_dims="
                         f'{tuple(hidden_dims)}. Remedy: the discriminant is a softmax layer on '
                         "recent features: loss='ce' or 'confusion', bank=1024, no hidden_dims.")
