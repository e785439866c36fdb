# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Identity probing while a model trains (paper: Fig. 3 over the epochs)."""

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmpretrain.registry import DATASETS, HOOKS

from fmae_iat_plugin.evaluation.features import DrawnFrames, frame_notes
from fmae_iat_plugin.evaluation.identity_probe import probe_split, split_frames

from .sharded import refuse_sharded, unwrap


@HOOKS.register_module()
class IdentityProbeHook(Hook):
    """Probes the feature after epochs, on frames of all people of the test data set.

    Writes ``identity/paper`` and ``identity/logistic`` (accuracy in percent, see
    :func:`~fmae_iat_plugin.evaluation.identity_probe`) to the log and the visualizer. The frames
    are drawn first, and only these are read. The random numbers of the training are not used: the
    weights are the same as without this hook.

    Args:
        interval: Number of epochs between two probes; the last epoch is always probed.
        train, test: Numbers of frames of each person that train and test the probe.
        seed: Seed of the draw of these frames.
    """

    priority = 'LOW'  # after the validation's own log

    def __init__(self, interval: int = 1, train: int = 70, test: int = 30, seed: int = 0):
        self.interval, self.train, self.test, self.seed = interval, train, test, seed

    def before_train(self, runner) -> None:
        """Draw the frames.

        Raises:
            ValueError: If fewer than two people have so many, or if FSDP shards the model.
        """
        refuse_sharded(runner.model, 'IdentityProbeHook')
        data = DATASETS.build({**runner.cfg.test_dataloader.dataset, 'split': 'all'})
        subjects, _ = frame_notes(data)
        self.drawn = DrawnFrames(data, split_frames(subjects, self.train, self.test, self.seed))

    def after_train_epoch(self, runner) -> None:
        """Probe, on the first rank; the others wait at their next common step."""
        due = self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)
        if not due or not is_main_process():
            return
        model = unwrap(runner.model)
        with torch.random.fork_rng(devices=[]):
            probe = probe_split(self.drawn.split, *self.drawn.features(model), seed=self.seed)
        values = {f'identity/{kind}': 100 * probe.accuracy(kind) for kind in ('paper', 'logistic')}
        runner.logger.info("Identity after epoch %d: the paper's probe without augmentation "
                           '%.1f %%, logistic %.1f %%, chance %.1f %%', runner.epoch + 1,
                           *values.values(), 100 * probe.chance)
        runner.visualizer.add_scalars(values, step=runner.epoch + 1)
