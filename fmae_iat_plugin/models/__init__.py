# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Models: the classifier, its necks, heads and losses, and what feeds them."""

from .classifiers import AUClassifier
from .data_preprocessor import FaceDataPreprocessor
from .heads import AUHead, LinearIdentityHead
from .losses import masked_mean
from .necks import GradReverse

__all__ = [
    'AUClassifier', 'AUHead', 'FaceDataPreprocessor', 'GradReverse', 'LinearIdentityHead',
    'masked_mean'
]
