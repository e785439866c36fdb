# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""An installation that is no checkout: it carries the model zoo, its configs and the tools."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
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


def build(source, command, folder):
    """The archive that setuptools builds of a source tree."""
    subprocess.run([sys.executable, 'setup.py', '-q', command, '-d', folder], cwd=source,
                   check=True, capture_output=True, text=True)
    archive, = folder.iterdir()
    return archive


@pytest.fixture(scope='module')
def source(repo, tmp_path_factory):
    """A copy of the checkout, in which an earlier build left a config that is gone since."""
    source = tmp_path_factory.mktemp('source') / 'source'
    ignore = shutil.ignore_patterns('.*', 'work_dirs', 'data', 'checkpoints', '*.egg-info', 'build')
    shutil.copytree(repo, source, ignore=ignore)
    old = source / 'build/lib/fmae_iat_plugin/.mim/configs/gone.py'
    old.parent.mkdir(parents=True)
    old.touch()
    return source


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    return build(source, 'bdist_wheel', tmp_path_factory.mktemp('wheel'))


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """The files of the wheel, unpacked, and nothing of the checkout."""
    site = tmp_path_factory.mktemp('site')
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


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


def test_the_wheel_has_the_command(installed):
    entry_points, = installed.glob('*.dist-info/entry_points.txt')
    assert 'fmae-iat = fmae_iat_plugin.cli:main' in entry_points.read_text()


def test_a_wheel_of_the_sdist_is_that_of_the_checkout(source, wheel, tmp_path):
    (tmp_path / 'sdist').mkdir()
    (tmp_path / 'wheel').mkdir()
    with tarfile.open(build(source, 'sdist', tmp_path / 'sdist')) as archive:
        archive.extractall(tmp_path / 'unpacked', filter='data')
    unpacked, = (tmp_path / 'unpacked').iterdir()
    assert not (unpacked / 'tests').exists() and (unpacked / 'CHANGELOG.md').is_file()

    def contents(path):
        with zipfile.ZipFile(path) as archive:
            return {info.filename: info.CRC for info in archive.infolist()
                    if not info.filename.endswith('RECORD')}

    assert contents(build(unpacked, 'bdist_wheel', tmp_path / 'wheel')) == contents(wheel)


def test_the_checkout_has_one_config_of_a_name(repo):
    """mim looks for `configs/iat/bp4d_fold1.py` of an editable installation by its last part."""
    names = [path.name for path in (repo / 'configs').rglob('*.py') if '_base_' not in path.parts]
    assert len(names) == len(set(names))


def test_a_project_elsewhere_trains_on_top_of_the_wheel(repo, installed, tmp_path):
    """projects/example, as its page says: our config as base, a head of its own, emulated BP4D."""
    pytest.importorskip('dlib', reason="needs the extra 'face'")
    from fmae_iat_plugin import converters
    from fmae_iat_plugin.faces import crop_faces
    from fmae_iat_plugin.synthfacs import releases
    project, data = tmp_path / 'project', tmp_path / 'project/data/bp4d'
    shutil.copytree(repo / 'projects/example', project,
                    ignore=shutil.ignore_patterns('data', 'work_dirs', '__pycache__'))
    releases.write_bp4d(tmp_path / 'release', subjects=4, frames=6, size=160, seed=5, workers=1,
                        tasks=('T1', ))
    converters.convert_bp4d(tmp_path / 'release', data)
    crop_faces(data, data)
    done = subprocess.run(
        [sys.executable, '-m', 'fmae_iat_plugin.cli', 'train', 'bp4d_small.py'], cwd=project,
        capture_output=True, text=True, env={
            **os.environ, 'PYTHONPATH': f'{installed}:{project}', 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stderr[-3000:]
    log, = (project / 'work_dirs/bp4d_small').glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row['epoch'] for row in rows if 'loss_id' in row] == [1, 2]
    assert len([row for row in rows if 'f1/AU12' in row]) == 2
    config = (project / 'work_dirs/bp4d_small/bp4d_small.py').read_text()
    assert 'SmoothedAUHead' in config and "scale=2.0, type='GradReverse'" in config
