# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A project's own parts: importing it registers them."""

from .smoothed_au_head import SmoothedAUHead

__all__ = ['SmoothedAUHead']
