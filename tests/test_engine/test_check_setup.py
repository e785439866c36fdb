# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Config, data and checkpoint that do not fit each other stop the run, in words."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import BaseLoop
from mmpretrain.registry import HOOKS, MODELS

ARCH = dict(embed_dims=8, num_layers=1, num_heads=1, feedforward_channels=8)


def model(classes=2, subjects=3, layers=1):
    adversary = None if subjects is None else dict(
        neck=dict(type='GradReverse'),
        head=dict(type='LinearIdentityHead', in_channels=8, num_subjects=subjects))
    return MODELS.build(dict(
        type='AUClassifier', backbone=dict(type='VisionTransformer', img_size=8, patch_size=8,
                                           arch=dict(ARCH, num_layers=layers)),
        head=dict(type='AUHead', in_channels=8, num_classes=classes), adversary=adversary))


class Loop(BaseLoop):
    """What MMEngine has built once training began; before that, and in a test, it is a dict."""

    def __init__(self, **metainfo):
        self.dataloader = SimpleNamespace(dataset=SimpleNamespace(metainfo=metainfo))

    def run(self):
        pass


def runner(model, aus=(1, 2), subjects=('A', 'B', 'C'), sampled=1, updated=1, training=True,
           judged=None):
    """A runner in training, or in a test; ``judged``: AUs of what it validates on, or tests."""
    loader = SimpleNamespace(
        dataset=SimpleNamespace(metainfo=dict(aus=aus, subjects=subjects)),
        batch_sampler=SimpleNamespace(accumulative_counts=sampled))
    judged = Loop(aus=judged or aus)
    loops = dict(_train_loop=Loop(aus=aus, subjects=subjects), train_dataloader=loader,
                 _val_loop=judged, _test_loop={}) if training else dict(
        _train_loop={}, _val_loop={}, _test_loop=judged)
    return SimpleNamespace(model=model, **loops,
                           optim_wrapper=SimpleNamespace(_accumulative_counts=updated))


hook = HOOKS.build(dict(type='CheckSetupHook'))


def test_what_fits_passes():
    hook.before_train(runner(model()))
    hook.before_train(runner(model(subjects=None), subjects=()))
    for training in (True, False):
        hook.after_load_checkpoint(runner(model(), training=training),
                                   dict(state_dict=model().state_dict()))


def test_a_strategy_that_no_runner_uses():
    plain = runner(model())
    plain.cfg = Config(dict(strategy=dict(type='WholeFSDPStrategy')))
    with pytest.raises(ValueError, match="'WholeFSDPStrategy' is not used.*SafeFlexibleRunner"):
        hook.before_train(plain)
    plain.strategy = object()
    hook.before_train(plain)


@pytest.mark.parametrize('options, words', [
    (dict(aus=(1, 2, 12)), r'head.num_classes is 2, but the data set has 3 \(1, 2, 12\).*=3'),
    (dict(subjects=('A', 'B')), r'adversary.head.num_subjects is 3, but the data set has 2 \(A, B'),
    (dict(subjects=tuple('ABCDEFGHIJ')), r'num_subjects is 3, but .* 10 .*, \.\.\.\)'),
    (dict(sampled=2), 'accumulative_counts is 2 in .*batch_sampler and 1 in optim_wrapper'),
    (dict(updated=4), 'accumulative_counts is 1 in .*batch_sampler and 4 in optim_wrapper'),
])
def test_sizes_that_disagree(options, words):
    with pytest.raises(ValueError, match=words):
        hook.before_train(runner(model(), **options))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('saved, words', [
    (dict(classes=3), r'2 weights of another shape .*head.fc.bias \(3,\), \(2,\)'),
    (dict(layers=2), r'12 weights in the checkpoint only: backbone.layers.1.*and 8 more'),
])
def test_checkpoint_of_another_model(saved, words, training):
    with pytest.raises(ValueError, match=words):
        hook.after_load_checkpoint(runner(model(), training=training),
                                   dict(state_dict=model(**saved).state_dict()))


def test_checkpoint_of_a_smaller_model_would_leave_weights_random():
    with pytest.raises(ValueError, match='12 weights in the model only: backbone.layers.1'):
        hook.after_load_checkpoint(runner(model(layers=2), training=False),
                                   dict(state_dict=model().state_dict()))


