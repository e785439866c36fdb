# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""RTATL: an AU classifier that also learns to fill in AU regions and to foresee motion.

The whole method::

    map            = backbone(image)                           # [N, D, h, w]
    tokens, global = neck(map)                                 # [N, A, E], [N, D]
    loss_au         = head.loss(tokens, global)                # coded labels only
    loss_flow       = flow.loss(global)                        # training only
    cut            = image without some AU regions
    tokens'        = neck(backbone(cut))
    loss_inpainting = inpainting.loss(tokens')                 # training only
    loss_id         = adversary.head.loss(reversed(global))    # with IAT

The two tasks need no labels, so a batch may hold unlabelled frames. At test time the intact image
goes through backbone, neck and head, and nothing else. Source: Yan et al., "Self-Supervised
Regional and Temporal Auxiliary Tasks for Facial Action Unit Recognition", ACM MM 2021 (arXiv
2107.14399); docs/en/rtatl.md says part by part what is theirs and what is our choice.
"""

from typing import Dict, List, Optional

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from .au_classifier import AUClassifier


@MODELS.register_module()
class RTATL(AUClassifier):
    """Action unit classifier with RoI inpainting, single-image flow and an identity adversary.

    Args:
        backbone (dict): Anything that ends in a feature map: ``ResNet``, or ``VisionTransformer``
            with ``out_type='featmap', final_norm=False``.
        neck (dict): :class:`~fmae_iat_plugin.models.rtatl.AURelationNeck`.
        head (dict): :class:`~fmae_iat_plugin.models.rtatl.RTATLHead`.
        inpainting (dict, optional): :class:`~fmae_iat_plugin.models.rtatl.RoIInpainting`.
            Defaults to None: without that task.
        flow (dict, optional): :class:`~fmae_iat_plugin.models.rtatl.SingleImageFlow`. Defaults to
            None: without that task.
        adversary (dict, optional): As in :class:`AUClassifier`; it sees the global feature.
        **kwargs: Arguments of :class:`AUClassifier`.
    """

    training_only = ('adversary', 'inpainting', 'flow')

    def __init__(self, backbone: dict, neck: dict, head: dict, inpainting: Optional[dict] = None,
                 flow: Optional[dict] = None, **kwargs):
        super().__init__(backbone, neck, head, **kwargs)
        self.inpainting = None if inpainting is None else MODELS.build(inpainting)
        self.flow = None if flow is None else MODELS.build(flow)

    def extract_feat(self, inputs: Tensor, stage: str = 'neck',
                     landmarks: Optional[Tensor] = None):
        """Features, as :meth:`mmpretrain.models.ImageClassifier.extract_feat` gives them.

        Args:
            inputs: ``[N, 3, H, W]``, normalised.
            stage: ``'backbone'``: the feature map. ``'neck'``: AU tokens ``[N, A, E]`` and the
                global feature ``[N, D]``. ``'pre_logits'``: the global feature.
            landmarks: ``[N, 68, 2]`` in fractions of the image, or None: the mean shape.
        """
        if stage == 'backbone':
            return self.backbone(inputs)
        feats = self.neck(self.backbone(inputs), landmarks)
        return feats if stage == 'neck' else self.head.pre_logits(feats)

    def landmarks(self, data_samples: Optional[List[DataSample]], device) -> Optional[Tensor]:
        """Landmarks of a batch, ``[N, 68, 2]``; None where no sample has any.

        A sample without landmarks among others takes the mean shape. The data set has done the
        same already, and counted it.
        """
        if not any('landmarks' in sample for sample in data_samples or ()):
            return None
        mean = self.neck.mean_shape
        return torch.stack([
            torch.as_tensor(sample.landmarks, dtype=torch.float32, device=device)
            if 'landmarks' in sample else mean for sample in data_samples])

    def loss(self, inputs: Tensor, data_samples: List[DataSample]) -> Dict[str, Tensor]:
        """The losses, each with its weight, to be summed.

        Args:
            inputs: ``[N, 3, H, W]``, normalised.
            data_samples: N samples with ``gt_score`` ``[A]`` (all NaN: unlabelled) and, where
                known, ``subject``, ``landmarks`` and ``flow``.

        Returns:
            dict[str, Tensor]: ``loss_au``, and where the parts are there ``loss_flow``,
            ``loss_inpainting`` and ``loss_id``.
        """
        if self.neck.regions == 'landmarks':
            self._need_landmarks(data_samples)
        landmarks = self.landmarks(data_samples, inputs.device)
        tokens, pooled = feats = self.extract_feat(inputs, landmarks=landmarks)
        losses = self.head.loss(feats, data_samples)
        if self.intensity_head is not None:
            losses.update(self.intensity_head.loss(feats, data_samples))
        if self.flow is not None:
            losses.update(self.flow.loss(pooled, data_samples))
        if self.inpainting is not None:
            regions = self.neck.boxes(landmarks, len(inputs))
            cut = self.inpainting.cut(inputs, regions, data_samples)
            tokens, _ = self.extract_feat(cut.images, landmarks=landmarks)
            losses.update(self.inpainting.loss(tokens, inputs, regions, cut))
        if self.adversary is not None:
            reversed_feat = self.adversary['neck'](pooled)
            losses.update(self.adversary['head'].loss((reversed_feat, ), data_samples))
        return losses

    @staticmethod
    def _need_landmarks(data_samples: List[DataSample]) -> None:
        """Regions from landmarks cannot be learned from none."""
        lacking = next((sample for sample in data_samples if 'landmarks' not in sample), None)
        if lacking is not None:
            raise ValueError(
                f"model.neck.regions is 'landmarks', but {lacking.get('img_path', 'a sample')!r} "
                'has none. Remedy: `landmarks` in the data set (tools/misc/find_landmarks.py '
                "writes the file) and 'landmarks' in algorithm_keys of PackInputs, or "
                "regions='mean'.")

    def predict(self, inputs: Tensor, data_samples: Optional[List[DataSample]] = None,
                **kwargs) -> List[DataSample]:
        """Probabilities of the intact images; landmarks are used where samples carry them."""
        landmarks = self.landmarks(data_samples, inputs.device)
        feats = self.extract_feat(inputs, landmarks=landmarks)
        return self._predict(feats, data_samples, **kwargs)
