# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Whatever interrupts a training or its saving, an intact checkpoint is there and is resumed."""

import os
import signal

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.logging import MessageHub

from fmae_iat_plugin.engine import safe_checkpoint
from fmae_iat_plugin.engine.checkpoint_files import fault

LENGTH = 5  # iterations of an epoch


class Falling(BaseMetric):
    """The first validation is the best."""

    def process(self, batch, samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(score=-float(MessageHub.get_current_instance().get_info('epoch')))


class Send(Hook):
    """Sends this process a signal in an iteration, or in a validation."""

    def __init__(self, iteration=None, validation=None):
        self.iteration, self.validation = iteration, validation

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), signal.SIGTERM)

    def before_val_epoch(self, runner):
        if runner.epoch == self.validation:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def make(make_runner, tmp_path):
    """Function (folder, epochs, ...): a runner with safe checkpoints and five iterations an epoch.
    """
    data = make_runner.rows()
    data.rows = torch.randn(2 * LENGTH, 4, generator=torch.Generator().manual_seed(1))

    def call(folder='run', epochs=3, hooks=(), resume=True, save=None, batch_size=2, **more):
        checkpoint = {**dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=2),
                      **(save or {})}
        loader = dict(dataset=data, batch_size=batch_size, sampler=dict(type='DefaultSampler',
                                                               shuffle=True),
                      batch_sampler=dict(type='TotalBatchSampler'))
        torch.manual_seed(0)
        return make_runner(
            work_dir=str(tmp_path / folder), hooks=hooks, resume=resume, train_dataloader=loader,
            train_cfg=dict(type='ResumableEpochLoop', max_epochs=epochs), default_hooks=dict(
                checkpoint=checkpoint, repeatable=dict(type='RepeatableHook')), **more)

    return call


def validated(**more):
    return dict(val_dataloader=dict(dataset=[dict(inputs=torch.ones(4))] * 2, batch_size=1,
                                    sampler=dict(type='DefaultSampler')),
                val_cfg=dict(), val_evaluator=Evaluator(Falling()), **more)


def files(tmp_path, folder='run'):
    return sorted(path.name for path in (tmp_path / folder).iterdir() if 'pth' in path.name
                  or path.name.startswith('.'))


def weights(runner):
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one) and set(one) == set(other)


