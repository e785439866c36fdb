# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Models: the classifier, its necks, heads and losses, and what feeds them."""

from .classifiers import RTATL, AUClassifier
from .data_preprocessor import FaceDataPreprocessor
from .heads import AUHead, LinearIdentityHead
from .losses import masked_mean
from .necks import GradReverse
from .rtatl import AURelationNeck, RoIInpainting, RTATLHead, SingleImageFlow

__all__ = [
    'RTATL', 'AUClassifier', 'AUHead', 'AURelationNeck', 'FaceDataPreprocessor', 'GradReverse',
    'LinearIdentityHead', 'RTATLHead', 'RoIInpainting', 'SingleImageFlow', 'masked_mean'
]
