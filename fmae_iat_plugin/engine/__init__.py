# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Optimisation: parameter groups, learning-rate curve, total batch size, non-finite guard."""

from .layer_decay import LayerDecayOptimWrapperConstructor
from .non_finite_loss import NonFiniteLossHook
from .total_batch import TotalBatchSampler
from .warmup_cosine import WarmupCosineLR

__all__ = [
    'LayerDecayOptimWrapperConstructor', 'NonFiniteLossHook', 'TotalBatchSampler',
    'WarmupCosineLR'
]
