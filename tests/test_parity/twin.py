# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""FMAE and FMAE-IAT written a second time, in plain PyTorch and after the paper alone.

Nothing of the plugin, MMPretrain or MMEngine is imported. Sources: "Representation Learning and
Identity Adversarial Training for Facial Behavior Understanding"; for the recipe (layer decay,
schedule, weight decay) MAE, He et al., 2022, appendix A.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Pre-norm transformer block; ``x: [N, L, D]``."""

    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def attend(self, x):
        n, length, width = x.shape
        q, k, v = (part.reshape(n, length, self.heads, -1).transpose(1, 2)
                   for part in self.qkv(x).chunk(3, dim=-1))
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, length, width))

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Twin(nn.Module):
    """ViT -> mean of the patch tokens -> LayerNorm -> AU head, and the identity head."""

    def __init__(self, image=48, patch=12, width=32, depth=3, heads=4, hidden=64, aus=5, people=6):
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.pos = nn.Parameter(torch.zeros(1, 1 + (image // patch)**2, width))
        self.blocks = nn.ModuleList(Block(width, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.au, self.identity = nn.Linear(width, aus), nn.Linear(width, people)

    def feature(self, images):
        """``[N, 3, H, W]`` -> ``[N, D]``."""
        tokens = self.patch(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(images), -1, -1), tokens], dim=1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 1:].mean(dim=1))

    def losses(self, images, labels, people, lam):
        """AU loss and identity loss; ``lam`` None: plain FMAE, whose identity loss is 0."""
        feature = self.feature(images)
        loss_au = au_loss(self.au(feature), labels)
        if lam is None:
            return loss_au, torch.zeros(())
        # value: feature; gradient: -lam
        turned = -lam * feature + (feature + lam * feature).detach()
        return loss_au, id_loss(self.identity(turned), people)

    def layer(self, name):
        """0 for tokens, positions and patches, i + 1 for block i, the last for norm and heads."""
        part = name.split('.')
        if part[0] in ('patch', 'cls', 'pos'):
            return 0
        return int(part[1]) + 1 if part[0] == 'blocks' else len(self.blocks) + 1


def au_loss(logits, labels):
    """Binary cross entropy, mean over the coded cells; 0 without any. ``[N, C]`` both."""
    p = torch.sigmoid(logits)
    coded = ~torch.isnan(labels)
    if not coded.any():
        return 0 * logits.sum()
    p, y = p[coded], labels[coded].to(p)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


def id_loss(logits, people):
    """BCE against the one-hot identity, mean over known samples x people; ``[N, S]``, ``[N]``."""
    known = people >= 0
    if not known.any():
        return 0 * logits.sum()
    one_hot = torch.eye(logits.shape[1])[people[known]]
    return au_loss(logits[known], one_hot)


def rate(step, per_epoch, warmup, epochs, peak, scale, floor=1e-6):
    """Learning rate at iteration ``step`` >= 0: linear warm-up, then cosine, times ``scale``."""
    epoch = step / per_epoch
    if epoch < warmup:
        return scale * peak * epoch / warmup
    progress = (epoch - warmup) / (epochs - warmup)
    return scale * (floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * progress)))


def train(model, batches, lam, peak, per_epoch, warmup, epochs, decay=0.65):
    """Train on ``batches`` in order, with one parameter group a tensor.

    Args:
        model: A :class:`Twin`; trained in place.
        batches: List of (images, labels, people).
        lam: lambda, or None for plain FMAE.
        peak, per_epoch, warmup, epochs: See :func:`rate`.
        decay: Layer-wise decay of the learning rate.

    Returns:
        list[dict]: For each step ``loss_au``, ``loss_id`` and ``rates`` by parameter.
    """
    named = {name: value for name, value in model.named_parameters()
             if lam is not None or not name.startswith('identity.')}
    scales = {name: decay**(len(model.blocks) + 1 - model.layer(name)) for name in named}
    optimizer = torch.optim.AdamW(
        [{'params': [value],
          'weight_decay': 0. if value.ndim == 1 or name in ('cls', 'pos') else 0.05}
         for name, value in named.items()], lr=peak, betas=(0.9, 0.999))
    steps = []
    for step, batch in enumerate(batches):
        rates = {name: rate(step, per_epoch, warmup, epochs, peak, scales[name]) for name in named}
        for group, value in zip(optimizer.param_groups, rates.values(), strict=True):
            group['lr'] = value
        loss_au, loss_id = model.losses(*batch, lam)
        optimizer.zero_grad()
        (loss_au + loss_id).backward()
        optimizer.step()
        steps.append({'loss_au': loss_au.item(), 'loss_id': loss_id.item(), 'rates': rates})
    return steps
