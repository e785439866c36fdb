# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Packaging. No OpenMMLab distribution is a core dependency: see requirements/stack.txt."""

from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list:
    """Lines of requirements/<name>.txt, without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line for line in (line.split('#')[0].strip() for line in lines) if line]


extras = {name: requirements(name)
          for name in ('stack', 'analysis', 'face', 'mmdet', 'export', 'ray', 'slurm', 'tests',
                       'zoo')}
extras['all'] = sorted({line for name, lines in extras.items() if name != 'mmdet'  # needs a build
                        for line in lines})

setup(
    name='fmae_iat_plugin',
    version=run_path(str(ROOT / 'fmae_iat_plugin' / 'version.py'))['__version__'],
    description='FMAE-IAT for MMPretrain: facial action units without the identity shortcut',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['fmae_iat_plugin', 'fmae_iat_plugin.*']),
    package_data={'fmae_iat_plugin': ['datasets/protocols/*.json', 'evaluation/published/*.json',
                                      'visualization/templates/*',
                                      'apis/schemas/*.json']},
    install_requires=requirements('runtime'),
    extras_require=extras,
    classifiers=[
        'Programming Language :: Python :: 3',
        'License :: OSI Approved :: Apache Software License',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ])
