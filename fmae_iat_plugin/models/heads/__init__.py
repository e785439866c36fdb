# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
from .au_head import AUHead
from .au_intensity_head import AUIntensityHead
from .linear_identity_head import LinearIdentityHead

__all__ = ['AUHead', 'AUIntensityHead', 'LinearIdentityHead']
