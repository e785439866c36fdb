# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The renderer: one face from an identity, action units, a pose, a light and a camera."""
from .flow import Flow, flow, warp_back
from .identity import Identity, sample_identity
from .muscles import AUS
from .render import render
from .scene import FRAMINGS, Camera, Light, Pose

__all__ = ['AUS', 'FRAMINGS', 'Camera', 'Flow', 'Identity', 'Light', 'Pose', 'flow', 'render',
           'sample_identity', 'warp_back']
