# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Intervals over people *and* trainings: both are samples, and a claim is about further ones.

Training the same recipe again, with another seed or on another split of the people, moves its
numbers. An interval that resamples people alone, with the trainings averaged, does not know this,
and calls a recipe different from itself. Here people and trainings are crossed random effects: each
of K trainings is tested on each of S people, and with the mean squares of the ``[K, S]`` table ::

    variance of its mean = (MS_people + max(0, MS_trainings - MS_both)) / (K S)

with Satterthwaite's degrees of freedom. Sources: Cornfield and Tukey, "Average values of mean
squares in factorials" (1956); Satterthwaite, "An approximate distribution of estimates of variance
components" (1946). A statistic that is no mean over people, such as F1, AUC or an equal error
rate, enters by its jackknife pseudo-values (Tukey, 1958).
"""

from typing import Callable, List, NamedTuple, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.extras import needs_extra

from .intervals import RESAMPLES, bootstrap_draws, bootstrap_p, bootstrap_quantiles


class Effect(NamedTuple):
    """A number with its interval.

    Attributes:
        mean (float): The number itself.
        interval (tuple[float, float]): NaN where it is not defined.
        p (float): Two-sided p value of the number being 0; NaN where it is not defined.
        trainings (int): K, the number of units that the interval takes for independent trainings:
            splits if there are several, else seeds. With 1 the interval is over people alone, and
            what it says holds for that training (a checkpoint), not for the recipe.
    """

    mean: float
    interval: Tuple[float, float]
    p: float
    trainings: int


def pseudo_values(statistic: Callable[[np.ndarray], np.ndarray], subjects: int) -> np.ndarray:
    """Jackknife pseudo-values over people: ``S t - (S - 1) t_without_s``.

    Args:
        statistic: ``[R, S]`` how often each person counts -> ``[R, ...]``.
        subjects: S.

    Returns:
        ``[S, ...]``; of a mean over people they are the people's values.
    """
    whole = statistic(np.ones((1, subjects)))
    without = statistic(1 - np.eye(subjects))
    return subjects * whole - (subjects - 1) * without


def crossed(table: np.ndarray, mean: float, confidence: float = 0.95) -> Effect:
    """Interval of the mean of a table of K >= 2 trainings and S >= 2 people, by the formula above.

    Args:
        table: ``[K, S]`` values, or pseudo-values.
        mean: The number in the middle of the interval.
        confidence: Within (0, 1).
    """
    with needs_extra('analysis', 'intervals over people and trainings'):
        from scipy import stats
    trainings, people = table.shape
    nothing = Effect(mean, (float('nan'), float('nan')), float('nan'), trainings)
    if not np.isfinite(table).all() or not np.isfinite(mean):
        return nothing
    of_people, of_trainings = table.mean(0), table.mean(1)
    both = table - of_people - of_trainings[:, None] + table.mean()
    parts = [(trainings * of_people.var(ddof=1), people - 1),
             (people * of_trainings.var(ddof=1), trainings - 1),
             ((both**2).sum() / ((trainings - 1) * (people - 1)), (trainings - 1) * (people - 1))]
    (a, a_df), (b, b_df), (ab, ab_df) = parts
    # the trainings add nothing that the people's interaction with them does not explain
    square = a if b <= ab else a + b - ab
    if square <= 0:
        return Effect(mean, (mean, mean), 1.0 if mean == 0 else 0.0, trainings)
    spread = a**2 / a_df if b <= ab else a**2 / a_df + b**2 / b_df + ab**2 / ab_df
    # the interaction is subtracted, so that the formula can fall below what either sample has
    df = max(square**2 / spread, min(people, trainings) - 1)
    error = np.sqrt(square / (trainings * people))
    reach = stats.t.ppf((1 + confidence) / 2, df) * error
    return Effect(mean, (float(mean - reach), float(mean + reach)),
                  float(2 * stats.t.sf(abs(mean) / error, df)), trainings)


def unit_means(tables: np.ndarray, units: Sequence) -> np.ndarray:
    """Average the runs of each unit: ``[N, ...]`` -> ``[K, ...]``, units in sorted order.

    Args:
        tables: N runs.
        units: Of each run its unit, such as its split.
    """
    names = sorted(set(units))
    return np.stack([_known_mean(tables[[unit == name for unit in units]]) for name in names])


def _known_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where nothing is known."""
    known = ~np.isnan(values)
    number = known.sum(0)
    return np.where(number > 0, np.where(known, values, 0).sum(0) / np.maximum(number, 1), np.nan)


def effects(statistics: Sequence[Callable[[np.ndarray], np.ndarray]], subjects: int,
            units: Sequence, confidence: float = 0.95, seed: int = 0,
            resamples: int = RESAMPLES) -> List[Effect]:
    """Numbers that are averaged over trainings, with their intervals over people and trainings.

    Args:
        statistics: Of each run: ``[R, S]`` how often each person counts -> ``[R, C]``, NaN where
            undefined.
        subjects: S >= 2.
        units: Of each run the unit that counts as a training, see :func:`training_units`.
        confidence: Within (0, 1).
        seed, resamples: Of the bootstrap, which takes the place of the formula where there is one
            unit.

    Returns:
        list[Effect]: C of them.

    Raises:
        ValueError: If there are fewer than two subjects.
    """
    def mean(draws: np.ndarray) -> np.ndarray:
        values = np.stack([statistic(draws) for statistic in statistics])
        return _known_mean(unit_means(values, units))

    whole = mean(np.ones((1, subjects)))[0]
    if len(set(units)) < 2:
        values = bootstrap_draws(mean, subjects, seed, resamples)
        return [Effect(float(number), bootstrap_quantiles(column, subjects, confidence),
                       bootstrap_p(column, subjects), 1)
                for number, column in zip(whole, values.T)]
    if subjects < 2:
        raise ValueError(f'an interval over subjects needs at least 2 subjects, got {subjects}')
    table = unit_means(np.stack([pseudo_values(statistic, subjects) for statistic in statistics]),
                       units)
    return [crossed(table[..., k], float(number), confidence) for k, number in enumerate(whole)]


def training_units(splits: Sequence[int], seeds: Sequence[int]) -> list:
    """Of each run its split if there are several of them, else its seed: the outermost level of
    the nesting, so that runs of one unit may depend on each other."""
    return list(splits if len(set(splits)) > 1 else seeds)


def noise_floor(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> float:
    """How far apart two means of K trainings of *one* recipe lie by chance, in the unit of the
    values: a smaller difference between two recipes need not mean anything.

    It is Student's reach of the difference of two means, from the spread of the trainings.

    Args:
        first, second: K >= 2 values each, of the trainings of two recipes.
    """
    with needs_extra('analysis', 'the noise floor'):
        from scipy import stats
    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if min(len(a), len(b)) < 2:
        return float('nan')
    df = len(a) + len(b) - 2
    pooled = ((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / df
    return float(stats.t.ppf((1 + confidence) / 2, df) * np.sqrt(
        pooled * (1 / len(a) + 1 / len(b))))
