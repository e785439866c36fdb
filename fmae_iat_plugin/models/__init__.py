# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Models: the classifier, its necks, heads and losses, and what feeds them."""

import fmae_iat_plugin.full  # noqa: F401  these rooms need the stack

from .classifiers import RTATL, AUClassifier
from .data_preprocessor import FaceDataPreprocessor
from .heads import AUHead, AUIntensityHead, LinearIdentityHead
from .ibn_resnet import IBNResNetCIFAR
from .losses import masked_mean
from .necks import GradReverse
from .rtatl import AURelationNeck, RoIInpainting, RTATLHead, SingleImageFlow

__all__ = [
    'RTATL', 'AUClassifier', 'AUHead', 'AUIntensityHead', 'AURelationNeck',
    'FaceDataPreprocessor', 'GradReverse', 'IBNResNetCIFAR', 'LinearIdentityHead', 'RTATLHead',
    'RoIInpainting', 'SingleImageFlow', 'masked_mean'
]
