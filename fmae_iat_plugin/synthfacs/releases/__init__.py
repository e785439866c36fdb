# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Raw releases in the layouts of the licensed data sets, with rendered faces and known labels."""

from .affectnet import write_affectnet
from .bp4d import write_bp4d
from .bp4dplus import write_bp4dplus
from .disfa import write_disfa
from .face9m import write_face9m
from .rafdb import write_rafdb

__all__ = ['write_affectnet', 'write_bp4d', 'write_bp4dplus', 'write_disfa', 'write_face9m',
           'write_rafdb']
