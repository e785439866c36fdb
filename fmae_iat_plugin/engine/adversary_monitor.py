# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Whether the game between feature and identity head has settled, said in a few numbers.

The identity loss alone does not say it. Above its floor the head is being fooled: it would score
better if it did not look. At its floor the head reads nothing, which may be because the feature
holds nothing, or because the feature turns faster than the head follows. Only a *fresh* probe tells
these apart, so its accuracy stands beside that of the head in the game.
"""

from typing import Dict, Optional

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmpretrain.registry import DATASETS, HOOKS

from fmae_iat_plugin.evaluation.features import DrawnFrames, frame_notes
from fmae_iat_plugin.evaluation.identity_probe import logistic_probe, split_frames

from .sharded import refuse_sharded, unwrap

#: scalars that the hook writes, each after ``adversary/``
KEYS = ('loss', 'floor', 'ceiling', 'common_share', 'feature_norm', 'head', 'fresh', 'chance')
SLACK = 1.1  # the loss of some batches varies; above this many floors it is not noise


@HOOKS.register_module()
class AdversaryMonitorHook(Hook):
    """Writes to the log and the visualizer, once an epoch, without changing the training:

    - ``adversary/loss``: identity loss, mean over the epoch's observed batches of the first rank;
      ``adversary/floor``, ``adversary/ceiling``: what a head scores that says the rates of the
      training people, and one whose logits are all 0;
    - ``adversary/common_share``: share in 0..1 of the squared gradient on the identity logits that
      lies along the direction common to all, which says nothing about anybody;
    - ``adversary/feature_norm``: mean length of the feature;
    - ``adversary/head``, ``adversary/fresh``, ``adversary/chance``: accuracy in percent of the
      head in the game, of a logistic regression fitted now, and of guessing, on the same frames of
      the training people. They are held out from the fresh probe, and, where the table names
      sequences, of other sequences than it was fitted on; the head has seen them in training.

    A warning says in words what is wrong. Without an adversary the hook does nothing, so that one
    config serves both.

    Args:
        every (int): Batches between two that are observed.
        interval (int): Epochs between two fresh probes; the last epoch always has one, and 0 means
            none at all.
        train, test (int): Frames of each person that fit and test the fresh probe.
        seed (int): Of the draw of these frames.

    Raises:
        ValueError: If an argument is out of range.
    """

    priority = 'LOW'  # after the validation's own log

    def __init__(self, every: int = 10, interval: int = 1, train: int = 20, test: int = 10,
                 seed: int = 0):
        if every < 1 or interval < 0:
            raise ValueError(f'AdversaryMonitorHook: every={every} must be at least 1, interval='
                             f'{interval} at least 0.')
        self.every, self.interval = every, interval
        self.train, self.test, self.seed = train, test, seed

    def before_train(self, runner) -> None:
        """Find the adversary, count the training people's frames, draw those of the probe."""
        model = unwrap(runner.model)
        self.seen: Dict[str, list] = {}
        self.feature: Optional[torch.Tensor] = None
        self.handle = None
        if getattr(model, 'adversary', None) is None:
            return
        refuse_sharded(runner.model, 'AdversaryMonitorHook')
        self.model, self.head = model, model.adversary['head']
        self.handle = model.adversary['neck'].register_forward_hook(self._keep)
        subjects, _ = frame_notes(runner.train_dataloader.dataset)
        counts = np.bincount(subjects[subjects >= 0], minlength=self.head.num_subjects)
        self.floor, self.ceiling = self.head.guessing_losses(torch.as_tensor(counts))
        self.drawn = self._draw(runner, subjects) if self.interval and is_main_process() else None

    def _draw(self, runner, training: np.ndarray) -> Optional[DrawnFrames]:
        """Frames of people that are trained on, with the test pipeline; None if too few people have
        so many, which the log says."""
        data = DATASETS.build({**runner.cfg.test_dataloader.dataset, 'split': 'all'})
        subjects, sequences = frame_notes(data)
        subjects = np.where(np.isin(subjects, training[training >= 0]), subjects, -1)
        by_sequence = [sequences] if (sequences != '').any() else []
        for known in (*by_sequence, None):
            try:
                return DrawnFrames(data, split_frames(subjects, self.train, self.test, self.seed,
                                                      known))
            except ValueError as error:
                reason = error
        runner.logger.warning('AdversaryMonitorHook has no fresh probe: %s', reason)
        return None

    def _keep(self, module, inputs, output) -> None:
        if self.model.training:
            self.feature = (output[-1] if isinstance(output, tuple) else output).detach()

    @torch.no_grad()
    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Observe a batch: the feature as it was, the head as it is now."""
        feature, self.feature = self.feature, None
        if feature is None or batch_idx % self.every:  # the first of an epoch, however short
            return
        subject = self.head.targets(data_batch['data_samples'], feature.device)
        feature, subject = feature[subject >= 0].float(), subject[subject >= 0]
        if not len(subject):
            return
        logits = self.head((feature, ))
        loss = self.head.head_loss(logits, subject).mean().item() / self.head.divisor
        values = dict(loss=loss, common_share=self.head.common_share(logits, subject),
                      feature_norm=feature.norm(dim=1).mean().item())
        for key, value in values.items():
            self.seen.setdefault(key, []).append(value)

    def resume_state(self) -> dict:
        """What was observed of an epoch, for a checkpoint within it."""
        return self.seen

    def load_resume_state(self, state: dict) -> None:
        """Go on from there."""
        self.seen = {key: list(values) for key, values in state.items()}

    def after_train_epoch(self, runner) -> None:
        """Write the numbers, on the first rank; the others wait at their next common step."""
        seen, self.seen = self.seen, {}
        if not is_main_process() or not seen:
            return
        values = {key: float(np.mean(part)) for key, part in seen.items()}
        values.update(floor=self.floor, ceiling=self.ceiling)
        if self.drawn is not None and (self.every_n_epochs(runner, self.interval)
                                       or self.is_last_train_epoch(runner)):
            values.update(self._probe())
        runner.visualizer.add_scalars({f'adversary/{key}': values[key] for key in KEYS
                                       if key in values}, step=runner.epoch + 1)
        runner.logger.info('Adversary after epoch %d: %s', runner.epoch + 1, ', '.join(
            f'{key} {values[key]:.3g}' for key in KEYS if key in values))
        for sentence in complaints(values):
            runner.logger.warning('Adversary after epoch %d: %s', runner.epoch + 1, sentence)

    def _probe(self) -> Dict[str, float]:
        with torch.random.fork_rng(devices=[]):
            fit_x, test_x = self.drawn.features(self.model)
        people = np.array(self.drawn.split.subjects)
        fit_y, right = (np.repeat(people, len(x) // len(people)) for x in (fit_x, test_x))
        fresh = people[logistic_probe(fit_x, fit_y, test_x).argmax(1)] == right
        device = next(self.model.parameters()).device
        with torch.no_grad():
            logits = self.head((torch.as_tensor(test_x, device=device), )).cpu().numpy()
        own = logits.argmax(1) == right
        return dict(head=100 * float(own.mean()), fresh=100 * float(fresh.mean()),
                    chance=100 / len(people))

    def after_train(self, runner) -> None:
        """Leave the model as it was."""
        if self.handle is not None:
            self.handle.remove()


def complaints(values: Dict[str, float]) -> list:
    """What is wrong with a game, in sentences.

    Args:
        values: By the names of :data:`KEYS`; those of the probe may be missing.
    """
    out = []
    if values['loss'] > SLACK * values['floor']:
        out.append(f'the identity loss {values["loss"]:.3g} is above {values["floor"]:.3g}, which '
                   'a head scores that only says how often each person occurs: the feature fools '
                   'the head instead of losing identity. Remedy: a smaller lambda, or loss='
                   "'bce_centred' or 'ce' in model.adversary.head (docs/en/iat.md).")
    if 'fresh' in values and values['fresh'] - values['head'] > 2 * values['chance'] + 5:
        out.append(f'the head names {values["head"]:.1f} % of frames, a probe fitted now '
                   f'{values["fresh"]:.1f} %: what the head cannot read is still in the feature, '
                   "which turns faster than the head follows. Remedy: fit='closed_form', "
                   'HeadStepsHook, or a larger lr_mult of the head (docs/en/iat.md).')
    return out
