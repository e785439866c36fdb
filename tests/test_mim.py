# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""OpenMMLab's ``mim`` on an editable installation: its own code, without a network.

onedl-mim pins a pandas that would replace everybody's, so it is no extra of this package:
``tools/misc/readme_check.sh mim`` runs these tests in an environment that has it.
"""

import json
import subprocess
import sys

import pytest
from mmengine.config import Config
from test_metafiles import DRIVE, key, models

pytest.importorskip('mim', reason='pip install onedl-mim, in an environment of its own')


@pytest.fixture(autouse=True)
def editable(repo, tmp_path, monkeypatch):
    """What pip leaves of ``pip install -e .``, before any other installation; the checkout."""
    checkout = tmp_path / 'checkout'
    checkout.mkdir()
    for name in ('configs', 'tools', 'model-index.yml', 'docs'):
        (checkout / name).symlink_to(repo / name)
    info = tmp_path / 'site/fmae_iat_plugin-0.1.0.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: fmae_iat_plugin\nVersion: 0.1.0\n')
    (info / 'direct_url.json').write_text(json.dumps(
        dict(url=checkout.as_uri(), dir_info=dict(editable=True))))
    monkeypatch.syspath_prepend(str(tmp_path / 'site'))
    monkeypatch.chdir(tmp_path)
    return checkout


def test_download_gives_the_authors_files_under_our_names(google_drive, file_server, tmp_path):
    from mim.commands.download import download
    names = {model.name: key(model) for model in models() if model.weights}
    google_drive.update({DRIVE[config]: f'weights of {config}'.encode()
                         for config in names.values()})
    got = download('fmae_iat_plugin', sorted(names), str(tmp_path / 'got'))
    assert got == [f'{name}.pth' for name in sorted(names)]
    assert len(file_server.sent) == len(DRIVE) == 6  # the bytes at once, no page before them
    for name, config in names.items():
        assert (tmp_path / f'got/{name}.pth').read_bytes() == f'weights of {config}'.encode()
    from fmae_iat_plugin import config_path
    for name in ('fmae_vit-small_face9m', 'fmae-iat_vit-large_bp4d_fold2'):
        ours = Config.fromfile(config_path(f'{names[name]}.py'))
        assert Config.fromfile(tmp_path / f'got/{name}.py').to_dict() == ours.to_dict()


@pytest.mark.parametrize('command', ['train', 'test'])
@pytest.mark.parametrize('launcher', ['none', 'pytorch'])
def test_it_starts_our_tools_with_our_configs(repo, editable, command, launcher,
                                                monkeypatch):
    from mim.commands.test import test
    from mim.commands.train import train
    started = []
    monkeypatch.setattr(subprocess, 'check_output', lambda *args, **options: b'')  # --help
    monkeypatch.setattr(subprocess, 'check_call',
                        lambda cmd, **options: started.append(list(map(str, cmd))) or 0)
    run = dict(train=train, test=test)[command]
    asked = dict(checkpoint='epoch_2.pth') if command == 'test' else {}
    done, said = run(package='fmae_iat_plugin', config='configs/iat/bp4d_fold1.py', gpus=2,
                     launcher=launcher, other_args=('--work-dir', 'out'), **asked)
    assert done, said
    cmd, = started
    script = cmd.index(str(editable / f'tools/{command}.py'))
    assert cmd[0] == sys.executable
    assert ('--nproc_per_node=2' in cmd[:script]) == (launcher == 'pytorch')
    assert cmd[script + 1] == str(repo / 'configs/iat/bp4d_fold1.py')
    assert cmd[script + 2:] == [*asked.values(), '--launcher', launcher, '--work-dir', 'out']


def test_search_knows_what_is_published():
    from mim.commands.search import get_model_info
    found = get_model_info('fmae_iat_plugin', configs=['fmae-iat_vit-large_bp4d_fold1'],
                           to_dict=True)['fmae-iat_vit-large_bp4d_fold1']
    assert found['config'] == 'configs/iat/bp4d_fold1.py' and found['epochs'] == 30
    assert found['bp4d, mean of 3 folds/f1_(published)'] == 67.1
