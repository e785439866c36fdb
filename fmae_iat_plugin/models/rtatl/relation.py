# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""AU regional features and AU relation embedding: one token for each action unit.

::

    region = RoIAlign(feature map)                    # [N, A, 2 sides, D, P, P]
    token  = Linear(region) + AU embedding            # [N, A, E]
    token  = TransformerEncoder(token)                # each action unit looks at the others

Source: the abstract of RTATL (arXiv 2107.14399) names AU regional features and AU relation
embedding learned by a transformer; sizes, depth and the kind of embedding are our choice.
"""

from typing import List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.model import BaseModule, ModuleList
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from fmae_iat_plugin.action_units import parse_au
from fmae_iat_plugin.datasets.mean_shape import MEAN_SHAPE

from .pooling import pool_boxes, pool_fixed
from .regions import SHARE, boxes, inner_eye_distance, rules_of

MODES = ('mean', 'landmarks')


@MODELS.register_module()
class AURelationNeck(BaseModule):
    """Feature map to AU tokens and one global feature.

    Args:
        in_channels (int): Channels D of the backbone's last feature map.
        aus (Sequence[int]): The A action units, in the order of the data set.
        embed_dims (int): Width E of a token.
        depth (int): Layers of the transformer encoder. Defaults to 2.
        num_heads (int): Heads of each layer. Defaults to 4.
        roi_size (int): Side P of the grid in a region. Defaults to 3.
        regions (str): ``'mean'``: every image has the regions of the mean shape, so no image needs
            landmarks. ``'landmarks'``: images whose landmarks are given have regions of their own;
            the others, as in ``tools/predict.py``, have those of the mean shape. Defaults to
            ``'mean'``.
        share (float): Side of a region, as a part of the image, on the mean shape.
        init_cfg (dict, optional): Defaults to None: PyTorch's initialisation; the embedding of the
            action units is drawn from a normal distribution of std 0.02.

    Raises:
        ValueError: On another ``regions``, a ``share`` outside (0, 1), or an action unit without
            a region.
    """

    def __init__(self,
                 in_channels: int,
                 aus: Sequence[int],
                 embed_dims: int = 256,
                 depth: int = 2,
                 num_heads: int = 4,
                 roi_size: int = 3,
                 regions: str = 'mean',
                 share: float = SHARE,
                 init_cfg: Optional[dict] = None):
        super().__init__(init_cfg=init_cfg)
        if regions not in MODES:
            raise ValueError(f'regions {regions!r} is none of {", ".join(MODES)}.')
        if not 0 < share < 1:
            raise ValueError(f'share is {share}. Remedy: a part of the image within (0, 1), such '
                             f'as {SHARE}.')
        self.aus = tuple(parse_au(au) for au in aus)
        rules_of(self.aus)
        self.in_channels, self.embed_dims, self.roi_size = in_channels, embed_dims, roi_size
        self.regions, self.share = regions, share
        # part of the checkpoint: the faces of another data set are cropped otherwise
        self.register_buffer('mean_shape', torch.tensor(MEAN_SHAPE))
        self.norm = nn.LayerNorm(in_channels, eps=1e-6)
        self.global_norm = nn.LayerNorm(in_channels, eps=1e-6)
        self.embed = nn.Linear(2 * in_channels * roi_size**2, embed_dims)
        self.au_embedding = nn.Parameter(torch.zeros(len(self.aus), embed_dims))
        self.layers = ModuleList(
            TransformerEncoderLayer(embed_dims, num_heads, 2 * embed_dims) for _ in range(depth))
        self.final_norm = nn.LayerNorm(embed_dims, eps=1e-6)

    def init_weights(self) -> None:
        super().init_weights()
        nn.init.trunc_normal_(self.au_embedding, std=0.02)

    def set_mean_shape(self, shape) -> None:
        """Take another mean shape, ``[68, 2]`` fractions of the image.

        Raises:
            ValueError: If it is not of that shape or not finite.
        """
        shape = np.asarray(shape, dtype=np.float32)
        if shape.shape != (68, 2) or not np.isfinite(shape).all():
            raise ValueError(f'a mean shape of {shape.shape} values was given. Remedy: 68 finite '
                             'points (x, y) in fractions of the image.')
        self.mean_shape.copy_(torch.from_numpy(shape))

    def mean_boxes(self) -> Tensor:
        """Regions of the mean shape, ``[A, 2, 4]`` in fractions of the image."""
        nominal = inner_eye_distance(self.mean_shape)
        return boxes(self.mean_shape[None], self.aus, nominal, self.share)[0]

    def boxes(self, landmarks: Optional[Tensor], number: int) -> Tensor:
        """Regions of each image, ``[N, A, 2, 4]``; those of the mean shape without landmarks.

        Args:
            landmarks: ``[N, 68, 2]`` in fractions of the image, or None.
            number: N.
        """
        if landmarks is None or self.regions == 'mean':
            return self.mean_boxes()[None].expand(number, -1, -1, -1)
        nominal = inner_eye_distance(self.mean_shape)
        return boxes(landmarks, self.aus, nominal, self.share)

    def forward(self, feats: Tuple[Tensor, ...],
                landmarks: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Tokens and global feature.

        Args:
            feats: The last is the feature map, ``[N, D, h, w]``.
            landmarks: ``[N, 68, 2]`` in fractions of the image, or None.

        Returns:
            tuple: AU tokens ``[N, A, E]``, and last, as necks give it, the global feature
            ``[N, D]``: the mean over the map, normalised.
        """
        maps = feats[-1]
        pooled = self.global_norm(maps.mean(dim=(2, 3)))
        maps = self.norm(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        number, parts = maps.shape[0], len(self.aus)  # len(maps) would fix the number in a graph
        if landmarks is None or self.regions == 'mean':
            rois = pool_fixed(maps, self.mean_boxes().flatten(0, 1), self.roi_size)
        else:
            rois = pool_boxes(maps, self.boxes(landmarks, number).flatten(1, 2), self.roi_size)
        tokens = self.embed(rois.reshape(number, parts, -1)) + self.au_embedding
        for layer in self.layers:
            tokens = layer(tokens)
        return self.final_norm(tokens), pooled

    @torch.no_grad()
    def attention(self, feats: Tuple[Tensor, ...],
                  landmarks: Optional[Tensor] = None) -> Tensor:
        """How much action unit i looks at action unit j: mean over heads and layers.

        Returns:
            Tensor: ``[N, A, A]``; each row sums to 1.
        """
        seen: List[Tensor] = []

        def keep(module, args) -> None:
            tokens = args[0]
            number, parts, width = tokens.shape
            qkv = module.qkv(tokens).reshape(number, parts, 3, module.num_heads, -1)
            query, key, _ = qkv.permute(2, 0, 3, 1, 4)
            scores = query @ key.transpose(-1, -2) * query.shape[-1]**-0.5
            seen.append(scores.softmax(dim=-1).mean(dim=1))

        hooks = [layer.attn.register_forward_pre_hook(keep) for layer in self.layers]
        try:
            self(feats, landmarks)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.stack(seen).mean(dim=0)
