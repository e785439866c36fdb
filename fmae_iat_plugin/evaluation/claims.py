# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the numbers say about the paper's claims.

A claim is ``reproduced`` if the whole 95 % interval of the effect lies on the claimed side of 0,
``not reproduced`` if it lies on the other side, and ``not enough data`` if it contains 0 or if
there is no such run.
"""

from typing import Optional, Sequence

import numpy as np

from fmae_iat_plugin.extras import needs_extra

REPRODUCED, REFUTED, OPEN = 'reproduced', 'not reproduced', 'not enough data'

# the claims about {base} and {ours}; the effect is positive if the claim is true
CLAIMS = dict(
    learns='{base} learns who people are, although nobody asked it to',
    forgets='Identity adversarial training removes identity from the feature',
    rises='F1 on people never seen in training rises',
    strong='Lambda must be strong: {strong:g} is better than {weak:g}',
    later='The stronger lambda, the later the best epoch',
    linear='The identity head must be linear',
    size='A larger encoder is better')


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign; a difference that rounds to zero has a plus."""
    return f'{round(value, digits) + 0.0:+.{digits}f}'


def verdict(low: float, high: float) -> str:
    """The verdict that follows from the interval of an effect that the paper claims is positive."""
    if low > 0:
        return REPRODUCED
    return REFUTED if high < 0 else OPEN


def claim(text: str, effect: Optional[float], interval: Optional[Sequence[float]],
          sentence: str) -> dict:
    """A claim and its verdict; effect and interval are None if there was no run to judge it by.

    Returns:
        dict: ``claim``, ``verdict``, ``effect``, ``interval``, ``sentence``.
    """
    found = OPEN if effect is None or interval is None else verdict(*interval)
    return dict(claim=text, verdict=found, effect=effect,
                interval=None if interval is None else list(interval), sentence=sentence)


def seed_interval(values: Sequence[float], confidence: float = 0.95) -> tuple:
    """Student's t interval of a mean over seeds; both ends are NaN for one seed."""
    with needs_extra('analysis', 'intervals over seeds'):
        from scipy import stats
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        return float('nan'), float('nan')
    reach = stats.t.ppf((1 + confidence) / 2, len(numbers) - 1) * numbers.std(ddof=1) / np.sqrt(
        len(numbers))
    return float(numbers.mean() - reach), float(numbers.mean() + reach)
