# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A training step of ours and one of the authors, with the same weights, to be timed."""

import math
from typing import Tuple

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from torch import Tensor, nn

import fmae_iat_plugin.full  # noqa: F401  registers
from fmae_iat_plugin.engine.compiled_blocks import compile_blocks
from fmae_iat_plugin.engine.deferred import Deferred
from fmae_iat_plugin.weights.conversion import to_fmae

from .authors_step import AuthorsClassifier, AuthorsMAE
from .training_step import build_wrapper, count_flops, random_samples

CHECKED = 4  # images whose losses are compared


class Setup:
    """Weights, labels and configs that both ways begin with.

    Args:
        cfg: Of a training.
        device: ``'cpu'`` or ``'cuda'``.
    """

    def __init__(self, cfg: Config, device: str):
        init_default_scope('mmpretrain')
        self.cfg, self.device = cfg, device
        if 'pretrained' in cfg.model:
            cfg.model.pretrained = None
        self.flops = count_flops(cfg.model)
        self.pretraining = cfg.model.type == 'MAE'
        torch.manual_seed(0)
        model = self._build()
        self.weights = {name: value.cpu() for name, value in model.state_dict().items()}

    def _build(self) -> nn.Module:
        with torch.device(self.device):
            return MODELS.build(self.cfg.model).to(self.device)

    def ours(self) -> nn.Module:
        """Our model with the weights."""
        model = self._build()
        model.load_state_dict(self.weights)
        return model.train()

    def authors(self) -> nn.Module:
        """The authors' model with the same weights."""
        with torch.device('meta'):
            like = MODELS.build({**self.cfg.model, 'data_preprocessor': None})
        if not self.pretraining:  # what is on no device has no value
            like.adversary['neck'].scale = torch.tensor(self.cfg.model.adversary.neck.scale)
        with torch.device(self.device):
            model = (AuthorsMAE if self.pretraining else AuthorsClassifier)(like)
        known = to_fmae(self.weights).weights
        missing, left = model.load_state_dict(known, strict=False)
        left = [name for name in left if not name.startswith('norm.')]  # unused in fine-tuning
        if missing or left:
            raise RuntimeError(f'the two models differ: {missing + left}')
        return model.to(self.device).train()

    def images(self, size: int) -> Tensor:
        """As a loader of ours gives them: uint8, pinned."""
        side = self.cfg.model.backbone.img_size
        images = torch.randint(0, 256, (size, side, side, 3), dtype=torch.uint8)
        return (images.pin_memory() if self.device == 'cuda' else images).permute(0, 3, 1, 2)

    def normalised(self, size: int) -> Tuple[Tensor, ...]:
        """As the authors' loader gives it: float32, pinned, and labels."""
        side = self.cfg.model.backbone.img_size
        parts = [torch.randn(size, 3, side, side)]
        if not self.pretraining:
            samples = random_samples(self.cfg.model, size)
            parts += [torch.stack([sample.gt_score for sample in samples]),
                      torch.tensor([sample.subject for sample in samples])]
        return tuple(part.pin_memory() if self.device == 'cuda' else part for part in parts)


class OurStep:
    """A training step as MMEngine's loop makes it with our configs.

    Args:
        setup: See :class:`Setup`.
        size: Images of a batch.
        compiled: Whether blocks are compiled.
        steps: How often it will be called at most, to have labels that are still on the host.
    """

    def __init__(self, setup: Setup, size: int, compiled: bool, steps: int):
        self.model = setup.ours()
        self.optim_wrapper = build_wrapper(self.model, setup.cfg, setup.device)
        if compiled:
            compile_blocks(self.model)
        self.images, self.losses = setup.images(size), Deferred()
        samples = random_samples(setup.cfg.model, size)
        self.labels = iter([[sample.clone() for sample in samples] for _ in range(steps)])

    def __call__(self) -> None:
        batch = dict(inputs=self.images, data_samples=next(self.labels))
        self.losses.send(self.model.train_step(batch, self.optim_wrapper))
        for arrived in self.losses.receive(leave=1):
            if not all(map(math.isfinite, arrived.values.values())):
                raise FloatingPointError(f'losses {arrived.values}')


def same_loss(setup: Setup) -> Tuple[float, float]:
    """Loss of ours and of the authors', on the same images, masks and weights, in fp32."""
    images, *labels = (part.to(setup.device) for part in setup.normalised(CHECKED))
    samples = random_samples(setup.cfg.model, CHECKED)
    if labels:
        for sample, score, subject in zip(samples, *labels):
            sample.set_gt_score(score)
            sample.set_field(int(subject), 'subject', field_type='metainfo')
    with torch.no_grad():
        ours = setup.ours().eval()
        torch.manual_seed(1)
        one = ours.parse_losses(ours(images, samples, mode='loss'))[0]
        del ours
        authors = setup.authors().eval()
        torch.manual_seed(1)
        other = authors(images, *labels)
    return one.item(), other.item()
