# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the numbers say about the paper's claims.

A claim is ``reproduced`` where the whole 95 % interval of the effect lies on the claimed side of
nothing, ``not reproduced`` where it lies on the other side, and ``not enough data`` where it holds
both or there is no such run.
"""

from typing import Optional, Sequence

import numpy as np

from fmae_iat_plugin.extras import needs_extra

REPRODUCED, REFUTED, OPEN = 'reproduced', 'not reproduced', 'not enough data'

# what is claimed, of the names {base} and {ours}; the effect is positive where it is so
CLAIMS = dict(
    learns='{base} learns who people are, although nobody asked it to',
    forgets='Identity adversarial training removes identity from the feature',
    rises='F1 on people never seen in training rises',
    strong='Lambda must be strong: {strong:g} is better than {weak:g}',
    later='The stronger lambda, the later the best epoch',
    linear='The identity head must be linear',
    size='A larger encoder is better')


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign; what rounds to zero has a plus."""
    return f'{round(value, digits) + 0.0:+.{digits}f}'


def verdict(low: float, high: float) -> str:
    """What the interval of an effect that the paper says is positive tells."""
    if low > 0:
        return REPRODUCED
    return REFUTED if high < 0 else OPEN


def claim(text: str, effect: Optional[float], interval: Optional[Sequence[float]],
          sentence: str) -> dict:
    """A claim and its verdict; without an effect there was no run to judge it by.

    Returns:
        dict: ``claim``, ``verdict``, ``effect``, ``interval``, ``sentence``.
    """
    found = OPEN if effect is None else verdict(*interval)
    return dict(claim=text, verdict=found, effect=effect,
                interval=None if interval is None else list(interval), sentence=sentence)


def seed_interval(values: Sequence[float], confidence: float = 0.95) -> tuple:
    """Student's t interval of a mean over seeds; both ends NaN for one seed."""
    with needs_extra('analysis', 'intervals over seeds'):
        from scipy import stats
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        return float('nan'), float('nan')
    reach = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(
        len(values))
    return float(values.mean() - reach), float(values.mean() + reach)
