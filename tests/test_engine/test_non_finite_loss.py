# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A NaN sample in a real training: when it stops, what it says, and which files remain."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.logging import MMLogger

from fmae_iat_plugin.engine import NonFiniteLossHook

HOOK = {'type': 'NonFiniteLossHook'}
IN_ORDER = {'sampler': {'type': 'DefaultSampler', 'shuffle': False}, 'batch_size': 2}


def broken(make_runner, **overrides):
    """A runner whose sixth sample (iteration 2 of 6) is NaN."""
    return make_runner(hooks=[HOOK], **{
        'train_dataloader': {'dataset': make_runner.rows(bad=5), **IN_ORDER}, **overrides})


def test_stops_at_the_iteration_and_names_losses_and_images(make_runner):
    runner = broken(make_runner)
    with pytest.raises(FloatingPointError) as error:
        runner.train()
    text = str(error.value)
    assert 'iteration 2 (epoch 0, batch 2' in text
    assert 'loss_au = nan, loss_id = nan' in text
    assert 'images: faces/4.jpg, faces/5.jpg\n' in text
    assert 'bfloat16' in text
    assert runner.iter == 2


@pytest.mark.parametrize('keep', [1, -1])
def test_no_checkpoint_with_nan_weights_is_written(make_runner, tmp_path, keep):
    saving = {'checkpoint': {'type': 'CheckpointHook', 'interval': 1, 'by_epoch': False,
                             'max_keep_ckpts': keep}}
    with pytest.raises(FloatingPointError):
        broken(make_runner, default_hooks=saving).train()
    names = sorted(path.name for path in tmp_path.glob('*.pth'))
    assert names == (['iter_2.pth'] if keep == 1 else ['iter_1.pth', 'iter_2.pth'])
    weights = torch.load(tmp_path / 'iter_2.pth', weights_only=False)['state_dict']
    assert all(value.isfinite().all() for value in weights.values())


def test_without_the_hook_the_checkpoint_would_be_lost(make_runner, tmp_path):
    make_runner(max_epochs=1,
                train_dataloader={'dataset': make_runner.rows(bad=5), **IN_ORDER}).train()
    weights = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)['state_dict']
    assert not any(value.isfinite().all() for value in weights.values())


def test_finite_training_runs_through(make_runner):
    runner = make_runner(hooks=[HOOK], max_epochs=2)
    runner.train()
    assert runner.iter == 12


class _Unreadable:
    """A loss on a device: copying it to the host is what the hook must not do."""

    def __float__(self):
        raise AssertionError('device synchronised')


def fake_runner(**scalars):
    hub = {f'train/{name}': SimpleNamespace(current=lambda value=value: value)
           for name, value in scalars.items()}
    return SimpleNamespace(iter=7, epoch=1, message_hub=SimpleNamespace(get_scalar=hub.get),
                           logger=MMLogger.get_instance('non_finite', log_level='CRITICAL'))


def test_reads_the_logs_copy_instead_of_the_device():
    hook = NonFiniteLossHook()
    hook._logged = True
    outputs = {'loss': _Unreadable(), 'grad_norm': _Unreadable()}
    hook.after_train_iter(fake_runner(loss=1.0), 0, None, outputs)
    with pytest.raises(FloatingPointError, match='loss = inf; images: not available'):
        hook.after_train_iter(fake_runner(loss=math.inf), 0, None, outputs)


def test_without_runtime_info_the_loss_itself_is_read():
    outputs = {'loss': torch.tensor(float('-inf')), 'acc': torch.tensor(float('nan'))}
    with pytest.raises(FloatingPointError, match='loss = -inf; '):
        NonFiniteLossHook().after_train_iter(fake_runner(), 0, None, outputs)
    outputs['loss'] = torch.tensor(1.0)  # NaN in something that is no loss is no error
    NonFiniteLossHook().after_train_iter(fake_runner(), 0, None, outputs)
    NonFiniteLossHook().after_train_iter(fake_runner(), 0, None, None)


def test_long_batches_are_cut_short():
    batch = {'data_samples': [SimpleNamespace(img_path=f'{i}.jpg') for i in range(5)]}
    with pytest.raises(FloatingPointError, match=r'images: 0\.jpg, 1\.jpg and 3 more'):
        NonFiniteLossHook(max_paths=2).after_train_iter(
            fake_runner(), 0, batch, {'loss': torch.tensor(float('nan'))})


def test_wrong_priority_is_refused(make_runner):
    runner = make_runner(hooks=[{**HOOK, 'priority': 'LOWEST'}])
    with pytest.raises(ValueError, match='after CheckpointHook'):
        runner.train()


def _process(rank, store, results):
    """Rank 1's second loss is NaN, rank 0's never."""
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    hook, stopped = NonFiniteLossHook(), None
    for step in range(4):
        loss = torch.tensor(float('nan') if (rank, step) == (1, 1) else 1.0)
        runner = fake_runner()
        runner.iter = step
        try:
            hook.after_train_iter(runner, step, None, {'loss': loss})
        except FloatingPointError as error:
            stopped = step, str(error)
            break
    torch.save(stopped, f'{results}/{rank}.pt')
    dist.destroy_process_group()


@pytest.mark.slow
def test_all_processes_stop_together_and_say_which_one_it_was(tmp_path):
    mp.start_processes(_process, (str(tmp_path / 'store'), str(tmp_path)), nprocs=2,
                       start_method='fork')
    for rank in range(2):
        step, text = torch.load(tmp_path / f'{rank}.pt')
        assert step == 1
        assert 'rank 1: loss = nan' in text
        assert 'rank 0' not in text
