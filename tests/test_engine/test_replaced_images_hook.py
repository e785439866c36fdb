# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The end of a run says how many images were replaced, in whatever worker it happened."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from mmengine.runner import Runner
from PIL import Image

from fmae_iat_plugin.engine.replaced_images_hook import ReplacedImagesHook


def runner(dataset):
    return SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset), logger=Mock())


@pytest.mark.parametrize('workers', [0, 2])
def test_all_workers_count(tmp_path, workers):
    """Images 1 and 2 are bad, so 1, 2 are replaced by 3: three bad reads an epoch."""
    for number in range(5):
        Image.new('L', (4, 4), 10 * number).save(tmp_path / f'{number}.png')
    for number in (1, 2):
        (tmp_path / f'{number}.png').write_bytes(b'broken')
    part = dict(type='Face9M', data_root=str(tmp_path),
                pipeline=[dict(type='LoadFace'), dict(type='PackFace')])
    loader = Runner.build_dataloader(dict(
        batch_size=1, num_workers=workers, collate_fn=dict(type='face_collate'),
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='ConcatDataset', _scope_='mmpretrain', datasets=[part, part])))
    for _ in range(2):
        values = [int(batch['inputs'][0, 0, 0, 0]) for batch in loader]
        assert values == [0, 30, 30, 30, 40] * 2
    run = runner(loader.dataset)
    ReplacedImagesHook().after_train(run)
    assert run.logger.warning.call_args.args[1] == 2 * 2 * 3


def test_nothing_to_say():
    run = runner([1, 2])
    ReplacedImagesHook().after_train(run)
    assert not run.logger.method_calls
    run = runner(SimpleNamespace(replaced=0))
    ReplacedImagesHook().after_train(run)
    assert run.logger.info.called and not run.logger.warning.called
