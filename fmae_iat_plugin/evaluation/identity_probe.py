# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Identity probe: how well a linear layer recognises the subject from the frozen feature.

70 frames of each subject train the probe and 30 test it (paper: accuracy 83 % over 41 subjects
with FMAE's feature, 27.9 % with FMAE-IAT's). Two probes see the same frames:

- ``paper``: the paper's probe *without its augmentation*: one linear layer without bias, binary
  cross entropy on the one-hot subject, AdamW, base learning rate 2e-4 (times batch / 256), batch
  64, 20 epochs, 2 of warm-up, cosine. The paper augments the training frames anew in each epoch;
  here the features are computed once, so its 83 % and 27.9 % are not on the same scale.
- ``logistic``: multinomial logistic regression on standardised features, run to convergence. It
  does not depend on a learning rate, so it measures better if the feature is narrow.

Source: "Representation Learning and Identity Adversarial Training for Facial Behavior
Understanding", identity linear probing. Neighbouring frames of a video are near-duplicates, so
frames drawn at random flatter the probe; with ``sequences`` it is tested on other sequences than it
was trained on.
"""

import math
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import torch
from mmengine.logging import MMLogger
from torch import nn
from torch.nn import functional as F

from fmae_iat_plugin.extras import needs_extra

from .intervals import bootstrap_mean


class Split(NamedTuple):
    """The frames that train and test the probe.

    Attributes:
        train, test (np.ndarray): Frame numbers, ``[S * train]`` and ``[S * test]``.
        subjects (tuple[int]): The S subjects that take part, ascending.
        left_out (dict[int, int]): Subject -> number of frames, for subjects with too few.
    """

    train: np.ndarray
    test: np.ndarray
    subjects: Tuple[int, ...]
    left_out: Dict[int, int]


class ProbeResult(NamedTuple):
    """Results of the probes; accuracies are in 0..1.

    Attributes:
        subjects (tuple[int]): The S subjects that take part.
        chance (float): 1 / S.
        logistic (np.ndarray): ``[S]`` test accuracy of each subject, logistic regression.
        bits (np.ndarray): ``[S]`` for each subject, log2(S) plus the mean log2 probability that
            the logistic regression gives the true subject. The mean is a lower bound of the
            mutual information of feature and identity in bits. It is at most log2(S), and below 0
            if the regression is overconfident.
        paper (np.ndarray): ``[S]`` test accuracy of each subject by the paper's recipe, after its
            last epoch.
        paper_epochs (list[float]): Test accuracy after each epoch; the paper reports the highest,
            which is selected on the test frames.
        split (Split): The frames, and the subjects with too few of them.
        train, test (int): Numbers of frames of each subject.
        confidence (float), seed (int): Settings of :meth:`interval`.
    """

    subjects: Tuple[int, ...]
    chance: float
    logistic: np.ndarray
    bits: np.ndarray
    paper: np.ndarray
    paper_epochs: List[float]
    split: Split
    train: int
    test: int
    confidence: float
    seed: int

    def accuracy(self, probe: str = 'logistic') -> float:
        """Mean accuracy of ``'logistic'`` or ``'paper'``."""
        return float(getattr(self, probe).mean())

    def interval(self, probe: str = 'logistic') -> Tuple[float, float]:
        """Interval of the accuracy over subjects (see :mod:`.intervals`).

        It is over subjects because the frames of one subject are not independent. It has no width
        if every subject has the same accuracy.
        """
        return bootstrap_mean(getattr(self, probe), self.confidence, self.seed)


def split_frames(subjects: np.ndarray, train: int = 70, test: int = 30, seed: int = 0,
                 sequences: Optional[np.ndarray] = None) -> Split:
    """Draw frames of each subject.

    Args:
        subjects: ``[N]`` subject of each frame, -1 = unknown (never drawn).
        train, test: Frames of each subject, at least 1.
        seed: A subject's draw depends on the seed and the subject alone.
        sequences: ``[N]`` name of the sequence of each frame, '' = unknown. If they are given, no
            sequence of a subject is on both sides: the test frames come from as few whole
            sequences as possible, the short ones first, and the training frames from the others.

    Raises:
        ValueError: If fewer than two subjects have enough frames (and sequences).
    """
    subjects = np.asarray(subjects)
    if train < 1 or test < 1:
        raise ValueError(f'identity probe: train={train} and test={test} must be at least 1')
    chosen, left_out, parts = [], {}, ([], [])
    for subject in np.unique(subjects[subjects >= 0]):
        frames = np.flatnonzero(subjects == subject)
        number, rng = len(frames), np.random.default_rng([seed, int(subject)])
        frames = rng.permutation(frames)
        if sequences is None:
            sides = frames[:train], frames[train:]
        else:
            sides = _sides(frames, np.asarray(sequences)[frames], test, rng)
        if len(sides[0]) < train or len(sides[1]) < test:
            left_out[int(subject)] = number
            continue
        chosen.append(int(subject))
        for part, side, size in zip(parts, sides, (train, test)):
            part.append(side[:size])
    if len(chosen) < 2:
        counts = ', '.join(f'{k}: {n}' for k, n in left_out.items())
        more = '' if sequences is None else ' in different sequences'
        raise ValueError(f'identity probe: only {len(chosen)} subjects have {train} + {test} frames'
                         f'{more} (subject: frames of the others: {counts}). Remedy: lower `train` '
                         'and `test`, or give more frames.')
    return Split(np.concatenate(parts[0]), np.concatenate(parts[1]), tuple(chosen), left_out)


def _sides(frames: np.ndarray, sequences: np.ndarray, test: int, rng) -> Tuple[np.ndarray, ...]:
    """Frames of the training sequences and of the test sequences, in the order of ``frames``."""
    names, sizes = np.unique(sequences[sequences != ''], return_counts=True)
    order = rng.permutation(len(names))
    order = order[np.argsort(sizes[order], kind='stable')]
    needed = int(np.searchsorted(np.cumsum(sizes[order]), test)) + 1
    tested = np.isin(sequences, names[order[:needed]])
    return frames[~tested & (sequences != '')], frames[tested]


def logistic_probe(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray) -> np.ndarray:
    """Logistic regression with C = 1.

    Returns:
        ``[M, S]``, the natural logarithm of the probability of each of the S classes, in ascending
        order, for each row of ``test_x`` ``[M, D]``.
    """
    with needs_extra('analysis', 'identity probe'):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return probe.fit(train_x, train_y).predict_log_proba(test_x)


def paper_probe(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, seed: int = 0,
                epochs: int = 20, warmup: int = 2, batch: int = 64,
                base_lr: float = 2e-4) -> np.ndarray:
    """The paper's recipe (see the module).

    Args:
        train_x, test_x: ``[N, D]`` and ``[M, D]`` features.
        train_y: ``[N]`` classes 0..S-1.

    Returns:
        ``[epochs, M]`` class predicted for each test row after each epoch.
    """
    generator = torch.Generator().manual_seed(seed)
    x, test = torch.as_tensor(train_x).float(), torch.as_tensor(test_x).float()
    y = torch.as_tensor(train_y).long()
    target = F.one_hot(y).float()
    layer = nn.Linear(x.shape[1], target.shape[1], bias=False)
    nn.init.trunc_normal_(layer.weight, std=2e-5, generator=generator)
    lr = base_lr * batch / 256
    optimizer = torch.optim.AdamW(layer.parameters(), lr=lr, weight_decay=0.05)
    steps = max(1, len(x) // batch)  # the last, incomplete batch is left out, as in training
    predictions = []
    for epoch in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for step in range(steps):
            at = epoch + step / steps
            rate = at / warmup if at < warmup else \
                0.5 * (1 + math.cos(math.pi * (at - warmup) / (epochs - warmup)))
            optimizer.param_groups[0]['lr'] = lr * rate
            rows = order[step * batch:(step + 1) * batch]
            loss = F.binary_cross_entropy_with_logits(layer(x[rows]), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            predictions.append(layer(test).argmax(1).numpy())
    return np.stack(predictions)


def identity_probe(features: np.ndarray, subjects: np.ndarray, train: int = 70, test: int = 30,
                   seed: int = 0, confidence: float = 0.95,
                   sequences: Optional[np.ndarray] = None) -> ProbeResult:
    """Probe frozen features for identity.

    Args:
        features: ``[N, D]``.
        subjects: ``[N]`` subject of each row, -1 = unknown.
        train, test: Frames of each subject that train and test the probe.
        seed: Seed of the draw of the frames, the linear layer and the bootstrap.
        confidence: Confidence level of the intervals.
        sequences: ``[N]`` sequence of each frame; see :func:`split_frames`.

    Raises:
        ValueError: If features are not finite, or fewer than two subjects have enough frames.
    """
    features = np.asarray(features, dtype=np.float32)
    if features.ndim != 2 or len(features) != len(subjects) or not np.isfinite(features).all():
        raise ValueError(f'identity probe: features {features.shape} must be finite and one row '
                         f'for each of the {len(subjects)} subjects given')
    split = split_frames(subjects, train, test, seed, sequences)
    return probe_split(split, features[split.train], features[split.test], seed, confidence,
                       sequences is not None)


def probe_split(split: Split, train_x: np.ndarray, test_x: np.ndarray, seed: int = 0,
                confidence: float = 0.95, by_sequence: bool = False) -> ProbeResult:
    """:func:`identity_probe` of frames that were drawn before their features were computed.

    Args:
        split: S subjects, ``train`` and ``test`` frames of each.
        train_x, test_x: ``[S * train, D]`` and ``[S * test, D]`` features of its frames, in its
            order.
        by_sequence: Whether the split is by sequence, for the warning alone.

    Raises:
        ValueError: If features are not finite.
    """
    train_x, test_x = (np.asarray(x, dtype=np.float32) for x in (train_x, test_x))
    if not (np.isfinite(train_x).all() and np.isfinite(test_x).all()):
        raise ValueError('identity probe: a feature is not finite. Remedy: a training whose loss '
                         'stayed finite.')
    people = len(split.subjects)
    train, test = len(train_x) // people, len(test_x) // people
    if split.left_out:
        MMLogger.get_current_instance().warning(
            'Identity probe: %d subjects have fewer than %d + %d frames%s and are left out '
            '(subject: frames): %s', len(split.left_out), train, test,
            ' in different sequences' * by_sequence,
            ', '.join(f'{k}: {n}' for k, n in split.left_out.items()))
    train_y, right = (np.repeat(np.arange(people), number) for number in (train, test))
    arguments = train_x, train_y, test_x
    log_probability = logistic_probe(*arguments)
    logistic = log_probability.argmax(1) == right
    paper = paper_probe(*arguments, seed=seed) == right
    shape = people, test  # the frames of a subject are adjacent
    bits = np.log2(people) + log_probability[np.arange(len(right)), right] / np.log(2)
    return ProbeResult(
        subjects=split.subjects, chance=1 / people,
        logistic=logistic.reshape(shape).mean(1), bits=bits.reshape(shape).mean(1),
        paper=paper[-1].reshape(shape).mean(1),
        paper_epochs=paper.mean(1).tolist(), split=split, train=train, test=test,
        confidence=confidence, seed=seed)
