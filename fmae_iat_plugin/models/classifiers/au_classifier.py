# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""FMAE and FMAE-IAT in one model: backbone -> AU head, and an optional adversary.

The whole method, in the order of the paper::

    feature  = backbone(image)                        # mean of the patch tokens, LayerNorm
    loss_au  = head.loss(feature)                     # binary cross entropy over the coded AUs
    reversed = adversary.neck(feature)                # identity; gradient times -lambda
    loss_id  = adversary.head.loss(reversed)          # who is it?
    loss     = loss_au + loss_id                      # so the backbone unlearns identity

Source: "Representation Learning and Identity Adversarial Training for Facial Behavior
Understanding". Prediction and export never touch the adversary.
"""

from typing import Dict, List, Optional

import torch
from mmengine.model import ModuleDict
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from fmae_iat_plugin.weights.pretrained import load_pretrained_encoder


@MODELS.register_module()
class AUClassifier(ImageClassifier):
    """Action unit classifier with an optional identity adversary.

    Args:
        backbone (dict): The encoder. FMAE: ``VisionTransformer(out_type='avg_featmap',
            final_norm=False)``, whose ``ln2`` normalises the mean of the patch tokens.
        neck (dict, optional): Between backbone and both heads. Defaults to None.
        head (dict, optional): :class:`AUHead`, or any head of MMPretrain.
        adversary (dict, optional): ``dict(neck=dict(type='GradReverse', scale=lambda),
            head=dict(type='LinearIdentityHead', ...))``. Defaults to None: plain FMAE.
        pretrained (str, optional): Path or URL of a pretrained encoder, loaded strictly before
            training (see :func:`load_pretrained_encoder`). Defaults to None: from scratch.
        train_cfg, data_preprocessor, init_cfg: See :class:`mmpretrain.models.ImageClassifier`.

    Raises:
        ValueError: If ``adversary`` is not exactly a ``neck`` and a ``head``.

    Attributes:
        training_only (tuple[str]): Arguments that name a part which prediction does not use. Each
            may be None, and its weights begin with its name.
    """

    training_only = ('adversary', )

    def __init__(self,
                 backbone: dict,
                 neck: Optional[dict] = None,
                 head: Optional[dict] = None,
                 adversary: Optional[dict] = None,
                 pretrained: Optional[str] = None,
                 train_cfg: Optional[dict] = None,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None):
        super().__init__(backbone, neck, head, train_cfg=train_cfg,
                         data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.pretrained = pretrained
        self.adversary = None
        if adversary is not None:
            if set(adversary) != {'neck', 'head'}:
                raise ValueError(f'adversary has the keys {sorted(adversary)}. Remedy: '
                                 "adversary=dict(neck=dict(type='GradReverse', scale=...), "
                                 "head=dict(type='LinearIdentityHead', ...)), or None.")
            # mmengine's ModuleDict: a plain one would hide the head from init_weights
            self.adversary = ModuleDict({key: MODELS.build(adversary[key])
                                         for key in ('neck', 'head')})

    def init_weights(self) -> None:
        """Initialise, then load the pretrained encoder over the backbone."""
        super().init_weights()
        if self.pretrained is not None:
            load_pretrained_encoder(self.backbone, self.pretrained)

    def loss(self, inputs: torch.Tensor, data_samples: List[DataSample]) -> Dict[str, torch.Tensor]:
        """The losses, to be summed unweighted.

        Args:
            inputs: ``[N, 3, H, W]``, normalised.
            data_samples: N samples with ``gt_score`` ``[C]`` and, where known, ``subject``.

        Returns:
            dict[str, Tensor]: ``loss_au`` and, with an adversary, ``loss_id``.
        """
        feats = self.extract_feat(inputs)
        losses = self.head.loss(feats, data_samples)
        if self.adversary is not None:
            reversed_feats = self.adversary['neck'](feats)
            losses.update(self.adversary['head'].loss(reversed_feats, data_samples))
        return losses
