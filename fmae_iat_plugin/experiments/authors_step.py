# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The training step of the FMAE authors, rebuilt from library calls, to be timed beside ours.

Their network is timm's of the time of MAE: attention as two matrix products and a softmax. Their
step is MAE's: fp16 autocast with a scaled loss, norm of all gradients, AdamW, a loss read by the
host, and a wait for the device at each step. Images come cropped and normalised, float32, from
their workers. Names of weights are those of their checkpoints.

Source: He et al., 2022 (arXiv 2111.06377); the facts of the released FMAE code.
"""

from typing import Iterator, List, Optional, Tuple

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head attention, eager."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.scale = heads, (width // heads)**-.5
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(
            2, 0, 3, 1, 4).unbind(0)
        attention = (q @ k.transpose(-2, -1) * self.scale).softmax(dim=-1)
        return self.proj((attention @ v).transpose(1, 2).reshape(batch, tokens, width))


class MLP(nn.Module):
    """Two layers, the hidden one four times as wide."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm transformer block with stochastic depth."""

    def __init__(self, width: int, heads: int, hidden: int, drop_path: float = 0.):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn, self.mlp = Attention(width, heads), MLP(width, hidden)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    """Patches to tokens."""

    def __init__(self, patch: int, width: int):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


def _blocks(like: nn.ModuleList, rates: Optional[List[float]] = None) -> nn.ModuleList:
    """As many and as large as MMPretrain's."""
    return nn.ModuleList(
        Block(block.embed_dims, block.attn.num_heads, block.ffn.feedforward_channels, rate)
        for block, rate in zip(like, rates or [0.] * len(like)))


class Encoder(nn.Module):
    """What MAE and the classifier have in common.

    Args:
        like: MMPretrain's backbone of the same size.
    """

    def __init__(self, like: nn.Module):
        super().__init__()
        width = like.embed_dims
        kernel = like.patch_embed.projection.kernel_size[0]
        self.patch = kernel
        self.patch_embed = PatchEmbed(kernel, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(like.pos_embed.shape))


