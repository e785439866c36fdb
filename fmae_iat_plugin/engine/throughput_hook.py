# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How fast a training runs, in the log: images a second, waiting for data, use of the device."""

import time
from typing import Optional

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS
from torch.utils.flop_counter import FlopCounterMode


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Logs over each interval, as ``train/...`` scalars, means of its iterations:

    - ``images_per_second``: of all ranks;
    - ``waiting``: share in 0..1 of the time in which the loop waited for a batch;
    - ``mfu``: model FLOPs utilisation in 0..1, with ``peak_tflops``: FLOPs of forward and backward
      (a multiply-add is two) over those of the device at its peak. FLOPs are counted once, in the
      first iteration, and are proportional to the batch.

    It reads the clock between iterations and does not wait for the device within an interval, so
    it costs no synchronisation of its own.

    Args:
        interval (int): Iterations of a mean; that of the logger, which prints the newest value.
        peak_tflops (float, optional): Of one device in the precision of the training; dense bf16
            as NVIDIA states it: H100 SXM 989, A100 312. Defaults to None: no utilisation.

    Raises:
        ValueError: If a number is not positive.
    """

    priority = 'ABOVE_NORMAL'  # before the logger

    def __init__(self, interval: int = 50, peak_tflops: Optional[float] = None):
        if interval < 1 or peak_tflops is not None and peak_tflops <= 0:
            raise ValueError(f'ThroughputHook: interval={interval} must be at least 1, peak_tflops='
                             f'{peak_tflops} positive.')
        self.interval, self.peak_tflops = interval, peak_tflops
        self.flops: Optional[float] = None  # of one image
        self._counter: Optional[FlopCounterMode] = None

    def before_train_epoch(self, runner) -> None:
        """Validation and checkpoints between epochs do not count."""
        self._begin()

    def _begin(self) -> None:
        self.start = self.ended = time.perf_counter()
        self.waited, self.images, self.iterations = 0., 0, 0

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """The batch is here."""
        self.waited += time.perf_counter() - self.ended
        self.images += len(data_batch['inputs'])
        self.iterations += 1
        if self.peak_tflops is not None and self.flops is None:
            self._counter = FlopCounterMode(display=False)
            self._counter.__enter__()

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """At the end of an interval, write the means."""
        if self._counter is not None:
            self._counter.__exit__(None, None, None)
            self.flops = self._counter.get_total_flops() / len(data_batch['inputs'])
            self._counter = None
            self._begin()  # counting is slow
            return
        self.ended = time.perf_counter()
        if self.iterations < self.interval:
            return
        spent = self.ended - self.start
        values = dict(images_per_second=self.images * get_world_size() / spent,
                      waiting=self.waited / spent)
        if self.flops and self.peak_tflops:
            values['mfu'] = self.images * self.flops / spent / (self.peak_tflops * 1e12)
        for name, value in values.items():
            runner.message_hub.update_scalar(f'train/{name}', value)
        self._begin()
