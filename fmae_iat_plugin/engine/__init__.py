# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Optimisation: parameter groups, learning-rate curve, total batch size, guards."""

import fmae_iat_plugin.full  # noqa: F401  these rooms need the stack

from .adversary_monitor import AdversaryMonitorHook
from .channels_last_hook import ChannelsLastHook
from .check_setup import CheckSetupHook
from .compiled_blocks import CompileBlocksHook
from .deepspeed_strategy import WholeDeepSpeedStrategy
from .flexible_runner import SafeFlexibleRunner
from .fsdp_strategy import WholeFSDPStrategy
from .head_steps_hook import HeadStepsHook
from .identity_probe_hook import IdentityProbeHook
from .lambda_ramp import LambdaRampHook
from .late_losses import LateRuntimeInfoHook
from .layer_decay import LayerDecayOptimWrapperConstructor
from .mean_shape_hook import MeanShapeHook
from .mixed_batch import MixedBatchSampler
from .mixed_precision import MixedPrecisionOptimWrapper
from .non_finite_loss import NonFiniteLossHook
from .permutation_sampler import PermutationSampler
from .progress_bar import ProgressBarHook
from .reconstruction_hook import ReconstructionHook
from .repeatable import RepeatableHook, is_repeatable
from .replaced_images_hook import ReplacedImagesHook
from .resumable_loop import ResumableEpochLoop
from .runner import ActionUnitRunner, build_runner, derive_sizes
from .safe_checkpoint import SafeCheckpointHook
from .stopping import STOPPED_CODE
from .threshold_hook import ThresholdHook
from .throughput_hook import ThroughputHook
from .total_batch import TotalBatchSampler
from .warmup_cosine import WarmupCosineLR

__all__ = [
    'ActionUnitRunner', 'AdversaryMonitorHook', 'ChannelsLastHook', 'CheckSetupHook',
    'CompileBlocksHook', 'HeadStepsHook', 'IdentityProbeHook', 'LambdaRampHook',
    'LateRuntimeInfoHook', 'LayerDecayOptimWrapperConstructor', 'MeanShapeHook',
    'MixedBatchSampler', 'MixedPrecisionOptimWrapper', 'NonFiniteLossHook',
    'PermutationSampler', 'ProgressBarHook',
    'ReconstructionHook', 'RepeatableHook', 'ReplacedImagesHook', 'ResumableEpochLoop',
    'STOPPED_CODE', 'SafeCheckpointHook', 'SafeFlexibleRunner', 'ThresholdHook', 'ThroughputHook',
    'TotalBatchSampler', 'WarmupCosineLR', 'WholeDeepSpeedStrategy', 'WholeFSDPStrategy',
    'build_runner', 'derive_sizes', 'is_repeatable'
]
