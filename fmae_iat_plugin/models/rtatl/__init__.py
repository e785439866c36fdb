# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The parts of RTATL: regions, relation, head, and the two tasks that exist in training only."""

from .flow import SingleImageFlow, end_point_error
from .head import RTATLHead
from .inpainting import RoIInpainting, cut_regions
from .relation import AURelationNeck

__all__ = ['AURelationNeck', 'RTATLHead', 'RoIInpainting', 'SingleImageFlow', 'cut_regions',
           'end_point_error']
