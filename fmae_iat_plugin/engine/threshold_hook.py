# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Thresholds tuned on training subjects that are held out, kept in the checkpoint.

The published F1 tunes its threshold on the test fold. This hook leaves some training subjects out
of the training and finds the thresholds that are best on them. The test fold (``f1_tuned``) and the
inferencer use these thresholds.
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
    """Tunes thresholds after the epochs and writes them into the checkpoint.

    The hook needs ``held_out=K`` in ``train_dataloader.dataset``: it tunes on these K subjects, and
    the model is not trained on them. The checkpoint's ``meta`` gets ``thresholds`` (one per AU, in
    the order of ``dataset_meta['classes']``) and ``threshold_subjects``. When such a checkpoint is
    tested, an ``ActionUnitMetric`` without thresholds uses them for ``f1_tuned``. The checkpoint of
    an epoch without tuning gets no thresholds, because those of an earlier epoch belong to other
    scores.

    Args:
        kind: ``'per_au'``: the best threshold of each AU; ``'shared'``: one for all, with the
            best mean F1. The candidates are 0.01, 0.02, ..., 0.99.
        interval: Number of epochs between two tunings; the last epoch is always tuned.

    Raises:
        ValueError: If the kind is unknown (here), or if nobody is held out (before training).
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
                             'set train_dataloader.dataset.held_out=K, a number of subjects.')
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
        found: list = [self._tune(rows) if is_main_process() else None]
        broadcast_object_list(found)
        self.thresholds, f1 = found[0]
        names = self.loader.dataset.metainfo['classes']
        runner.logger.info(
            'Thresholds tuned on %d frames of the held-out subjects %s: %s; mean F1 there %.1f %%.',
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
        """Write the thresholds into the checkpoint."""
        if self.thresholds:
            checkpoint['meta'].update(thresholds=self.thresholds,
                                      threshold_subjects=self.subjects)

    def after_load_checkpoint(self, runner, checkpoint: Dict) -> None:
        """Use the checkpoint's thresholds in a test, and keep them when a run is resumed."""
        meta = checkpoint.get('meta', {})
        self.thresholds = list(meta.get('thresholds', ()))
        loop = runner._test_loop
        for metric in getattr(getattr(loop, 'evaluator', None), 'metrics', ()):
            if self.thresholds and getattr(metric, 'thresholds', 0) is None:
                metric.thresholds = self.thresholds
