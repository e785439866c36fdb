# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
from .identity_losses import feature_gradient, guessing_losses
from .masked_mean import masked_mean

__all__ = ['feature_gradient', 'guessing_losses', 'masked_mean']
