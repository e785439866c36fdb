# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Stops a run whose config, data and checkpoint do not fit each other, before it costs GPU hours.

MMEngine only warns about weights of a checkpoint that do not fit, so a head for other AUs would
stay random and be scored. It also cannot know that two numbers of a config belong together.
"""

from typing import Dict, List, Optional

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop
from mmpretrain.registry import HOOKS

from fmae_iat_plugin.action_units import check_same_outputs, named_outputs

from .sharded import unwrap, with_shapes


@HOOKS.register_module()
class CheckSetupHook(Hook):
    """Compares sizes before training, and names and shapes before a checkpoint is used.

    Before training: ``num_classes`` and ``num_subjects`` against the data set (a larger
    ``num_subjects`` would dilute the mean of the identity loss, and so lambda),
    ``accumulative_counts`` of sampler and optimizer wrapper against each other, and the action
    units (or classes) of the validation data, in their order, against those of the training data.

    When a checkpoint is tested, resumed or started from: it must hold every weight of the model
    with the same shape, and no other weight. What the model names ``training_only``, such as the
    adversary, may differ in a test, because prediction does not use it. The action units (or
    classes) that the checkpoint notes must be those of the data, in the same order; so must the
    subjects of an adversary that is trained on. To start from a checkpoint that fits in part, drop
    this hook from ``custom_hooks``, or load the encoder with ``model.pretrained``.

    The ``meta`` of a checkpoint gets ``validated_on``: ``split``, ``fold`` and ``subjects`` of the
    data that its epoch is judged on, because ``best_*.pth`` is chosen on them.
    """

    priority = 'VERY_HIGH'
    _validated_on: Optional[dict] = None  # looked up once

    def before_train(self, runner) -> None:
        """Compare sizes.

        Raises:
            ValueError: Names the two numbers and the remedy.
        """
        strategy = getattr(runner, 'cfg', {}).get('strategy')
        if strategy and not hasattr(runner, 'strategy'):
            raise ValueError(f'strategy={strategy["type"]!r} is not used by the runner. Remedy: '
                             "runner_type='mmpretrain.SafeFlexibleRunner'.")
        model, loader = unwrap(runner.model), runner.train_dataloader
        meta = getattr(loader.dataset, 'metainfo', {})
        adversary = getattr(model, 'adversary', None)
        graded = getattr(model, 'intensity_head', None)
        if graded is not None and not meta.get('intensity_aus'):
            raise ValueError('model.intensity_head has nothing to learn from: the data set gives '
                             'no intensities. Remedy: set `intensities` of the data set, or '
                             'model.intensity_head=None.')
        for module, where, key, names in (
                (getattr(model, 'head', None), 'head', 'num_classes', meta.get('aus')),
                (graded, 'intensity_head', 'num_classes', meta.get('intensity_aus')),
                (adversary and adversary['head'], 'adversary.head', 'num_subjects',
                 meta.get('subjects'))):
            size = getattr(module, key, None)
            if names and size is not None and size != len(names):
                raise ValueError(f'model.{where}.{key} is {size}, but the data set has {len(names)}'
                                 f' ({", ".join(map(str, names[:8]))}{", ..." * (len(names) > 8)}).'
                                 f' Remedy: set model.{where}.{key}={len(names)}.')
        check_same_outputs(named_outputs(meta), named_outputs(_metainfo(runner, '_val_loop')),
                           'the training data set', 'the validation data set')
        sampled = getattr(loader.batch_sampler, 'accumulative_counts', None)
        updated = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if sampled is not None and sampled != updated:
            raise ValueError(
                f'accumulative_counts is {sampled} in train_dataloader.batch_sampler and {updated} '
                'in optim_wrapper, so an update would not see the total batch. Remedy: set the '
                'same number in both.')

    def before_save_checkpoint(self, runner, checkpoint: Dict) -> None:
        """Note on whom the epoch is judged."""
        if self._validated_on is None:
            self._validated_on = _people(runner)
        if self._validated_on:
            checkpoint['meta']['validated_on'] = self._validated_on

    def after_load_checkpoint(self, runner, checkpoint: Dict) -> None:
        """Compare the checkpoint with the model; MMEngine calls this before it copies weights.

        Raises:
            ValueError: Lists weights that are missing, left over or of another shape; or names the
                action units, classes or people that differ.
        """
        # asking for runner.train_dataloader would build it, and read the training data, in a test
        testing = not isinstance(runner._train_loop, BaseLoop)
        saved = {name.removeprefix('module.'): tuple(value.shape)
                 for name, value in checkpoint.get('state_dict', checkpoint).items()}
        model = {name: tuple(value.shape)
                 for name, value in with_shapes(runner.model).state_dict().items()}
        if testing:
            unused = getattr(unwrap(runner.model), 'training_only', ('adversary', ))
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
        meta = checkpoint.get('meta')
        meta = (meta.get('dataset_meta') if isinstance(meta, dict) else None) or {}
        for loop in ('_train_loop', '_val_loop', '_test_loop'):
            data = _metainfo(runner, loop)
            for key in ('aus', 'intensity_aus'):
                saved_names, names = (named_outputs({**values, 'aus': values.get(key)})
                                      if key == 'aus' or values.get(key) else ()
                                      for values in (meta, data))
                check_same_outputs(saved_names, names, 'the checkpoint',
                                   f'the {loop[1:-5]} data set of the config')
        saved = list(meta.get('subjects') or ())
        people = list(_metainfo(runner, '_train_loop').get('subjects') or ())
        if any(name.startswith('adversary.') for name in model) and saved and people:
            changed = sorted(set(saved) ^ set(people)) or ['their order']
            if saved != people:
                raise ValueError(
                    'the adversary of the checkpoint knows other people than the training data set '
                    f'has ({", ".join(map(str, changed[:8]))}{", ..." * (len(changed) > 8)}), so '
                    'each of its outputs would be taken for somebody else. Remedy: the table and '
                    'protocol it was trained with, or only the encoder, with model.pretrained.')


def _listed(what: str, names: List[str], shown: int = 4) -> List[str]:
    """``['3 weights <what>: a, b, c']``, or nothing."""
    more = f', and {len(names) - shown} more' if len(names) > shown else ''
    return [f'{len(names)} weights {what}: {", ".join(names[:shown])}{more}'] if names else []


def _metainfo(runner, loop: str) -> dict:
    """``metainfo`` of a loop's data set; nothing where the loop was not built: asking the runner
    for it would build it, and read its data."""
    loop = getattr(runner, loop, None)
    loader = getattr(loop, 'dataloader', None) if isinstance(loop, BaseLoop) else None
    return getattr(getattr(loader, 'dataset', None), 'metainfo', None) or {}


def _people(runner) -> dict:
    """Split, fold and subjects of the validation data; nothing where they have none."""
    loop = getattr(runner, '_val_loop', None)
    data = getattr(loop.dataloader, 'dataset', None) if isinstance(loop, BaseLoop) else None
    names = getattr(data, 'metainfo', {}).get('subjects')
    if not names or not hasattr(data, 'get_data_info'):
        return {}
    found = {data.get_data_info(row).get('subject') for row in range(len(data))} - {None}
    return dict(split=getattr(data, 'split', None), fold=getattr(data, 'fold', None),
                subjects=[names[row] for row in sorted(found)])
