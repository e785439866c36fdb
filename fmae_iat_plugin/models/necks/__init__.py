# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
from .grad_reverse import GradReverse

__all__ = ['GradReverse']
