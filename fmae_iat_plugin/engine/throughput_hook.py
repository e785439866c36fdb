# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How fast a training runs, in the log: images a second, waiting for data, use of the device."""

import time
from typing import Any, Optional, Union

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS

from . import model_flops
from .sharded import unwrap, with_shapes


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Logs over each interval, as ``train/...`` scalars, means of its iterations:

    - ``images_per_second``: of all ranks;
    - ``waiting``: share in 0..1 of the time in which the loop waited for a batch;
    - ``mfu``: model FLOPs utilisation in 0..1, where the peak of the device is known: FLOPs of
      forward and backward (:func:`~.model_flops.count_flops`, once, of the first image) over those
      of the device at its peak.

    It reads the clock between iterations and does not wait for the device within an interval, so
    it costs nothing. With a GPU, an interval should hold tens of iterations.

    Args:
        interval (int): Iterations. Defaults to 50.
        peak_tflops (float | str, optional): Of one device in the precision of the training; dense
            bf16 as NVIDIA states it: H100 SXM 989, A100 312. Defaults to ``'device'``: by the name
            of the GPU (:data:`~.model_flops.PEAKS`). None: no utilisation.

    Raises:
        ValueError: If a number is not positive.
    """

    priority = 'ABOVE_NORMAL'  # before the logger

    def __init__(self, interval: int = 50, peak_tflops: Union[float, str, None] = 'device'):
        if peak_tflops == 'device':
            peak_tflops = model_flops.peak_tflops()
        if interval < 1 or peak_tflops is not None and not float(peak_tflops) > 0:
            raise ValueError(f'ThroughputHook: interval={interval} must be at least 1, peak_tflops='
                             f'{peak_tflops} positive.')
        self.interval = interval
        self.peak_tflops = None if peak_tflops is None else float(peak_tflops)
        self.flops: Optional[float] = None  # of one image
        self._handle: Any = None

    def before_train(self, runner) -> None:
        """Look at what the model is given first."""
        if self.peak_tflops is not None and self.flops is None:
            model = unwrap(runner.model)
            self._handle = model.register_forward_pre_hook(
                lambda module, args, kwargs: self._count(runner, module, args, kwargs),
                with_kwargs=True)

    def _count(self, runner, model, args, kwargs) -> None:
        """FLOPs of the first image; a model that does not work on shapes alone is told of."""
        self._handle.remove()
        self._handle = None
        given = dict(zip(('inputs', 'data_samples'), args), **kwargs)
        samples = given.get('data_samples')
        try:
            self.flops = model_flops.count_flops(
                model_flops.on_meta(with_shapes(model)), given['inputs'][:1],
                samples and samples[:1])
        except Exception as error:  # noqa: BLE001  a model of the user, and a number in the log
            runner.logger.warning('ThroughputHook: the FLOPs are not counted, so the log has no '
                                  'mfu (%s: %s)', type(error).__name__, error)

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

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """At the end of an interval, write the means."""
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
