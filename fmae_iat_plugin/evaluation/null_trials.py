# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Does a comparison call a recipe different from itself? Trials in which the truth is known.

In each trial two "recipes" of the same skill are trained several times; a training's skill varies
by chance, so that its F1 has the wanted standard deviation, and every person is easier or harder
for both. A 95 % interval may exclude 0 in about 5 % of the trials.
"""

from typing import List, NamedTuple, Tuple

import numpy as np

from .intervals import mean_f1, subject_counts
from .nested import effects, noise_floor

_SKILL = 1.0


class Settings(NamedTuple):
    """Of the trials.

    Attributes:
        deviation (float): Standard deviation of a training's F1 by its seed, in points.
        seeds (int), people (int), frames (int), aus (int): Of each recipe's trainings, and of the
            test set; ``frames`` of each person.
        trials (int), seed (int): How many, and where they begin.
    """

    deviation: float
    seeds: int = 3
    people: int = 24
    frames: int = 40
    aus: int = 3
    trials: int = 200
    seed: int = 11


class Trials(NamedTuple):
    """What came out.

    Attributes:
        trials (int): Number of trials.
        measured (float): Standard deviation of F1 over seeds, in points, of all trials.
        different (int): Trials whose interval over people and trainings excludes 0.
        people_alone (int): The same of an interval over people with the seeds averaged.
        covered (int): Trials whose difference is not above the noise floor.
    """

    trials: int
    measured: float
    different: int
    people_alone: int
    covered: int


def _f1(counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    return 100 * mean_f1(np.einsum('rs,ksc->krc', draws, counts))[:, None]


def _training(rng, world: tuple, skill: float) -> np.ndarray:
    """Counts ``[4, S, C]`` of one training."""
    labels, who, hard = world
    logits = (2 * labels - 1) * skill + hard[who] + rng.normal(0, 1.2, labels.shape)
    return subject_counts(1 / (1 + np.exp(-logits)), labels, who)


def _world(rng, settings: Settings) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels ``[N, C]``, person of each frame ``[N]``, difficulty of each person ``[S, C]``."""
    who = np.repeat(np.arange(settings.people), settings.frames)
    labels = (rng.random((len(who), settings.aus)) < .35).astype(float)
    return labels, who, rng.normal(0, .6, (settings.people, settings.aus))


def _points_of_skill(settings: Settings) -> Tuple[float, float]:
    """Points of F1 for one unit of skill, and the deviation of F1 that equal skill leaves."""
    rng = np.random.default_rng([settings.seed, 10**6])
    world = _world(rng, settings)
    f1 = np.array([[100 * mean_f1(_training(rng, world, skill).sum(1)) for _ in range(30)]
                   for skill in (_SKILL - .2, _SKILL + .2)])
    return float(np.diff(f1.mean(1))[0] / .4), float(f1.std(1, ddof=1).mean())


def null_trials(settings: Settings) -> Trials:
    """Carry them out."""
    slope, rest = _points_of_skill(settings)
    spread = np.sqrt(max(settings.deviation**2 - rest**2, 0)) / slope
    different = alone = covered = 0
    variances: List[float] = []
    whole = np.ones((1, settings.people))
    for trial in range(settings.trials):
        rng = np.random.default_rng([settings.seed, trial])
        world = _world(rng, settings)
        first, second = ([_training(rng, world, _SKILL + spread * rng.normal())
                          for _ in range(settings.seeds)] for _ in range(2))
        found, = effects([_difference(a, b) for a, b in zip(first, second)], settings.people,
                         range(settings.seeds))
        low, high = found.interval
        different += low > 0 or high < 0
        values = [[float(_f1(one, whole)[0, 0]) for one in part] for part in (first, second)]
        covered += abs(found.mean) <= noise_floor(*values)
        variances += [float(np.var(part, ddof=1)) for part in values]
        averaged, = effects([_mean_difference(first, second)], settings.people, [0],
                            resamples=2000)
        low, high = averaged.interval
        alone += low > 0 or high < 0
    return Trials(settings.trials, float(np.sqrt(np.mean(variances))), different, alone, covered)


def _difference(ours: np.ndarray, base: np.ndarray):
    return lambda draws: _f1(ours, draws) - _f1(base, draws)


def _mean_difference(ours: list, base: list):
    parts = [_difference(a, b) for a, b in zip(ours, base)]
    return lambda draws: np.mean([part(draws) for part in parts], axis=0)
