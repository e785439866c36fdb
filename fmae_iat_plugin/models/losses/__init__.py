# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
from .masked_mean import masked_mean

__all__ = ['masked_mean']
