# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The features of recent batches, and a linear classifier fitted to them in closed form."""

from typing import Tuple

import torch
from mmengine.dist import all_gather, get_world_size
from torch import nn


class FeatureBank(nn.Module):
    """The last ``size`` features of all ranks with their subjects, the same on every rank.

    It is no weight: ``SafeCheckpointHook`` keeps it for a resumed run, beside the weights.

    Args:
        size (int): Number of frames, at least 1; a multiple of the total batch makes the content
            independent of the number of ranks.
        width (int): Width D of a feature.

    Raises:
        ValueError: If ``size`` is below 1.
    """

    def __init__(self, size: int, width: int):
        super().__init__()
        if size < 1:
            raise ValueError(f'bank is {size}. Remedy: the number of recent frames to keep, at '
                             'least 1, such as 1024.')
        self.size = size
        self.register_buffer('rows', torch.zeros(size, width), persistent=False)
        self.register_buffer('subjects', torch.full((size, ), -1), persistent=False)
        self.place = 0

    @torch.no_grad()
    def push(self, feats: torch.Tensor, subject: torch.Tensor) -> None:
        """Add a batch ``[N, D]`` with its subjects ``[N]`` (-1 = unknown, left out), and those of
        the other ranks; the oldest make room."""
        feats, subject = _of_all_ranks(feats.detach().float(), subject)
        feats, subject = (part[subject >= 0][-self.size:] for part in (feats, subject))
        places = (self.place + torch.arange(len(subject), device=subject.device)) % self.size
        self.rows[places], self.subjects[places] = feats, subject
        self.place = (self.place + len(subject)) % self.size

    def resume_state(self) -> dict:
        """What a resumed run needs."""
        return dict(rows=self.rows.cpu().clone(), subjects=self.subjects.cpu().clone(),
                    place=self.place)

    @torch.no_grad()
    def load_resume_state(self, state: dict) -> None:
        """Hold what another bank of the same size held; one of another size stays empty."""
        if state['rows'].shape == self.rows.shape:
            self.rows.copy_(state['rows'])
            self.subjects.copy_(state['subjects'])
            self.place = state['place']

    def content(self) -> Tuple[torch.Tensor, torch.Tensor]:
        """Features ``[M, D]`` and subjects ``[M]`` of the M <= size frames that it holds."""
        held = self.subjects >= 0
        return self.rows[held], self.subjects[held]

    def draw(self, number: int, seed: int) -> Tuple[torch.Tensor, torch.Tensor]:
        """``number`` of its frames, drawn with replacement; a function of content and seed."""
        rows, subjects = self.content()
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randint(len(rows), (number, ), generator=generator).to(rows.device)
        return rows[chosen], subjects[chosen]


def _of_all_ranks(feats: torch.Tensor, subject: torch.Tensor) -> tuple:
    """Joined; the ranks take turns, as MMEngine's samplers deal a batch out to them, so that the
    order is that of one rank. Their batches may differ in size."""
    if get_world_size() == 1:
        return feats, subject
    sizes = [int(n) for n in all_gather(torch.tensor([len(subject)], device=subject.device))]
    padding = max(sizes) - len(subject)
    feats = all_gather(torch.cat([feats, feats.new_zeros(padding, feats.shape[1])]))
    subject = all_gather(torch.cat([subject, subject.new_full((padding, ), -1)]))
    turns = torch.stack([torch.arange(max(sizes)) < size for size in sizes], 1).flatten()
    return (torch.stack(feats, 1).flatten(0, 1)[turns.to(subject[0].device)],
            torch.stack(subject, 1).flatten()[turns.to(subject[0].device)])


def discriminant(rows: torch.Tensor, subjects: torch.Tensor, number: int,
                 shrinkage: float = 0.1) -> Tuple[torch.Tensor, torch.Tensor]:
    """Linear discriminant analysis: the softmax classifier of Gaussians with one covariance.

    With the mean ``m_k`` and the share ``q_k`` of each subject, and the covariance ``C`` within
    subjects, shrunk as ``(1 - s) C + s tr(C) / D I``::

        weight_k = C^-1 m_k        bias_k = log q_k - m_k C^-1 m_k / 2

    Source: Hastie et al., "The Elements of Statistical Learning", section 4.3; the shrinkage is
    that of scikit-learn's ``LinearDiscriminantAnalysis(solver='lsqr')``.

    Args:
        rows: ``[M, D]``.
        subjects: ``[M]`` in 0..number-1. A subject without a row gets the mean of all rows and the
            share of half a row: it is not told from the others, and seldom guessed.
        number: S.
        shrinkage: s in (0, 1].

    Returns:
        tuple: Weight ``[S, D]`` and bias ``[S]``, of the dtype of ``rows``.
    """
    x, dtype = rows.double(), rows.dtype
    count = torch.bincount(subjects, minlength=number).double()
    total = x.new_zeros(number, x.shape[1]).index_add_(0, subjects, x)
    means = torch.where(count[:, None] > 0, total / count.clamp(min=1)[:, None], x.mean(0))
    inside = x - means[subjects]
    covariance = inside.T @ inside / len(x)
    even = covariance.diagonal().mean() * torch.eye(len(covariance), dtype=x.dtype, device=x.device)
    covariance = (1 - shrinkage) * covariance + shrinkage * even
    # a feature that does not vary has no covariance to invert
    floor = torch.finfo(torch.float32).eps * torch.eye(len(covariance), dtype=x.dtype,
                                                       device=x.device)
    weight = torch.linalg.solve(covariance + floor, means.T).T
    share = torch.where(count > 0, count, 0.5) / len(x)
    bias = share.log() - (means * weight).sum(1) / 2
    return weight.to(dtype), bias.to(dtype)
