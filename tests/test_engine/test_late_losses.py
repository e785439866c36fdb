# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Losses that are read late: the same logs and checkpoints, and no weights after a NaN.

The tests ask for it on a CPU, where the queue is the same and each number is there at once.
"""

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import Hook
from mmengine.logging import MMLogger

from fmae_iat_plugin.engine import LateRuntimeInfoHook, NonFiniteLossHook
from fmae_iat_plugin.engine.deferred import Deferred

ORDER = {'sampler': {'type': 'DefaultSampler', 'shuffle': False}, 'batch_size': 2}


def hooks(late=True, **checkpoint):
    return dict(runtime_info=dict(type='LateRuntimeInfoHook', late=late),
                logger=dict(type='LoggerHook', interval=4),
                checkpoint=dict(type='SafeCheckpointHook', **checkpoint))


class Written(Hook):
    """Notes what the log holds in each iteration, after all other hooks."""

    priority = 'LOWEST'

    def __init__(self):
        self.lengths = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        scalars = runner.message_hub.log_scalars
        self.lengths.append(len(scalars['train/loss_au'].data[0]) if 'train/loss_au' in scalars
                            else 0)


def test_logs_are_complete_when_they_are_written(make_runner, tmp_path):
    """Epochs of 6 iterations, the logger at 4 of each: there, and at ends, nothing is late."""
    values, lengths = [], []
    for late in (True, False):
        written = Written()
        torch.manual_seed(0)  # the weights
        runner = make_runner(max_epochs=2, default_hooks=hooks(late, interval=1), hooks=[written],
                             work_dir=str(tmp_path / str(late)))
        runner.train()
        history = runner.message_hub.log_scalars
        values.append({name: history[name].data[0].tolist()
                       for name in ('train/loss', 'train/loss_au', 'train/loss_id')})
        lengths.append(written.lengths)
        kept = torch.load(tmp_path / str(late) / 'epoch_2.pth', weights_only=False)
        assert len(kept['message_hub']['log_scalars']['train/loss'].data[0]) == 12
    assert values[0] == values[1] and len(values[0]['train/loss']) == 12
    assert lengths[0] == [0, 1, 2, 4, 4, 6, 6, 7, 8, 10, 10, 12]
    assert lengths[1] == list(range(1, 13))


def broken(make_runner, late=True, bad=5, **checkpoint):
    """Its sixth sample (iteration 2 of 6) is NaN."""
    return make_runner(hooks=[dict(type='NonFiniteLossHook')],
                       default_hooks=hooks(late, **checkpoint),
                       train_dataloader={'dataset': make_runner.rows(bad=bad), **ORDER})


def test_a_nan_is_seen_an_iteration_later_and_named_as_what_it_was(make_runner):
    runner = broken(make_runner)
    with pytest.raises(FloatingPointError) as error:
        runner.train()
    text = str(error.value)
    assert runner.iter == 3
    assert 'iteration 2 (epoch 0, batch 2' in text
    assert 'loss_au = nan, loss_id = nan' in text
    assert 'images: faces/4.jpg, faces/5.jpg\n' in text


@pytest.mark.parametrize('checkpoint, bad, last', [
    (dict(by_epoch=False, interval=1), 5, 'iter_2.pth'),  # before it is written
    (dict(within_epoch=3), 5, None),
    (dict(interval=1), 11, None)])  # the last of the epoch, whose checkpoint comes next
def test_no_checkpoint_holds_weights_after_a_nan(make_runner, tmp_path, checkpoint, bad, last):
    runner = broken(make_runner, bad=bad, **checkpoint)
    with pytest.raises(FloatingPointError, match=f'iteration {bad // 2} '):
        runner.train()
    assert runner.iter == bad // 2
    files = sorted(path.name for path in tmp_path.glob('*.pth'))
    assert files == (['iter_1.pth', 'iter_2.pth'] if last else [])
    for name in files:
        weights = torch.load(tmp_path / name, weights_only=False)['state_dict']
        assert all(value.isfinite().all() for value in weights.values())


def test_with_mmengines_checkpoints_nothing_is_late(make_runner):
    """They remove the older file before they write."""
    runner = broken(make_runner)
    runner._hooks = [hook for hook in runner.hooks if hook.priority != 'VERY_LOW']
    runner.register_hook(dict(type='CheckpointHook', interval=1))
    with pytest.raises(FloatingPointError):
        runner.train()
    assert runner.iter == 2


def test_on_a_cpu_nothing_is_late_unless_asked(make_runner):
    written = Written()
    make_runner(max_epochs=1, default_hooks=hooks(None), hooks=[written]).train()
    assert written.lengths == list(range(1, 7))


def test_the_queue_keeps_order_and_digits():
    queue = Deferred()
    for i in range(3):
        queue.send(dict(a=torch.tensor([i / 3], dtype=torch.float64), b=.1), tag=i)
    first, = queue.receive(leave=2)
    assert first.values == dict(a=0., b=.1) and first.tag == 0
    assert [arrived.tag for arrived in queue.receive()] == [1, 2] and queue.receive() == []


def _process(rank, store, results):
    """Rank 1's second loss is NaN, rank 0's never."""
    dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    late, hook, stopped = LateRuntimeInfoHook(late=True), NonFiniteLossHook(), None
    model = torch.nn.Linear(1, 1)
    runner = SimpleNamespace(
        model=model, hooks=[late, hook], epoch=0, iter=0, max_epochs=1, max_iters=9,
        train_dataloader=SimpleNamespace(dataset=None, __len__=lambda: 9),
        logger=MMLogger.get_instance('late', log_level='CRITICAL'),
        message_hub=SimpleNamespace(update_info=lambda *_: None, update_scalar=lambda *_: None))
    late.end_of_epoch = lambda *_: False
    late.before_train(runner)
    hook.before_train(runner)
    for step in range(5):
        runner.iter = step
        loss = torch.tensor(float('nan') if (rank, step) == (1, 1) else 1.0)
        try:
            for each in (late, hook):
                each.after_train_iter(runner, step, {}, {'loss': loss})
        except FloatingPointError as error:
            stopped = step, str(error)
            break
    torch.save(stopped, f'{results}/{rank}.pt')
    dist.destroy_process_group()


@pytest.mark.slow
def test_all_processes_stop_at_the_same_iteration(tmp_path):
    mp.start_processes(_process, (str(tmp_path / 'store'), str(tmp_path)), nprocs=2,
                       start_method='fork')
    for rank in range(2):
        step, text = torch.load(tmp_path / f'{rank}.pt')
        assert step == 2 and 'iteration 1 ' in text
        assert 'rank 1: loss = nan' in text and 'rank 0' not in text
