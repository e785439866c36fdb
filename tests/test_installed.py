# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""An installation that is no checkout: it carries the model zoo, its configs and the tools."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CODE = '''
import mmpretrain
import fmae_iat_plugin
from fmae_iat_plugin.weights.zoo_index import load_zoo, zoo_root
print('FOUND', zoo_root())
print('FOUND', len(load_zoo()), 'fmae-iat_vit-large_bp4d_fold1' in mmpretrain.list_models())
print('FOUND', mmpretrain.get_model('fmae-iat_vit-tiny_synthfacs').head.fc.out_features)
'''


@pytest.fixture(scope='module')
def installed(repo, tmp_path_factory):
    """The files of the wheel, unpacked, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    ignore = shutil.ignore_patterns('.*', 'work_dirs', 'data', 'checkpoints', '*.egg-info', 'build')
    shutil.copytree(repo, source, ignore=ignore)
    subprocess.run([sys.executable, 'setup.py', '-q', 'bdist_wheel', '-d', folder], cwd=source,
                   check=True, capture_output=True, text=True)
    wheel, = folder.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / 'site')
    return folder / 'site'


def test_all_of_the_zoo_is_there(repo, installed):
    mim = installed / 'fmae_iat_plugin' / '.mim'
    for folder in ('configs', 'tools'):
        assert {str(path.relative_to(mim)) for path in (mim / folder).rglob('*')
                if path.is_file()} == {
            str(path.relative_to(repo)) for path in (repo / folder).rglob('*')
            if path.is_file() and '__pycache__' not in path.parts}
    assert (mim / 'model-index.yml').read_bytes() == (repo / 'model-index.yml').read_bytes()


def test_names_work_without_a_checkout(installed):
    done = subprocess.run([sys.executable, '-c', CODE], cwd=installed.parent, check=True,
                          capture_output=True, text=True,
                          env={**os.environ, 'PYTHONPATH': str(installed)})
    root, numbers, outputs = (line.removeprefix('FOUND ') for line in done.stdout.splitlines()
                              if line.startswith('FOUND '))  # others log there too
    assert Path(root) == installed / 'fmae_iat_plugin' / '.mim'
    assert numbers.endswith('True') and int(numbers.split()[0]) > 60
    assert outputs == '8'
