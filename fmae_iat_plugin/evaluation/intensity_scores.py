# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How well intensities of action units agree with their codes, in numpy.

Of ``n`` frames with prediction and code as two raters of each frame, ICC(3,1) is
``(BMS - EMS) / (BMS + EMS)``, with the mean squares between frames and of the residual of a two-way
analysis of variance without replication (Shrout and Fleiss, "Intraclass correlations", 1979, case
3, k = 2). Of two raters it equals ``2 cov(p, y) / (var p + var y)``, which is what is computed. An
offset between the raters does not lower it; MSE and MAE show that.

Cells that are not coded (NaN) are left out. **Undefined is NaN**: a correlation of fewer than two
frames, or of constant values (ICC: both constant). A mean leaves undefined AUs out.
"""

from typing import Dict, Sequence

import numpy as np

KEYS = ('icc', 'pearson', 'mse', 'mae')


def agreement(predicted: np.ndarray, coded: np.ndarray) -> Dict[str, float]:
    """Agreement of one action unit.

    Args:
        predicted: ``[N]`` intensities.
        coded: ``[N]`` intensities, NaN = not coded.

    Returns:
        dict: ``icc`` (ICC(3,1)) and ``pearson`` in -1..1, ``mse`` and ``mae`` in (squared) steps of
        the scale 0..5, ``number`` of the coded frames.
    """
    known = ~np.isnan(coded)
    predicted, coded = (np.asarray(values, dtype=np.float64)[known]
                        for values in (predicted, coded))
    found: Dict[str, float] = dict.fromkeys(KEYS, float('nan'))
    if len(coded):
        error = predicted - coded
        found.update(mse=float(np.mean(error**2)), mae=float(np.mean(np.abs(error))))
    if len(coded) > 1:
        spread = [float(np.var(values)) if np.ptp(values) else 0. for values in (predicted, coded)]
        shared = float(np.mean((predicted - predicted.mean()) * (coded - coded.mean())))
        if max(spread) > 0:
            found['icc'] = 2 * shared / sum(spread)
        if min(spread) > 0:
            found['pearson'] = shared / (spread[0] * spread[1])**.5
    return dict(found, number=len(coded))


def intensity_scores(predicted: np.ndarray, coded: np.ndarray,
                     classes: Sequence[str]) -> Dict[str, float]:
    """Every number that ``ActionUnitIntensityMetric`` reports, under its key.

    Args:
        predicted: ``[N, K]`` intensities in 0..5.
        coded: ``[N, K]``, NaN = not coded.
        classes: The K names, such as ``('AU1', 'AU2')``.

    Returns:
        dict: ``icc/mean``, ``icc/AU1``, ..., likewise ``pearson``, ``mse``, ``mae``, and
        ``intensity_coded/AU1``, the number of coded frames.

    Raises:
        ValueError: If the arrays do not fit, or a prediction is not a finite number.
    """
    predicted, coded = np.asarray(predicted), np.asarray(coded)
    if predicted.shape != coded.shape or predicted.shape[1:] != (len(classes), ):
        raise ValueError(f'predictions {predicted.shape} and codes {coded.shape} do not fit '
                         f'{len(classes)} action units.')
    if not np.isfinite(predicted).all():
        raise ValueError('a predicted intensity is not a finite number. Has the training diverged?')
    each = {name: agreement(predicted[:, column], coded[:, column])
            for column, name in enumerate(classes)}
    scores = {}
    for key in KEYS:
        values = np.array([found[key] for found in each.values()])
        defined = values[~np.isnan(values)]
        scores[f'{key}/mean'] = float(defined.mean()) if len(defined) else float('nan')
        scores.update({f'{key}/{name}': found[key] for name, found in each.items()})
    scores.update({f'intensity_coded/{name}': found['number'] for name, found in each.items()})
    return scores
