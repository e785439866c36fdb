# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Packaging. No OpenMMLab distribution is a core dependency: see requirements/stack.txt."""

import shutil
from pathlib import Path
from runpy import run_path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def requirements(name: str) -> list:
    """Lines of requirements/<name>.txt, without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    return [line for line in (line.split('#')[0].strip() for line in lines) if line]


extras = {name: requirements(name)
          for name in ('stack', 'analysis', 'interpret', 'demo', 'face', 'face9m', 'mmdet',
                       'export', 'parquet', 'ray', 'slurm', 'deepspeed', 'docs', 'tests', 'zoo')}
extras['all'] = sorted({line for name, lines in extras.items()
                        if name not in ('mmdet', 'deepspeed')  # they need a build
                        for line in lines})


class BuildWithMim(build_py):
    """Puts configs, tools and the model index where mim and the model zoo look: ``.mim``.

    Wheels and sdists pass here, however they are built; pip no longer runs ``develop``. An editable
    installation has them in the checkout, where mim looks as well: a link to the configs would give
    it two of each.
    """

    def run(self):
        super().run()
        if not self.editable_mode:
            mim = Path(self.build_lib, 'fmae_iat_plugin', '.mim')
            shutil.rmtree(mim, ignore_errors=True)  # an earlier build's: of files gone since
            for folder in ('configs', 'tools'):
                shutil.copytree(ROOT / folder, mim / folder,
                                ignore=shutil.ignore_patterns('__pycache__'))
            shutil.copy(ROOT / 'model-index.yml', mim)


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
                                      'inference/writers/schemas/*.json',
                                      'inference/default*.onnx', 'inference/default*.md']},
    entry_points=dict(console_scripts=['fmae-iat = fmae_iat_plugin.cli:main']),
    cmdclass=dict(build_py=BuildWithMim),
    install_requires=requirements('runtime'),
    extras_require=extras,
    classifiers=[
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ])
