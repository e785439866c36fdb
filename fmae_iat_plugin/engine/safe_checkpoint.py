# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Checkpoints that a kill, a full disk or the end of a job's time cannot spoil."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from mmengine.dist import barrier, broadcast_object_list, get_world_size, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, FlexibleRunner
from mmpretrain.registry import HOOKS

from fmae_iat_plugin.files import partial_path, write_whole

from .checkpoint_files import checkpoints, fault, newest_intact, remove_left_over, settle
from .sharded import plain_name, unwrap
from .stopping import StopRequest, leave, shield_workers

_WITHIN = 'iter_{}.pth'  # checkpoints within an epoch
_REMOVED, _PROGRESS = 'removed_ckpts', 'progress'


class _Later:
    """A file backend that removes when it is told to."""

    def __init__(self, backend):
        self.backend, self.removed = backend, []
        self.remove = self.rmtree = self.removed.append

    def __getattr__(self, name: str):
        return getattr(self.backend, name)


class _Writer:
    """A runner whose ``save_checkpoint`` is another one; ``CheckpointHook`` is given it."""

    def __init__(self, runner, save_checkpoint):
        self._runner, self.save_checkpoint = runner, save_checkpoint

    def __getattr__(self, name: str):
        return getattr(self._runner, name)


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's checkpoints, each of them whole, and older ones removed only after that.

    A checkpoint is written under a hidden name, flushed to the disk, renamed, and read again (the
    CRC-32 of every record); then what it replaces is removed. ``--resume`` without a file takes
    the newest checkpoint that is intact, says which (also in ``last_checkpoint``), and names those
    that it passes over.

    On a signal the training saves after the current update and exits with
    :data:`~.stopping.STOPPED_CODE`. In a job of Slurm it then asks to be started again.

    Object stores are left to MMEngine, whose uploads are whole.

    Args:
        within_epoch (int): Iterations between checkpoints within an epoch, of which the newest is
            kept until the epoch's own. They need ``ResumableEpochLoop``. Defaults to 0: none.
        signals (Sequence[str]): Names of the signals.
        requeue (bool): Whether a job of Slurm calls ``scontrol requeue`` for itself.
        **kwargs: See ``mmengine.hooks.CheckpointHook``.

    Raises:
        ValueError: If a signal does not exist, or no checkpoint of a folder that is resumed is
            intact.
        OSError: If a checkpoint cannot be written, or does not read as it was written; the older
            ones are kept.
    """

    def __init__(self, within_epoch: int = 0, signals: Sequence[str] = ('SIGTERM', ),
                 requeue: bool = True, **kwargs) -> None:
        super().__init__(**kwargs)
        self.within_epoch, self.requeue = within_epoch, requeue
        self.request = StopRequest(signals)
        self._resumable = True  # the checkpoint that is being written has all of a run's state
        self._states: Dict[str, Any] = {}
        self._saved_at: Optional[int] = None

    # the start

    def before_run(self, runner) -> None:
        """With ``resume`` and no file: choose it, before MMEngine's ``Runner`` loads.

        Raises:
            ValueError: If the runner loads before it asks any hook.
        """
        if isinstance(runner, FlexibleRunner) and not hasattr(runner, 'asks_before_loading'):
            raise ValueError(
                f"runner_type={type(runner).__name__!r} resumes before SafeCheckpointHook can look "
                "for an intact checkpoint. Remedy: "
                "runner_type='mmpretrain.SafeFlexibleRunner'.")
        self.choose_checkpoint(runner)

    def choose_checkpoint(self, runner) -> None:
        """As above; ``SafeFlexibleRunner`` calls this event before it loads."""
        if not (runner._resume and not isinstance(runner._resume, str)
                and runner._load_from is None
                and isinstance(runner._train_loop, BaseLoop)):
            return
        folder = Path(self.out_dir, Path(runner.work_dir).name) if self.out_dir else Path(
            runner.work_dir)
        if not isinstance(get_file_backend(str(folder)), LocalBackend):
            return
        choice: list = [None]
        if is_main_process():
            length = len(runner.train_dataloader) if self.by_epoch else 1
            choice = [newest_intact(checkpoints(folder, [
                (self.filename_tmpl, length), (_WITHIN, 1)]))]
        broadcast_object_list(choice)
        path, passed = choice[0]
        for bad, reason in passed:
            runner.logger.warning('%s is passed over: %s.', bad, reason)
        if path is not None:
            runner.logger.info('%s is the newest intact checkpoint: the training goes on from it.',
                               path)
            runner._load_from = str(path)
            if is_main_process():  # MMEngine notes it after the file, so a kill leaves an older one
                write_whole(folder / 'last_checkpoint', str(path).encode())
        elif passed:
            raise ValueError(f'none of the {len(passed)} checkpoints in {folder} is intact, so '
                             'nothing can be resumed. Remedy: restore one from a copy, or remove '
                             'them to begin anew.')

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep what :meth:`before_save_checkpoint` noted, until the training begins.

        Raises:
            ValueError: If it was written within an epoch of another length.
        """
        if not runner._resume or not isinstance(checkpoint.get(_PROGRESS), dict):
            return
        progress = checkpoint[_PROGRESS]
        length, loop = progress['batches_per_epoch'], runner.train_loop
        if progress['batches_done'] and length != len(loop.dataloader):
            raise ValueError(
                f'the checkpoint was written within an epoch of {length} iterations, and an epoch '
                f'has {len(loop.dataloader)} now: batch size or data are others. Remedy: the same '
                'ones, or resume from an epoch_N.pth.')
        loop.validated_epoch = progress['validated_epoch']
        sampler = _sampler(runner)
        if progress['sampler_seed'] is not None and hasattr(sampler, 'seed'):
            sampler.seed = progress['sampler_seed']
        self._states = progress['states']

    def before_train(self, runner) -> None:
        """Listen, and clear what a killed run left."""
        super().before_train(runner)
        for name, part in _stateful(runner):
            if name in self._states:
                part.load_resume_state(self._states[name])
        self._states = {}
        self.request.listen()
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                shield_workers(loop.dataloader, [number.name for number in self.request.signals])
        if is_main_process() and isinstance(self.file_backend, LocalBackend):
            remove_left_over(Path(self.out_dir))
            info = runner.message_hub.runtime_info
            for path in set(info.get(_REMOVED, ())) - set(map(str, info.values())):
                Path(path).unlink(missing_ok=True)

    # writing

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Add what a resumed run needs beside MMEngine's state."""
        if not self._resumable:
            return
        loop, meta = runner.train_loop, checkpoint['meta']
        length = len(loop.dataloader)
        checkpoint[_PROGRESS] = dict(
            batches_per_epoch=length,
            batches_done=meta['iter'] - meta['epoch'] * length if self._by_epoch(runner) else 0,
            validated_epoch=getattr(loop, 'validated_epoch', 0),
            sampler_seed=getattr(_sampler(runner), 'seed', None),
            states={name: part.resume_state() for name, part in _stateful(runner)})

    @contextmanager
    def _replacing(self, runner) -> Iterator[_Writer]:
        """Within the block files are written whole; what it removes goes when it ends well."""
        runner = runner._runner if isinstance(runner, _Writer) else runner  # the best, then again
        backend: Any = self.file_backend
        later, written = _Later(backend), []

        def save(out_dir: str, filename: str, *args, **kwargs) -> None:
            removed = [*later.removed, *getattr(backend, 'removed', ())]
            runner.message_hub.update_info(_REMOVED, list(map(str, removed)))
            written.append(self._write(runner, out_dir, filename, *args, **kwargs))

        self.file_backend: Any = later
        try:
            yield _Writer(runner, save)
        finally:
            self.file_backend = backend
        if is_main_process():
            for path in later.removed:
                if str(path) not in written:
                    backend.rmtree(path) if backend.isdir(path) else self._discard(backend, path)

    @staticmethod
    def _discard(backend, path) -> None:
        if backend.isfile(path):
            backend.remove(path)

    def _write(self, runner, out_dir: str, filename: str, *args, **kwargs) -> str:
        """Save a checkpoint whole; returns its path."""
        runner.call_hook('before_write')  # an event of this plugin: losses that are read late
        final = Path(out_dir, filename)
        if not isinstance(get_file_backend(str(out_dir)), LocalBackend):
            runner.save_checkpoint(out_dir, filename, *args, **kwargs)
            return str(final)
        name = [partial_path(final)]
        broadcast_object_list(name)  # it holds the number of the process
        try:
            runner.save_checkpoint(out_dir, name[0].name, *args, **kwargs)
            if is_main_process():
                self._settle(name[0], final)
        finally:
            if is_main_process() and name[0].is_file():
                name[0].unlink()
        barrier()
        return str(final)

    def _settle(self, partial: Path, final: Path) -> None:
        settle(partial, final)
        reason = fault(final)
        if reason:
            raise OSError(f'{final} does not read as it was written ({reason}). The older '
                          'checkpoints are kept. Remedy: look at the disk and its free space.')

    def _save_checkpoint_with_step(self, runner, step, meta) -> None:
        before, self._resumable = self._resumable, True
        with self._replacing(runner) as writer:
            self._drop_within(runner, [])
            super()._save_checkpoint_with_step(writer, step, meta)
        self._resumable, self._saved_at = before, meta['iter']

    def _drop_within(self, runner, kept: List[str]) -> None:
        """Remove the checkpoints within an epoch but for ``kept``, in a block that replaces."""
        for path in runner.message_hub.runtime_info.get('within_ckpt') or ():
            if path not in kept:
                self.file_backend.remove(path)
        runner.message_hub.update_info('within_ckpt', kept)

    def _save_best_checkpoint(self, runner, metrics) -> None:
        self._resumable = False
        try:
            with self._replacing(runner) as writer:
                super()._save_best_checkpoint(writer, metrics)
        finally:
            self._resumable = True

    def _save_within(self, runner) -> None:
        """A checkpoint within an epoch, in the place of the one before."""
        done = runner.iter + 1
        path = str(Path(self.out_dir, _WITHIN.format(done)))
        runner.logger.info('Saving checkpoint at %d iterations, within epoch %d', done,
                           runner.epoch + 1)
        with self._replacing(runner) as writer:
            self._drop_within(runner, [path])
            writer.save_checkpoint(
                self.out_dir, Path(path).name, self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=dict(epoch=runner.epoch, iter=done), by_epoch=False,
                backend_args=self.backend_args, **self.args)
        self._saved_at = done

    # the moments

    @staticmethod
    def _by_epoch(runner) -> bool:
        return isinstance(runner.train_loop, EpochBasedTrainLoop)

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Save within an epoch if it is time or if a signal came, and then leave."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        asked, done = self.request.agreed(), runner.iter + 1
        if not getattr(runner.optim_wrapper, 'should_update', lambda: True)():
            return  # gradients are being accumulated, and would be lost
        if self._by_epoch(runner):
            if batch_idx + 1 == len(runner.train_dataloader):
                return  # the epoch's own checkpoint comes next
            if asked or self.within_epoch and done % self.within_epoch == 0:
                self._save_within(runner)
        elif asked and self._saved_at != done:
            self._save_checkpoint(runner)
        if asked:
            leave(self.request, self.requeue)

    def after_train_epoch(self, runner) -> None:
        """Save the epoch, in any case if a signal came, and then leave."""
        super().after_train_epoch(runner)
        if self._by_epoch(runner) and self.request.agreed():
            if self._saved_at != runner.iter:
                self._save_checkpoint(runner)
            leave(self.request, self.requeue)

    def after_val_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Leave a validation before which the epoch was saved; a resumed run makes up for it."""
        if (get_world_size() == 1 and self._saved_at is not None
                and self._saved_at == runner.iter and self.request.agreed()):
            leave(self.request, self.requeue)

    def after_val_epoch(self, runner, metrics) -> None:
        """Note the validation, keep the best."""
        runner.train_loop.validated_epoch = runner.epoch
        super().after_val_epoch(runner, metrics)

    def after_train(self, runner) -> None:
        """Publish, and listen no more."""
        super().after_train(runner)
        self.request.close()


def _sampler(runner):
    loader = runner.train_dataloader
    return getattr(loader.batch_sampler, 'sampler', loader.sampler)


def _stateful(runner) -> List[Tuple[str, Any]]:
    """Parts of the model, and hooks, that have a state beside weights: ``resume_state()``."""
    model = unwrap(runner.model)
    parts = [*((plain_name(name), part) for name, part in model.named_modules()),
             *((f'hook {type(hook).__name__}', hook) for hook in runner.hooks)]
    return [(name, part) for name, part in parts if hasattr(part, 'resume_state')]
