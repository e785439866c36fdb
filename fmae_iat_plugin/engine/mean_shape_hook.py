# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Gives the model the mean shape of the faces it is trained on."""

from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmpretrain.registry import HOOKS

from .sharded import unwrap


@HOOKS.register_module()
class MeanShapeHook(Hook):
    """Copies the mean of the data set's landmarks into ``model.neck`` before training.

    The checkpoint keeps it, so that a face without landmarks is read where faces of this crop have
    their features. A data set without landmarks leaves the model's own mean shape.

    Raises:
        ValueError: If the model has no neck that takes a mean shape.
    """

    def before_train(self, runner) -> None:
        """Copy."""
        model = unwrap(runner.model)
        if not hasattr(getattr(model, 'neck', None), 'set_mean_shape'):
            raise ValueError('MeanShapeHook: the model has no regions of the face. Remedy: remove '
                             'the hook from custom_hooks, or set model.neck.')
        shape = getattr(runner.train_dataloader.dataset, 'metainfo', {}).get('mean_shape')
        if shape is None:
            MMLogger.get_current_instance().info(
                'the training data have no landmarks: the mean shape stays that of SynthFACS')
            return
        model.neck.set_mean_shape(shape)