def test_the_adversary_may_differ_in_testing_only():
    """An FMAE-IAT checkpoint is tested by a plain model; resuming it so would lose the head."""
    saved = dict(state_dict=model().state_dict())
    hook.after_load_checkpoint(runner(model(subjects=None), training=False), saved)
    hook.after_load_checkpoint(runner(model(subjects=9), training=False), saved)
    with pytest.raises(ValueError, match='2 weights in the checkpoint only: adversary.head'):
        hook.after_load_checkpoint(runner(model(subjects=None)), saved)


def test_names_of_a_wrapped_model_are_understood():
    saved = {f'module.{name}': value for name, value in model().state_dict().items()}
    hook.after_load_checkpoint(runner(model(), training=False), dict(state_dict=saved))
    wrapped = torch.nn.parallel.DataParallel(model())
    assert hook.after_load_checkpoint(runner(model(), training=False),
                                      dict(state_dict=wrapped.module.state_dict())) is None


def noted(subjects=('A', 'B', 'C'), **meta):
    return dict(state_dict=model().state_dict(), meta=dict(
        epoch=1, dataset_meta=dict(meta, subjects=subjects)))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('aus', [(2, 1), (1, 4), (1, )])
def test_action_units_are_those_of_the_checkpoint_in_its_order(aus, training):
    """Two outputs fit two outputs: only the checkpoint knows that they are other ones."""
    saved = noted(aus=(1, 2), classes=('AU1', 'AU2'))
    hook.after_load_checkpoint(runner(model(), training=training), saved)
    with pytest.raises(ValueError, match='the checkpoint has AU1, AU2, the .* has AU.*'
                                         r'Remedy: aus=\(1, 2\), in that order'):
        hook.after_load_checkpoint(runner(model(), aus=aus, training=training), saved)


def test_classes_are_compared_where_there_are_no_action_units():
    saved = noted(classes=['happy', 'sad'])
    testing = runner(model(), training=False)
    testing._test_loop = Loop(classes=('happy', 'sad'))
    hook.after_load_checkpoint(testing, saved)
    testing._test_loop = Loop(classes=('sad', 'happy'))
    with pytest.raises(ValueError, match='happy, sad, the test data set .* has sad, happy'):
        hook.after_load_checkpoint(testing, saved)


def test_a_checkpoint_that_notes_nothing_is_used_as_before():
    for meta in ({}, dict(meta=None), dict(meta={}), dict(meta=dict(dataset_meta=None))):
        for training in (True, False):
            hook.after_load_checkpoint(runner(model(), training=training),
                                       dict(state_dict=model().state_dict(), **meta))


def test_validation_has_the_action_units_of_the_training():
    with pytest.raises(ValueError, match='training data set has AU1, AU2, the validation'
                                         ' data set has AU2, AU1'):
        hook.before_train(runner(model(), judged=(2, 1)))


@pytest.mark.parametrize('people, named', [(('A', 'B', 'D'), r'\(C, D\)'),
                                           (('B', 'A', 'C'), r'\(their order\)')])
def test_an_adversary_goes_on_with_the_same_people_only(people, named):
    """As many people as before, but others: each output would be taken for somebody else."""
    saved = noted(aus=(1, 2))
    with pytest.raises(ValueError, match=f'knows other people .*{named}.*model.pretrained'):
        hook.after_load_checkpoint(runner(model(), subjects=people), saved)
    hook.after_load_checkpoint(runner(model(), subjects=people, training=False), saved)
    plain = dict(saved, state_dict=model(subjects=None).state_dict())
    hook.after_load_checkpoint(runner(model(subjects=None), subjects=people), plain)


def test_a_checkpoint_notes_on_whom_its_epoch_was_judged():
    """best_*.pth is chosen on them."""
    class Data:
        metainfo, split, fold = dict(aus=(1, 2), subjects=('A', 'B', 'C')), 'held_out', 2
        rows = [dict(subject=2), {}, dict(subject=0)]

        def __len__(self):
            return 3

        def get_data_info(self, row):
            return self.rows[row]

    training = runner(model())
    training._val_loop.dataloader.dataset = Data()
    fresh, saved = HOOKS.build(dict(type='CheckSetupHook')), dict(meta={})
    fresh.before_save_checkpoint(training, saved)
    assert saved['meta']['validated_on'] == dict(split='held_out', fold=2, subjects=['A', 'C'])
    plain, nothing = HOOKS.build(dict(type='CheckSetupHook')), dict(meta={})
    plain.before_save_checkpoint(runner(model()), nothing)  # its people are not known
    assert nothing == dict(meta={})
