# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the numbers say about the paper's claims.

A claim is ``reproduced`` if its effect lies on the claimed side of 0, ``not reproduced`` if it
lies on the other side, and ``not enough data`` if that cannot be told or there is no such run.
Whether it can be told is decided for all claims of a page together, by Holm's correction of their p
values: the chance that any of them is told by accident is at most 5 %. Where only one training
stands behind a claim, the verdict is about ``this checkpoint``. A rise of F1 that no measure
without a fixed threshold confirms is a ``threshold effect``.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.extras import needs_extra

REPRODUCED, REFUTED, OPEN = 'reproduced', 'not reproduced', 'not enough data'
THRESHOLD = 'threshold effect'
HERE, NOT_HERE = 'true of this checkpoint', 'not true of this checkpoint'
LEVEL = 0.05


class Judged(NamedTuple):
    """The effect that a claim is judged by.

    Attributes:
        effect (float): Positive if the claim is true.
        interval (tuple[float, float]): Of 95 %, for this effect alone.
        p (float): Two-sided p value of the effect being 0.
        trainings (int): That stand behind it, see
            :class:`~fmae_iat_plugin.evaluation.nested.Effect`.
    """

    effect: float
    interval: Tuple[float, float]
    p: float
    trainings: int = 2


# the claims about {base} and {ours}; the effect is positive if the claim is true
CLAIMS = dict(
    learns='{base} learns who people are, although nobody asked it to: more than pixels or an '
    'untrained encoder tell',
    forgets='Identity adversarial training removes identity from the feature',
    rises='F1 on people never seen in training rises',
    strong='Lambda must be strong: {strong:g} is better than {weak:g}',
    later='The stronger lambda, the later the best epoch',
    linear='The identity head must be linear',
    size='A larger encoder is better')


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign; a difference that rounds to zero has a plus."""
    return f'{round(value, digits) + 0.0:+.{digits}f}'


def all_of(parts: Sequence[Judged]) -> Judged:
    """A claim that holds only if each part does: the part that is weakest for it, as an
    intersection-union test asks (Berger, 1982). Of parts that all lie below 0, the least certain,
    so that the claim is refuted only if each part refutes it. Parts that disagree tell nothing.
    """
    signs = {np.sign(part.effect) for part in parts}
    weakest = max(parts, key=lambda part: -1 if np.isnan(part.p) else part.p)
    if any(np.isnan(part.p) for part in parts) or len(signs) > 1:
        middle = min(parts, key=lambda part: part.effect)
        return Judged(middle.effect, middle.interval, float('nan'), weakest.trainings)
    return weakest


def holm(p: Sequence[float]) -> np.ndarray:
    """p values corrected for their number: the k-th smallest of m times ``m - k + 1``, never below
    the one before, at most 1. NaN are left out of the number and stay NaN.

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    values = np.asarray(p, dtype=np.float64)
    out = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind='stable')]
    number, highest = len(order), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (number - rank) * values[place]))
        out[place] = highest
    return out


def claim(text: str, found: Optional[Judged], sentence: str,
          confirmed: Optional[bool] = None) -> dict:
    """A claim, not yet judged; ``found`` is None if there was no run to judge it by.

    Args:
        confirmed: Of a rise of F1: whether a measure without a fixed threshold rises as well.

    Returns:
        dict: ``claim``, ``effect``, ``interval``, ``p``, ``trainings``, ``sentence``,
        ``confirmed``; :func:`judge` adds ``holm`` and ``verdict``.
    """
    if found is None:
        return dict(claim=text, effect=None, interval=None, p=None, trainings=None,
                    sentence=sentence, confirmed=confirmed)
    return dict(claim=text, effect=found.effect, interval=list(found.interval), p=found.p,
                trainings=found.trainings, sentence=sentence, confirmed=confirmed)


def judge(claims: Sequence[dict]) -> List[dict]:
    """The claims of a page with their verdicts, corrected for their number."""
    corrected = holm([float('nan') if one['p'] is None else one['p'] for one in claims])
    out = []
    for one, p in zip(claims, corrected):
        verdict = OPEN
        if p < LEVEL:
            checkpoint = one['trainings'] == 1
            if one['effect'] < 0:
                verdict = NOT_HERE if checkpoint else REFUTED
            elif one['confirmed'] is False:
                verdict = THRESHOLD
            else:
                verdict = HERE if checkpoint else REPRODUCED
        out.append({**one, 'holm': None if np.isnan(p) else float(p), 'verdict': verdict})
    return out


def of_seeds(values: Sequence[float], confidence: float = 0.95) -> Judged:
    """Mean over seeds with Student's t interval; interval and p are NaN for one seed."""
    with needs_extra('analysis', 'intervals over seeds'):
        from scipy import stats
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        return Judged(float(numbers.mean()), (float('nan'), ) * 2, float('nan'), 1)
    reach = stats.t.ppf((1 + confidence) / 2, len(numbers) - 1) * numbers.std(ddof=1) / np.sqrt(
        len(numbers))
    same = numbers.std(ddof=1) == 0
    p = float(numbers.mean() == 0) if same else float(stats.ttest_1samp(numbers, 0).pvalue)
    return Judged(float(numbers.mean()), (float(numbers.mean() - reach),
                                          float(numbers.mean() + reach)), p, len(numbers))
