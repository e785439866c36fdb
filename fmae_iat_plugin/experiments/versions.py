# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Versions of what the numbers of a run depend on."""

import platform
from importlib import metadata
from typing import Dict

import fmae_iat_plugin

_PACKAGES = ('torch', 'torchvision', 'onedl-mmengine', 'mmengine', 'onedl-mmcv', 'mmcv',
             'onedl-mmpretrain', 'mmpretrain', 'timm', 'numpy', 'scikit-learn', 'matplotlib')


def versions() -> Dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {'fmae_iat_plugin': fmae_iat_plugin.__version__, 'python': platform.python_version(),
             'machine': f'{platform.system()} {platform.machine()}'}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
