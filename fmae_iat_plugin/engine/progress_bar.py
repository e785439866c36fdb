# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""One progress bar for a whole training run, with the time that is left, for terminals."""

from typing import Optional

from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Shows the share of iterations that are done, and a metric of the latest validation.

    Args:
        title (str): Text before the bar.
        metric (str): Key of the validation metric after the bar.
        console (Console, optional): Where to draw. Defaults to the terminal.
    """

    priority = 'VERY_LOW'

    def __init__(self, title: str = 'Training', metric: str = 'f1/mean',
                 console: Optional[Console] = None):
        self.title, self.metric = title, metric
        self.progress = Progress(TextColumn('{task.description}'), BarColumn(),
                                 TaskProgressColumn(), TimeRemainingColumn(), console=console)
        self.task = None

    def before_train(self, runner) -> None:
        self.task = self.progress.add_task(self.title, total=runner.max_iters,
                                           completed=runner.iter)
        self.progress.start()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.progress.update(self.task, completed=runner.iter + 1)

    def after_val_epoch(self, runner, metrics=None) -> None:
        if self.task is not None and metrics and self.metric in metrics:
            self.progress.update(self.task, description=f'{self.title}, {self.metric} '
                                 f'{metrics[self.metric]:.1f}')

    def after_train(self, runner) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was, also after an error."""
        self.progress.stop()