class AuthorsMAE(Encoder):
    """MAE with pixels normalised in each patch.

    Args:
        ours: MMPretrain's ``MAE`` of the same size.
    """

    def __init__(self, ours: nn.Module):
        super().__init__(ours.backbone)
        encoder, decoder = ours.backbone, ours.neck
        width, narrow = encoder.embed_dims, decoder.decoder_embed.out_features
        self.mask_ratio = encoder.mask_ratio
        self.pos_embed.requires_grad = False
        self.blocks, self.norm = _blocks(encoder.layers), nn.LayerNorm(width, eps=1e-6)
        self.decoder_embed = nn.Linear(width, narrow)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, narrow))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(decoder.decoder_pos_embed.shape), False)
        self.decoder_blocks = _blocks(decoder.decoder_blocks)
        self.decoder_norm = nn.LayerNorm(narrow, eps=1e-6)
        self.decoder_pred = nn.Linear(narrow, self.patch**2 * 3)

    def _hide(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        batch, tokens, width = x.shape
        keep = int(tokens * (1 - self.mask_ratio))
        order = torch.rand(batch, tokens, device=x.device).argsort(dim=1)
        back = order.argsort(dim=1)
        seen = x.gather(1, order[:, :keep, None].repeat(1, 1, width))
        mask = torch.ones(batch, tokens, device=x.device)
        mask[:, :keep] = 0
        return seen, mask.gather(1, back), back

    def _target(self, images: Tensor) -> Tensor:
        batch, side = len(images), images.shape[2] // self.patch
        pixels = images.reshape(batch, 3, side, self.patch, side, self.patch)
        pixels = torch.einsum('nchpwq->nhwpqc', pixels).reshape(batch, side**2, -1)
        mean, var = pixels.mean(dim=-1, keepdim=True), pixels.var(dim=-1, keepdim=True)
        return (pixels - mean) / (var + 1e-6)**.5

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images ``[N, 3, H, W]`` to the loss."""
        x = self.patch_embed(images) + self.pos_embed[:, 1:]
        x, mask, back = self._hide(x)
        cls_token = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        x = torch.cat((cls_token, x), dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.decoder_embed(self.norm(x))
        hidden = self.mask_token.repeat(len(x), back.shape[1] + 1 - x.shape[1], 1)
        patches = torch.cat([x[:, 1:], hidden], dim=1)
        patches = patches.gather(1, back[..., None].repeat(1, 1, x.shape[2]))
        x = torch.cat([x[:, :1], patches], dim=1) + self.decoder_pos_embed
        for block in self.decoder_blocks:
            x = block(x)
        x = self.decoder_pred(self.decoder_norm(x))[:, 1:]
        loss = ((x - self._target(images))**2).mean(dim=-1)
        return (loss * mask).sum() / mask.sum()


class _Reverse(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, scale):
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.scale * grad, None


class AuthorsClassifier(Encoder):
    """AUs and, against it, identities: both losses are binary cross entropies.

    Args:
        ours: Our ``AUClassifier`` of the same size, with an adversary.
    """

    def __init__(self, ours: nn.Module):
        super().__init__(ours.backbone)
        width, depth = ours.backbone.embed_dims, len(ours.backbone.layers)
        highest = getattr(ours.backbone.layers[-1].attn.out_drop, 'drop_prob', 0.)
        rates = torch.linspace(0, float(highest), depth, device='cpu').tolist()
        self.blocks = _blocks(ours.backbone.layers, rates)
        self.fc_norm = nn.LayerNorm(width, eps=ours.backbone.ln2.eps)
        self.head = nn.Linear(width, ours.head.fc.out_features)
        self.subjects = ours.adversary['head'].fc.out_features
        self.ID_head = nn.Linear(width, self.subjects)
        self.scale = float(ours.adversary['neck'].scale)

    def forward(self, images: Tensor, targets: Tensor, subjects: Tensor) -> Tensor:
        """Images ``[N, 3, H, W]``, AUs ``[N, C]`` and subjects ``[N]`` to the loss."""
        x = self.patch_embed(images)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        feature = self.fc_norm(x[:, 1:].mean(dim=1))
        identity = F.one_hot(subjects, self.subjects).float()
        return (F.binary_cross_entropy_with_logits(self.head(feature), targets)
                + F.binary_cross_entropy_with_logits(
                    self.ID_head(_Reverse.apply(feature, self.scale)), identity))


def parameter_groups(model: nn.Module, lr: float, weight_decay: float,
                     layer_decay: float) -> List[dict]:
    """One group for each layer and decay, as MAE's fine-tuning makes them; two without decay."""
    depth = len(model.blocks) + 1
    undecayed = () if layer_decay == 1 else ('cls_token', 'pos_embed')
    groups: dict = {}
    for name, value in model.named_parameters():
        if not value.requires_grad:
            continue
        layer = depth
        if name in ('cls_token', 'pos_embed') or name.startswith('patch_embed'):
            layer = 0
        elif name.startswith('blocks.'):
            layer = int(name.split('.')[1]) + 1
        scale = layer_decay**(depth - layer)
        decay = 0. if value.ndim <= 1 or name in undecayed else weight_decay
        group = groups.setdefault((scale, decay), dict(params=[], lr=lr * scale,
                                                       weight_decay=decay))
        group['params'].append(value)
    return list(groups.values())


class AuthorsStep:
    """A training step as MAE's engine makes it.

    Args:
        model: One of the above, on its device.
        optimizer (dict): ``lr``, ``betas`` and ``weight_decay`` of AdamW.
        layer_decay: Factor of the learning rate from a layer to the one below.
        batch: On the host: images (float32) first, then what else the model takes.
        foreach: Whether AdamW treats the tensors of a group together. None: PyTorch's default.
    """

    def __init__(self, model: nn.Module, optimizer: dict, layer_decay: float,
                 batch: Tuple[Tensor, ...], foreach: Optional[bool] = None):
        self.model, self.batch = model.train(), batch
        self.device = next(model.parameters()).device
        self.amp = self.device.type == 'cuda'
        self.optimizer = torch.optim.AdamW(
            parameter_groups(model, optimizer['lr'], optimizer['weight_decay'], layer_decay),
            lr=optimizer['lr'], betas=tuple(optimizer['betas']), foreach=foreach)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp)

    def loss(self, *batch: Tensor) -> Tensor:
        """In the precision of the training."""
        with torch.autocast(self.device.type, torch.float16, enabled=self.amp):
            return self.model(*batch)

    def _gradients(self) -> Iterator[Tensor]:
        return (value.grad for value in self.model.parameters() if value.grad is not None)

    def __call__(self) -> None:
        batch = [value.to(self.device, non_blocking=True) for value in self.batch]
        loss = self.loss(*batch)
        loss.item()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        torch.norm(torch.stack([torch.norm(value.detach()) for value in self._gradients()]))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
        if self.device.type == 'cuda':
            torch.cuda.synchronize()
