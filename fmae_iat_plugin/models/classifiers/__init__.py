# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
from .au_classifier import AUClassifier
from .rtatl import RTATL

__all__ = ['RTATL', 'AUClassifier']
