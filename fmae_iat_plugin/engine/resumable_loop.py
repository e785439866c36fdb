# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""An epoch loop that can begin inside an epoch, without reading what was already seen."""

from itertools import islice

from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.registry import LOOPS
from torch import nn


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """MMEngine's loop over epochs, which a checkpoint can leave and enter at any iteration.

    ``train_cfg = dict(type='ResumableEpochLoop', max_epochs=50)``; the other arguments are those of
    ``EpochBasedTrainLoop``. Without a resume it does the same.

    The place in the epoch is the number of iterations beyond the finished epochs. A batch sampler
    with ``start_at(epoch, batches_done)`` is asked to begin there. With another one, the batches
    are read and thrown away.

    A checkpoint is written before its epoch is validated. If ``validated_epoch`` is not the epoch
    at which a resumed run begins, the loop makes up for the validation first, so that no epoch is
    left out of the choice of the best one.

    Attributes:
        validated_epoch (int): Number of finished epochs at the last validation;
            ``SafeCheckpointHook`` keeps it in checkpoints.
    """

    validated_epoch = 0

    def run(self) -> nn.Module:
        """Train, from the place that was resumed, if any."""
        self.runner.call_hook('before_train')
        if self._epoch and self._epoch != self.validated_epoch and not self.batches_done():
            # what a component reads while an epoch is validated
            self.runner.message_hub.update_info('epoch', self._epoch - 1)
            self.runner.message_hub.update_info('iter', self._iter - 1)
            self._decide_current_val_interval()
            self._validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            self._validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    def _validate(self) -> None:
        """If it is time to."""
        if (self.runner.val_loop is not None and self._epoch >= self.val_begin
                and (self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs)):
            self.runner.val_loop.run()

    def batches_done(self) -> int:
        """Of the current epoch, before the current iteration; 0, with a warning, if the number of
        iterations done does not fit the epoch, as after a change of the batch size."""
        done = self._iter - self._epoch * len(self.dataloader)
        if 0 <= done < len(self.dataloader):
            return done
        self.runner.logger.warning(
            'Epoch %d begins with %d iterations done, which does not fit %d in an epoch: the batch '
            'size or the data are not those of the checkpoint.', self._epoch + 1, self._iter,
            len(self.dataloader))
        return 0

    def run_epoch(self) -> None:
        """One epoch, or what is left of it."""
        done = self.batches_done()
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for idx, data_batch in enumerate(self._begin(done), done):
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _begin(self, done: int):
        """The batches from number ``done`` on."""
        if not done:
            return self.dataloader
        sampler = self.dataloader.batch_sampler
        if hasattr(sampler, 'start_at'):
            sampler.start_at(self._epoch, done)
            return self.dataloader
        self.runner.logger.warning(
            '%s cannot start inside an epoch: %d batches are read and thrown away.',
            type(sampler).__name__, done)
        return islice(self.dataloader, done, None)
