# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""FMAE and FMAE-IAT in one model: backbone -> AU head, and an optional adversary.

The whole method, in the order of the paper::

    feature  = backbone(image)                        # mean of the patch tokens, LayerNorm
    loss_au  = head.loss(feature)                     # binary cross entropy over the coded AUs
    reversed = adversary.neck(feature)                # identity; gradient times -lambda
    loss_id  = adversary.head.loss(reversed)          # which subject is it?
    loss     = loss_au + loss_id                      # the backbone unlearns identity

With ``intensity_head``, a second head on the same feature predicts intensities from 0 to 5, and
``loss_intensity`` is added.

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
        head (dict, optional): :class:`AUHead`, or any head of MMPretrain. ``in_channels`` of all
            heads may be left out: it is the width of the feature.
        adversary (dict, optional): ``dict(neck=dict(type='GradReverse', scale=lambda),
            head=dict(type='LinearIdentityHead', ...))``. Defaults to None: plain FMAE.
        intensity_head (dict, optional): :class:`AUIntensityHead`. Defaults to None: occurrences
            alone.
        test_mirror (bool): Predict from the mean of the features of a face and of its mirror image,
            at twice the cost; action units of a table are those of both sides. Defaults to False.
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
                 init_cfg: Optional[dict] = None,
                 intensity_head: Optional[dict] = None,
                 test_mirror: bool = False):
        backbone, neck, head, adversary, intensity_head = _with_widths(
            backbone, neck, head, adversary, intensity_head)
        super().__init__(backbone, neck, head, train_cfg=train_cfg,
                         data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.pretrained, self.test_mirror = pretrained, test_mirror
        self.intensity_head = None if intensity_head is None else MODELS.build(intensity_head)
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
        """Compute the losses; MMEngine sums them without weights.

        Args:
            inputs: ``[N, 3, H, W]``, normalised.
            data_samples: N samples with ``gt_score`` ``[C]``, for an intensity head
                ``gt_intensity`` ``[K]``, and, where known, ``subject``.

        Returns:
            dict[str, Tensor]: ``loss_au``, with an intensity head ``loss_intensity``, and with an
            adversary ``loss_id``.
        """
        feats = self.extract_feat(inputs)
        losses = self.head.loss(feats, data_samples)
        if self.intensity_head is not None:
            losses.update(self.intensity_head.loss(feats, data_samples))
        if self.adversary is not None:
            reversed_feats = self.adversary['neck'](feats)
            losses.update(self.adversary['head'].loss(reversed_feats, data_samples))
        return losses

    def predict(self, inputs: torch.Tensor, data_samples: Optional[List[DataSample]] = None,
                **kwargs) -> List[DataSample]:
        """Samples with ``pred_score`` ``[C]``, probabilities, and, with an intensity head,
        ``pred_intensity`` ``[K]``, 0 to 5."""
        return self._predict(self.test_feat(inputs), data_samples, **kwargs)

    def test_feat(self, inputs: torch.Tensor) -> tuple:
        """The feature that predictions are made from, ``[N, D]`` in a tuple."""
        feats = self.extract_feat(inputs)
        if not self.test_mirror:
            return feats
        mirrored = self.extract_feat(inputs.flip(-1))
        return (*feats[:-1], (feats[-1] + mirrored[-1]) / 2)

    def _predict(self, feats: tuple, data_samples: Optional[List[DataSample]],
                 **kwargs) -> List[DataSample]:
        """The same, of features."""
        found = self.head.predict(feats, data_samples, **kwargs)
        return found if self.intensity_head is None else self.intensity_head.predict(feats, found)


def _with_widths(backbone, neck, head, adversary, intensity_head) -> tuple:
    """The same five, where a head leaves out ``in_channels`` with the width of the feature."""
    heads = [part for part in (head, (adversary or {}).get('head'), intensity_head)
             if isinstance(part, dict) and 'in_channels' not in part
             and part['type'] in ('AUHead', 'AUIntensityHead', 'LinearIdentityHead')]
    if not heads:
        return backbone, neck, head, adversary, intensity_head
    backbone, neck = (MODELS.build(part) if isinstance(part, dict) else part
                      for part in (backbone, neck))
    width = feature_width(backbone, neck)
    if head in heads:
        head = {**head, 'in_channels': width}
    if adversary is not None and adversary.get('head') in heads:
        adversary = {**adversary, 'head': {**adversary['head'], 'in_channels': width}}
    if intensity_head in heads:
        intensity_head = {**intensity_head, 'in_channels': width}
    return backbone, neck, head, adversary, intensity_head


def feature_width(backbone: torch.nn.Module, neck: Optional[torch.nn.Module] = None) -> int:
    """Width D of the last feature ``[N, D]``, found with one black image."""
    size = getattr(backbone, 'img_size', 224)
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    parameter = next(backbone.parameters())
    training = backbone.training
    backbone.eval()
    with torch.no_grad():
        feats = backbone(parameter.new_zeros(1, 3, height, width))
        feats = feats if neck is None else neck(feats)
    backbone.train(training)
    return feats[-1].shape[1]
