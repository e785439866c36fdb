# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Weights: safe reading, conversion between the names of projects, the model zoo, downloads."""

from .checkpoint import read_checkpoint, read_state_dict
from .pretrained import load_pretrained_encoder

__all__ = ['load_pretrained_encoder', 'read_checkpoint', 'read_state_dict']
