# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Stops a run whose config, data and checkpoint do not fit each other, before it costs GPU hours.

MMEngine loads checkpoints with a mere warning about what does not fit, so that a head of other AUs
would stay random and be scored; and it cannot know that two numbers of a config belong together.
"""

from typing import Dict, List

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class CheckSetupHook(Hook):
    """Compares sizes before training, and names and shapes before a checkpoint is used.

    Before training: ``num_classes`` and ``num_subjects`` against the data set (a larger
    ``num_subjects`` would dilute the mean of the identity loss, and so lambda), and
    ``accumulative_counts`` of sampler and optimizer wrapper against each other.

    When a checkpoint is tested or resumed: every weight of the model is in it with that
    shape, and nothing is left over. What the model names ``training_only``, such as the
    adversary, may differ when testing: prediction does not use it. To start from a checkpoint that
    fits in part, drop this hook from ``custom_hooks``, or load the encoder with
    ``model.pretrained``.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        """Compare sizes.

        Raises:
            ValueError: Names the two numbers and the remedy.
        """
        model, loader = _unwrap(runner.model), runner.train_dataloader
        meta = getattr(loader.dataset, 'metainfo', {})
        adversary = getattr(model, 'adversary', None)
        for module, key, names in ((getattr(model, 'head', None), 'num_classes', meta.get('aus')),
                                   (adversary and adversary['head'], 'num_subjects',
                                    meta.get('subjects'))):
            size = getattr(module, key, None)
            if names and size is not None and size != len(names):
                where = 'head' if key == 'num_classes' else 'adversary.head'
                raise ValueError(f'model.{where}.{key} is {size}, but the data set has {len(names)}'
                                 f' ({", ".join(map(str, names[:8]))}{", ..." * (len(names) > 8)}).'
                                 f' Remedy: set model.{where}.{key}={len(names)}.')
        sampled = getattr(loader.batch_sampler, 'accumulative_counts', None)
        updated = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if sampled is not None and sampled != updated:
            raise ValueError(
                f'accumulative_counts is {sampled} in train_dataloader.batch_sampler and {updated} '
                'in optim_wrapper, so an update would not see the total batch. Remedy: the same '
                'number in both.')

    def after_load_checkpoint(self, runner, checkpoint: Dict) -> None:
        """Compare the checkpoint with the model; MMEngine calls this before it copies weights.

        Raises:
            ValueError: Lists weights that are missing, left over or of another shape.
        """
        # asking for runner.train_dataloader would build it, and read the training data, in a test
        testing = not isinstance(runner._train_loop, BaseLoop)
        saved = {name.removeprefix('module.'): tuple(value.shape)
                 for name, value in checkpoint.get('state_dict', checkpoint).items()}
        model = {name: tuple(value.shape)
                 for name, value in _unwrap(runner.model).state_dict().items()}
        if testing:
            unused = getattr(_unwrap(runner.model), 'training_only', ('adversary', ))
            saved, model = ({name: shape for name, shape in shapes.items()
                             if name.split('.')[0] not in unused} for shapes in (saved, model))
        problems = _listed('in the model only', sorted(set(model) - set(saved)))
        problems += _listed('in the checkpoint only', sorted(set(saved) - set(model)))
        problems += _listed('of another shape (checkpoint, model)', [
            f'{name} {saved[name]}, {model[name]}' for name in sorted(set(saved) & set(model))
            if saved[name] != model[name]])
        if problems:
            raise ValueError('the checkpoint does not fit the model of the config: '
                             + '; '.join(problems) + '. Remedy: test or resume it with the config '
                             'it was trained with (its work_dir holds a copy), or load only the '
                             'encoder with model.pretrained.')


def _listed(what: str, names: List[str], shown: int = 4) -> List[str]:
    """``['3 weights <what>: a, b, c']``, or nothing."""
    more = f', and {len(names) - shown} more' if len(names) > shown else ''
    return [f'{len(names)} weights {what}: {", ".join(names[:shown])}{more}'] if names else []


def _unwrap(model):
    return model.module if is_model_wrapper(model) else model
