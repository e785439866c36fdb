# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RoI inpainting: AU patches are cut out of the image and recovered from the AU tokens.

::

    cut       = image without the regions of some action units       # filled with the mean colour
    tokens    = relation(RoIAlign(backbone(cut)))                    # [N, A, E]
    recovered = colour around the region + decoder(tokens)           # [N, A, 2 sides, 3, P, P]
    loss      = mean((recovered - RoIAlign(image))**2)               # removed regions only

A token can know what was there only from its surroundings and from the other action units, so the
task trains the regional features and the relation between them. It needs no label. Source: the
abstract of RTATL (arXiv 2107.14399); the decoder, the share that is removed and the loss are our
choice. The colour around a region (the mean of the pixels that remain in a box of twice its side)
leaves the shape of the face to the decoder, and does not make it learn everybody's skin.
"""

import zlib
from typing import Dict, List, NamedTuple, Optional

import numpy as np
import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from ..losses import masked_mean
from .pooling import pool_boxes
from .regions import cover

_AROUND = 12  # side of the grid of points in which the colour around a region is taken


class Cut(NamedTuple):
    """Images without some of their AU regions.

    Attributes:
        images (Tensor): ``[N, 3, H, W]``, 0 (the mean colour) in the removed pixels.
        removed (Tensor): Bool ``[N, A]``, whose regions were removed.
        mask (Tensor): Bool ``[N, H, W]``, the removed pixels.
    """

    images: Tensor
    removed: Tensor
    mask: Tensor


def draw_removed(data_samples: List[DataSample], aus: int, share: float, seed: int,
                 iteration: int) -> np.ndarray:
    """Which action units lose their regions: a fixed number of each image, at random.

    The draw depends on the seed, the iteration and the image alone. It is therefore the same on
    one process and on many, and after a resume.

    Args:
        data_samples: N samples; ``img_path`` tells them apart, else their place in the batch.
        aus: A.
        share: Part of the A action units that is removed, at least one of them.
        seed, iteration: Of the draw.

    Returns:
        np.ndarray: Bool ``[N, A]``.
    """
    number = max(1, round(share * aus))
    removed = np.zeros((len(data_samples), aus), dtype=bool)
    for row, sample in enumerate(data_samples):
        name = zlib.crc32(str(sample.get('img_path', row)).encode('utf-8', 'surrogateescape'))
        rng = np.random.default_rng([seed, iteration, name])
        removed[row, rng.permutation(aus)[:number]] = True
    return removed


def cut_regions(images: Tensor, regions: Tensor, removed: Tensor) -> Cut:
    """Remove regions from images.

    Args:
        images: ``[N, 3, H, W]``, normalised.
        regions: ``[N, A, 2, 4]`` boxes in fractions of the image.
        removed: Bool ``[N, A]``.
    """
    covered = cover(regions, *images.shape[-2:])  # [N, A, 2, H, W]
    mask = (covered & removed[:, :, None, None, None]).flatten(1, 2).any(dim=1)
    return Cut(images.masked_fill(mask[:, None], 0.), removed, mask)


@torch.no_grad()
def surroundings(cut: Cut, regions: Tensor) -> Tensor:
    """Mean colour around each region: of the remaining pixels in a box of twice its side.

    Args:
        cut: Images without some regions.
        regions: ``[N, A, 2, 4]`` boxes in fractions of the image.

    Returns:
        Tensor: ``[N, A, 2, 3]``; the mean colour of the data set (0) where nothing remains.
    """
    middle = (regions[..., :2] + regions[..., 2:]) / 2
    side = regions[..., 2:] - regions[..., :2]
    wide = torch.cat([middle - side, middle + side], dim=-1)
    seen = (~cut.mask[:, None]).to(cut.images)
    pooled = pool_boxes(torch.cat([cut.images, seen], dim=1), wide.flatten(1, 2), _AROUND)
    sums = pooled.sum(dim=(-2, -1)).unflatten(1, regions.shape[1:3])
    return sums[..., :3] / sums[..., 3:].clamp(min=1e-6)


@MODELS.register_module()
class RoIInpainting(BaseModule):
    """Decoder and loss of RoI inpainting; exists in training only.

    Args:
        embed_dims (int): Width E of an AU token.
        patch_size (int): Side P of a recovered patch in pixels. Defaults to 16.
        hidden_dims (int): Width of the decoder's hidden layer. Defaults to 512.
        share (float): Part of the action units whose regions are removed. Defaults to 0.25.
        weight (float): Of the loss. Defaults to 1.
        seed (int): Of the draw of what is removed.
        init_cfg (dict, optional): Defaults to None: PyTorch's initialisation.

    Raises:
        ValueError: If ``share`` is not within (0, 1], or ``weight`` is negative.
    """

    def __init__(self, embed_dims: int, patch_size: int = 16, hidden_dims: int = 512,
                 share: float = 0.25, weight: float = 1., seed: int = 0,
                 init_cfg: Optional[dict] = None):
        super().__init__(init_cfg=init_cfg)
        if not 0 < share <= 1:
            raise ValueError(f'share is {share}. Remedy: the part of the action units whose '
                             'regions are removed, within (0, 1].')
        if not weight >= 0:
            raise ValueError(f'the weight of the inpainting loss is {weight}. Remedy: 0 or more.')
        self.patch_size, self.share, self.weight, self.seed = patch_size, share, weight, seed
        self.decoder = nn.Sequential(
            nn.Linear(embed_dims, hidden_dims), nn.GELU(),
            nn.Linear(hidden_dims, 2 * 3 * patch_size**2))

    def cut(self, images: Tensor, regions: Tensor, data_samples: List[DataSample]) -> Cut:
        """Draw what is removed in this iteration, and remove it; see :func:`cut_regions`."""
        iteration = MessageHub.get_current_instance().get_info('iter', 0)
        removed = draw_removed(data_samples, regions.shape[1], self.share, self.seed, iteration)
        return cut_regions(images, regions, torch.from_numpy(removed).to(images.device))

    def forward(self, tokens: Tensor, cut: Cut, regions: Tensor) -> Tensor:
        """Recovered patches ``[N, A, 2, 3, P, P]``, in units of the normalised image.

        Args:
            tokens: ``[N, A, E]`` of the cut images.
            cut: These images.
            regions: ``[N, A, 2, 4]`` boxes in fractions of the image.
        """
        side = self.patch_size
        shape = self.decoder(tokens).unflatten(-1, (2, 3, side, side))
        return shape + surroundings(cut, regions)[..., None, None]

    def target(self, images: Tensor, regions: Tensor) -> Tensor:
        """The patches of the intact images, ``[N, A, 2, 3, P, P]``."""
        number, aus = regions.shape[:2]
        patches = pool_boxes(images, regions.flatten(1, 2), self.patch_size)
        return patches.unflatten(1, (aus, 2)).detach()

    def loss(self, tokens: Tensor, images: Tensor, regions: Tensor,
             cut: Cut) -> Dict[str, Tensor]:
        """``loss_inpainting``: mean squared error over the pixels of the removed patches.

        Args:
            tokens: ``[N, A, E]`` of the cut images.
            images: ``[N, 3, H, W]``, intact.
            regions: ``[N, A, 2, 4]``.
            cut: What was removed from them.
        """
        found = self(tokens, cut, regions)
        error = (found - self.target(images, regions)).square().mean(dim=(2, 3, 4, 5))
        return dict(loss_inpainting=self.weight * masked_mean(error, cut.removed))