def test_a_full_disk_leaves_the_older_checkpoints(make, tmp_path, monkeypatch):
    make(epochs=2).train()
    assert files(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']

    def write(partial, final):
        raise OSError(28, 'No space left on device', str(final))

    monkeypatch.setattr(safe_checkpoint, 'settle', write)
    with pytest.raises(OSError, match='No space left'):
        make(epochs=4).train()
    assert files(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']


def test_a_disk_that_alters_what_is_written(make, tmp_path, monkeypatch):
    make(epochs=2).train()
    settle = safe_checkpoint.settle

    def write(partial, final):
        os.truncate(partial, partial.stat().st_size - 200)
        settle(partial, final)

    monkeypatch.setattr(safe_checkpoint, 'settle', write)
    with pytest.raises(OSError, match='epoch_3.pth does not read as it was written.*Remedy'):
        make(epochs=4).train()
    assert files(tmp_path) == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']
    assert fault(tmp_path / 'run/epoch_3.pth') and not fault(tmp_path / 'run/epoch_2.pth')


def test_the_newest_intact_checkpoint_is_resumed(make, tmp_path, monkeypatch):
    whole = make('whole', 4)
    whole.train()
    make(epochs=3).train()
    os.truncate(tmp_path / 'run/epoch_3.pth', 1000)
    runner, lines = make(epochs=4), []
    for level in ('info', 'warning'):
        monkeypatch.setattr(runner.logger, level, lambda text, *parts: lines.append(text % parts))
    runner.train()
    said = '\n'.join(lines)
    assert 'epoch_3.pth is passed over: it was cut off' in said
    assert 'epoch_2.pth is the newest intact checkpoint' in said
    assert same(weights(runner), weights(whole)) and not fault(tmp_path / 'run/epoch_3.pth')
    for name in files(tmp_path):
        (tmp_path / 'run' / name).write_bytes(b'')
    with pytest.raises(ValueError, match='none of the 2 checkpoints .* is intact.*Remedy'):
        make(epochs=5).train()


def test_checkpoints_within_an_epoch(make, tmp_path):
    whole = make('whole', 3)
    whole.train()
    seen = []

    class Look(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            seen.append((runner.iter + 1, files(tmp_path)))

    make(epochs=2, save=dict(within_epoch=2), hooks=[Look()]).train()
    assert seen[:4] == [(1, []), (2, ['iter_2.pth']), (3, ['iter_2.pth']), (4, ['iter_4.pth'])]
    assert seen[5] == (6, ['epoch_1.pth', 'iter_6.pth']) and seen[-2][1] == [
        'epoch_1.pth', 'iter_8.pth']
    assert files(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']
    assert not same(weights(make('other')), weights(whole))


@pytest.mark.parametrize('iteration, file', [(0, 'iter_1.pth'), (7, 'iter_8.pth'),
                                             (4, 'epoch_1.pth'), (9, 'epoch_2.pth')])
def test_a_signal_saves_and_stops(make, tmp_path, iteration, file, monkeypatch):
    monkeypatch.delenv('SLURM_JOB_ID', raising=False)
    before = signal.getsignal(signal.SIGTERM)
    whole = make('whole', 3)
    whole.train()
    # the epoch's checkpoint is written although its interval has not come
    save = dict(interval=2) if file == 'epoch_1.pth' else {}
    with pytest.raises(SystemExit) as left:
        make(hooks=[Send(iteration)], save=save).train()
    assert left.value.code == 75 and file in files(tmp_path)
    assert signal.getsignal(signal.SIGTERM) == before
    resumed = make(save=save)
    resumed.train()
    assert same(weights(resumed), weights(whole)) and resumed.iter == 3 * LENGTH
    assert 'iter' not in ''.join(files(tmp_path))


def test_a_signal_during_accumulation_waits_for_the_update(make, tmp_path):
    accumulated = dict(optim_wrapper=dict(type='OptimWrapper', accumulative_counts=2,
                                          optimizer=dict(type='AdamW', lr=1e-2)))
    whole = make('whole', 2, **accumulated)
    whole.train()
    with pytest.raises(SystemExit):
        make(epochs=2, hooks=[Send(2)], **accumulated).train()
    assert files(tmp_path) == ['iter_4.pth']
    resumed = make(epochs=2, **accumulated)
    resumed.train()
    assert same(weights(resumed), weights(whole))


def test_a_signal_in_a_validation_leaves_it_and_the_next_run_makes_up_for_it(make, tmp_path):
    best = dict(save=dict(save_best='score', rule='greater'))
    whole = make('whole', 3, **best, **validated())
    whole.train()
    kept = ['best_score_epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']
    assert files(tmp_path, 'whole') == kept
    with pytest.raises(SystemExit):
        make(hooks=[Send(validation=1)], **best, **validated()).train()
    assert files(tmp_path) == ['epoch_1.pth']
    resumed = make(**best, **validated())
    resumed.train()
    assert files(tmp_path) == kept and same(weights(resumed), weights(whole))
    for name, history in whole.message_hub.log_scalars.items():
        if 'time' not in name:
            assert resumed.message_hub.log_scalars[name].data[0].tolist() == \
                history.data[0].tolist(), name


class Killed(BaseException):
    pass


@pytest.mark.parametrize('fall', [0, 1, 2, 3])
def test_what_a_kill_between_saving_and_removing_leaves(make, tmp_path, monkeypatch, fall):
    """The older files stay once, and go with the next checkpoints."""
    best = dict(save=dict(save_best='score', rule='less', max_keep_ckpts=1))
    settle, count = safe_checkpoint.settle, [0]

    def write(partial, final):
        settle(partial, final)
        count[0] += 1
        if count[0] == 4 + fall:
            raise Killed

    monkeypatch.setattr(safe_checkpoint, 'settle', write)
    with pytest.raises(Killed):
        make(epochs=4, **best, **validated()).train()
    left = files(tmp_path)
    assert len(left) >= 2 and not any(fault(tmp_path / 'run' / name) for name in left)
    monkeypatch.setattr(safe_checkpoint, 'settle', settle)
    make(epochs=4, **best, **validated()).train()
    assert files(tmp_path) == ['best_score_epoch_4.pth', 'epoch_4.pth']


def test_another_length_of_the_epoch_is_refused_within_it(make, tmp_path):
    with pytest.raises(SystemExit):
        make(hooks=[Send(6)]).train()
    with pytest.raises(ValueError, match='an epoch of 5 iterations, and an epoch has 10 now'):
        make(batch_size=1, load_from=str(tmp_path / 'run/iter_7.pth')).train()
