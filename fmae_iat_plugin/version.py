# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The version of the plugin, in one place (read by ``setup.py`` without importing the package)."""

__version__ = '0.1.0'
