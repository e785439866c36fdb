# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
from .au_classifier import AUClassifier

__all__ = ['AUClassifier']
