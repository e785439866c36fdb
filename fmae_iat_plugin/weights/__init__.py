# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Weights: safe reading, conversion between the names of projects, the model zoo, downloads."""

from fmae_iat_plugin.stack import is_light, on_demand

__all__ = ['load_pretrained_encoder', 'read_checkpoint', 'read_state_dict']

if is_light():
    __getattr__ = on_demand(__name__)
else:
    from .checkpoint import read_checkpoint, read_state_dict
    from .pretrained import load_pretrained_encoder
