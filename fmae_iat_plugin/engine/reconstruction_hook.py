# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Pictures of what MAE reconstructs, while it is pretrained.

Source: He et al., "Masked Autoencoders Are Scalable Vision Learners" (2022), figure 2: the image,
what the encoder sees of it, and the image with the masked patches as the decoder predicts them.
"""

from typing import List, Optional, Sequence, Union

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.nn.functional import interpolate

from .sharded import call_whole, is_sharded, unwrap

_GREY = 128.  # of what the encoder does not see


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """Gives the visualizer ``reconstruction``: a row for each of a few training images.

    A row is input, masked input, prediction. The images are those of the run's first batch, whole,
    resized where they are not of the model's size, and the masks are the same each time. The random
    numbers of the training are not used.

    Args:
        interval (int): Epochs between two pictures; the last epoch always has one.
        images (int): Rows. Defaults to 4.

    Raises:
        ValueError: If a number is below 1 (here), or if the model is no MAE (before training).
    """

    priority = 'LOW'

    def __init__(self, interval: int = 5, images: int = 4):
        if interval < 1 or images < 1:
            raise ValueError(f'ReconstructionHook: interval={interval} and images={images} must be '
                             'at least 1.')
        self.interval, self.images = interval, images
        self.inputs: Optional[List[Tensor]] = None

    def before_train(self, runner) -> None:
        """Look at the model."""
        model = unwrap(runner.model)
        head = getattr(model, 'head', None)
        if not all(hasattr(head, name) for name in ('patchify', 'unpatchify', 'norm_pix')):
            raise ValueError('ReconstructionHook: the model has no head of MAE. Remedy: remove the '
                             'hook from custom_hooks.')

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Keep some images of the first batch."""
        if self.inputs is None:
            self.inputs = [image.clone() for image in data_batch['inputs'][:self.images]]

    def after_train_epoch(self, runner) -> None:
        """Draw, on the first rank; the others wait at their next common step, or draw, too, where
        each has a part of the weights."""
        due = self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)
        inputs, drawing = self.inputs, is_main_process() or is_sharded(runner.model)
        if not due or not drawing or inputs is None:
            return
        with torch.no_grad():
            picture = call_whole(runner.model, lambda model: reconstructions(model, inputs))
        if is_main_process():
            runner.visualizer.add_image('reconstruction', picture.numpy(), step=runner.epoch + 1)


@torch.no_grad()
def reconstructions(model: torch.nn.Module, inputs: Sequence[Tensor], seed: int = 0) -> Tensor:
    """The picture.

    Args:
        model: A MAE of MMPretrain; its training mode is restored.
        inputs: N images uint8 ``[3, H, W]`` as the data set gives them.
        seed: Of the masks.

    Returns:
        Tensor: uint8 RGB ``[N * S, 3 * S, 3]`` on the CPU; S is the side of the model's images.
    """
    training, head, prepare = model.training, model.head, model.data_preprocessor
    model.eval()
    device = next(model.parameters()).device
    devices = [device] if device.type == 'cuda' else []
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            samples = [DataSample() for _ in inputs]  # the preprocessor asks for them
            whole = torch.stack([_resized(image, model.backbone.img_size) for image in inputs])
            images = prepare(dict(inputs=whole, data_samples=samples), False)['inputs']
            latent, mask, restore = model.backbone(images)
            patches = model.neck(latent, restore).float()
    finally:
        model.train(training)
    if head.norm_pix:
        # the network predicts patches in units of their own mean and standard deviation
        target = head.patchify(images)
        patches = patches * (target.var(-1, keepdim=True) + 1e-6).sqrt() + target.mean(
            -1, keepdim=True)
    hidden = head.unpatchify(mask[..., None].expand_as(patches).contiguous()) > 0
    shown, predicted = (value * prepare.std + prepare.mean
                        for value in (images, head.unpatchify(patches)))
    row = torch.cat([shown, torch.where(hidden, torch.full_like(shown, _GREY), shown),
                     torch.where(hidden, predicted, shown)], dim=3)
    return row.clamp(0, 255).round().byte().permute(0, 2, 3, 1).flatten(0, 1).cpu()


def _resized(image: Tensor, side: Union[int, Sequence[int]]) -> Tensor:
    """uint8 ``[3, H, W]`` of the size that the model takes."""
    size = (side, side) if isinstance(side, int) else tuple(side)
    if tuple(image.shape[1:]) == size:
        return image
    resized = interpolate(image[None].float(), size, mode='bicubic', antialias=True)
    return resized[0].clamp(0, 255).round().byte()
