# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Settings and contents of files: what differs is named, what does not matter is no difference."""

import hashlib
import json
import shutil

import pytest
from mmengine.config import Config

from fmae_iat_plugin.experiments.run_plan import Run, run_config
from fmae_iat_plugin.experiments.run_settings import (
    check_run,
    check_unchanged,
    config_digest,
    run_settings,
    unfinished,
)

CONFIG = """
data = dict(type='ActionUnitDataset', data_root={root!r}, ann_file='table.csv', folds=2, fold=1,
            pipeline=[dict(type='LoadFace'), dict(type='Resize', scale=(48, 48))])
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[data]))
test_dataloader = dict(dataset=data)
model = dict(pretrained={root!r} + '/encoder.pth', head=dict(num_classes=2, thr=None))
randomness = dict(seed=0)
"""


@pytest.fixture
def run(tmp_path):
    root = tmp_path / 'data'
    root.mkdir()
    (root / 'table.csv').write_text('image,subject,AU1\n')
    (root / 'encoder.pth').write_bytes(b'weights')
    (tmp_path / 'exp.py').write_text(CONFIG.format(root=str(root)))
    folder = tmp_path / 'runs/fold1_seed0'
    folder.mkdir(parents=True)
    return Run('exp', str(tmp_path / 'exp.py'), 1, 0, str(folder))


def begin(run):
    cfg = run_config(run)
    run.write_note(config_digest(cfg), check_run(run, cfg))


def test_settings_by_dotted_name_and_files_by_content(run, tmp_path):
    settings, root = run_settings(run_config(run)), tmp_path / 'data'
    assert settings['train_dataloader.dataset.pipeline.1.scale'] == [48, 48]
    assert settings['val_dataloader.dataset.datasets.0.fold'] == 1
    assert settings['model.head.thr'] is None and settings['randomness.seed'] == 0
    files = {name: value for name, value in settings.items() if name.startswith('contents of ')}
    assert files == {f'contents of {root / name}': hashlib.sha256(data).hexdigest()
                     for name, data in (('encoder.pth', b'weights'),
                                        ('table.csv', b'image,subject,AU1\n'))}
    assert json.loads(json.dumps(settings)) == settings


def test_the_same_again(run, tmp_path):
    begin(run)
    check_run(run, run_config(run))
    (tmp_path / 'moved').mkdir()
    shutil.copytree(run.work_dir, tmp_path / 'moved/fold1_seed0')
    moved = run._replace(work_dir=str(tmp_path / 'moved/fold1_seed0'))
    cfg = run_config(moved)
    cfg.launcher, cfg.resume = 'pytorch', True  # how and where it is carried out
    check_run(moved, cfg)
    assert unfinished([run, moved]) == [run, moved]
    run.predictions.touch()
    assert unfinished([run, moved]) == [moved]


@pytest.mark.parametrize('change, named', [
    ('model.head.thr', r'model.head.thr: None there, 0.4 asked for'),
    ('an added one', r'more.deep: None there, 1 asked for'),
    ('table.csv', r'contents of .*table.csv: .* there, .* asked for'),
    ('encoder.pth', r'contents of .*encoder.pth')])
@pytest.mark.parametrize('finished', [True, False])
def test_what_changed_is_named(run, tmp_path, change, named, finished):
    begin(run)
    if finished:
        run.predictions.touch()
    if (tmp_path / 'data' / change).is_file():
        with open(tmp_path / 'data' / change, 'a') as file:
            file.write('0.png,S1,1\n')
    else:
        run = run._replace(options={'more.deep': 1} if 'added' in change else {change: .4})
    with pytest.raises(ValueError, match=f'{run.work_dir} was started with .*{named}.*Remedy'):
        unfinished([run])


def test_notes_of_an_older_version_are_compared_by_their_digest():
    check_unchanged('x', dict(digest='a'), {'lr': 1}, 'a')
    with pytest.raises(ValueError, match='x was started with another config'):
        check_unchanged('x', dict(digest='b'), {'lr': 1}, 'a')


def test_a_data_set_that_does_not_name_its_table(tmp_path):
    (tmp_path / 'annotation.csv').write_text('x')
    cfg = Config(dict(data=dict(type='SynthFACS', data_root=str(tmp_path))))
    assert f'contents of {tmp_path / "annotation.csv"}' in run_settings(cfg)
