# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Thresholds tuned on training subjects that are held out, kept in the checkpoint.

The published F1 tunes its threshold on the test fold. Here some training subjects are left out of
the training, and thresholds that are best on them are used on the test fold (``f1_tuned``) and by
the inferencer.
"""

from typing import Dict

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, collect_results, is_main_process
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

from fmae_iat_plugin.evaluation.scores import (
    PAPER_THRESHOLDS,
    best_shared_threshold,
    best_thresholds,
    f1_from_counts,
    threshold_counts,
)

KINDS = ('per_au', 'shared')


@HOOKS.register_module()
class ThresholdHook(Hook):
    """Tunes thresholds after the epochs, and hands them on with the checkpoint.

    Needs ``held_out=K`` in ``train_dataloader.dataset``: these K subjects are what it tunes on, and
    they are not trained on. The checkpoint's ``meta`` gets ``thresholds`` (one an AU, in the order
    of ``dataset_meta['classes']``) and ``threshold_subjects``. Where such a checkpoint is loaded
    to be tested, an ``ActionUnitMetric`` without thresholds takes them: ``f1_tuned``. The
    checkpoint of an epoch that was not tuned for gets none: thresholds of an earlier epoch belong
    to other scores.

    Args:
        kind: ``'per_au'``: the best threshold of each AU; ``'shared'``: one for all, with the
            best mean F1. Both out of 0.01, 0.02, ..., 0.99.
        interval: Every so many epochs, and after the last.

    Raises:
        ValueError: For an unknown kind (here), or if nobody is held out (before training).
    """

    priority = 'ABOVE_NORMAL'  # before the checkpoint is written

    def __init__(self, kind: str = 'per_au', interval: int = 1):
        if kind not in KINDS:
            raise ValueError(f'kind {kind!r} is none of {", ".join(KINDS)}.')
        self.kind, self.interval = kind, interval
        self.thresholds: list = []
        self.subjects: list = []

    def before_train(self, runner) -> None:
        """Build the loader of the held-out subjects: the test pipeline on the training table."""
        train, test = runner.cfg.train_dataloader.dataset, runner.cfg.test_dataloader
        if not train.get('held_out'):
            raise ValueError('ThresholdHook needs subjects to tune on. Remedy: '
                             'train_dataloader.dataset.held_out=K, some of the training subjects.')
        dataset = {**train, 'split': 'held_out', 'pipeline': test.dataset.pipeline}
        self.loader = runner.build_dataloader({**test, 'dataset': dataset})
        data = self.loader.dataset
        named = {data.get_data_info(k)['subject'] for k in range(len(data))}
        self.subjects = [data.metainfo['subjects'][k] for k in sorted(named)]

    def before_train_epoch(self, runner) -> None:
        """The weights change, and with them the scores that thresholds were tuned on."""
        self.thresholds = []

    def after_train_epoch(self, runner) -> None:
        """Predict the held-out subjects' frames and tune."""
        if not (self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)):
            return
        rows, model = [], runner.model
        model.eval()
        with torch.no_grad():
            for batch in self.loader:
                rows += [(sample.pred_score.cpu().numpy(), sample.gt_score.cpu().numpy())
                         for sample in model.val_step(batch)]
        model.train()
        rows = collect_results(rows, len(self.loader.dataset))
        found = [self._tune(rows) if is_main_process() else None]
        broadcast_object_list(found)
        self.thresholds, f1 = found[0]
        names = self.loader.dataset.metainfo['classes']
        runner.logger.info(
            'Thresholds of %d frames of the held-out subjects %s: %s; mean F1 there %.1f %%.',
            len(self.loader.dataset), ', '.join(self.subjects),
            ', '.join(f'{name} {value:.2f}' for name, value in zip(names, self.thresholds)),
            100 * f1)

    def _tune(self, rows: list) -> tuple:
        """Thresholds ``[C]`` and the mean F1 they give."""
        scores, labels = (np.stack(values) for values in zip(*rows))
        f1 = f1_from_counts(threshold_counts(scores, labels, PAPER_THRESHOLDS))
        if self.kind == 'shared':
            best, _ = best_shared_threshold(f1, PAPER_THRESHOLDS)
            values = np.full(f1.shape[1], best)
        else:
            values = best_thresholds(f1, PAPER_THRESHOLDS)
        reached = f1_from_counts(threshold_counts(scores, labels, values[None]))[0]
        return values.tolist(), float(np.nanmean(reached)) if (~np.isnan(reached)).any() else 0.

    def before_save_checkpoint(self, runner, checkpoint: Dict) -> None:
        """Note the thresholds."""
        if self.thresholds:
            checkpoint['meta'].update(thresholds=self.thresholds,
                                      threshold_subjects=self.subjects)

    def after_load_checkpoint(self, runner, checkpoint: Dict) -> None:
        """Use a checkpoint's thresholds in the test, and keep them when it is resumed."""
        meta = checkpoint.get('meta', {})
        self.thresholds = list(meta.get('thresholds', ()))
        loop = runner._test_loop
        for metric in getattr(getattr(loop, 'evaluator', None), 'metrics', ()):
            if self.thresholds and getattr(metric, 'thresholds', 0) is None:
                metric.thresholds = self.thresholds
