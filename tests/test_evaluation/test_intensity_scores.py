# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""ICC(3,1) against a written-out table of the analysis of variance, and a published example."""

import math
import statistics

import numpy as np
import pytest

from fmae_iat_plugin.evaluation.intensity_scores import agreement, intensity_scores

NAN = float('nan')


def anova_icc(ratings):
    """ICC(3,1) of Shrout and Fleiss (1979) from the table of squares, for any number of raters.

    Total = between targets + between raters + residual, each sum of squares by its own loop.
    """
    targets, raters = len(ratings), len(ratings[0])
    grand = sum(map(sum, ratings)) / (targets * raters)
    rows = [sum(row) / raters for row in ratings]
    columns = [sum(row[k] for row in ratings) / targets for k in range(raters)]
    total = sum((value - grand)**2 for row in ratings for value in row)
    between = raters * sum((mean - grand)**2 for mean in rows)
    judges = targets * sum((mean - grand)**2 for mean in columns)
    residual = total - between - judges
    bms = between / (targets - 1)
    ems = residual / ((targets - 1) * (raters - 1))
    return (bms - ems) / (bms + (raters - 1) * ems)


def test_the_table_gives_the_published_example():
    """Shrout and Fleiss (1979), table 2: six targets, four judges, ICC(3,1) = .71 (table 4)."""
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert anova_icc(ratings) == pytest.approx(.71, abs=.005)


def truth(predicted, coded):
    """Every number of one action unit in Python's floats, from its definition."""
    pairs = [(float(p), float(y)) for p, y in zip(predicted, coded) if not math.isnan(y)]
    first, second = zip(*pairs)
    return dict(icc=anova_icc(pairs), pearson=statistics.correlation(first, second),
                mse=statistics.fmean((p - y)**2 for p, y in pairs),
                mae=statistics.fmean(abs(p - y) for p, y in pairs), number=len(pairs))


@pytest.mark.parametrize('seed', range(200))
def test_random_cases(seed):
    rng = np.random.default_rng(seed)
    number = int(rng.integers(5, 60))
    coded = rng.integers(0, 6, (number, 3)).astype(np.float32)
    predicted = np.clip(coded * rng.uniform(-.2, 1.2) + rng.normal(0, 1, coded.shape), 0, 5)
    coded[rng.random(coded.shape) < .2] = np.nan
    coded[:2] = [[0, 1, 2], [3, 4, 5]]  # at least two frames that differ
    predicted[:2] = [[2, 1, 4], [0, 5, 3]]
    scores = intensity_scores(predicted, coded, ('AU1', 'AU2', 'AU12'))
    wanted = {name: truth(predicted[:, k], coded[:, k])
              for k, name in enumerate(('AU1', 'AU2', 'AU12'))}
    for key in ('icc', 'pearson', 'mse', 'mae'):
        for name, values in wanted.items():
            assert scores[f'{key}/{name}'] == pytest.approx(values[key], abs=1e-9)
        assert scores[f'{key}/mean'] == pytest.approx(
            statistics.fmean(values[key] for values in wanted.values()), abs=1e-9)
    assert [scores[f'intensity_coded/{name}'] for name in wanted] == [
        values['number'] for values in wanted.values()]


def test_an_offset_shows_in_the_errors_and_not_in_the_correlations():
    coded = np.array([0., 1., 2., 3., 4.])
    found = agreement(coded + 1, coded)
    assert found == dict(icc=pytest.approx(1), pearson=pytest.approx(1), mse=1, mae=1, number=5)
    halved = agreement(coded / 2, coded)  # of the same order, but not of the same spread
    assert halved['pearson'] == pytest.approx(1)
    assert halved['icc'] == pytest.approx(2 * .5 / (1 + .25))


def test_what_is_undefined_is_nan_and_left_out_of_the_mean():
    predicted = np.array([[0., 1., 1., 2.], [1., 1., 2., 2.], [2., 1., 3., 2.]])
    coded = np.array([[0., 0., NAN, 1.], [1., 2., NAN, 1.], [2., 4., NAN, 1.]])
    scores = intensity_scores(predicted, coded, ('AU1', 'AU2', 'AU4', 'AU6'))
    assert scores['icc/AU1'] == scores['pearson/AU1'] == pytest.approx(1)
    assert scores['icc/AU2'] == 0 and math.isnan(scores['pearson/AU2'])  # one of them is constant
    assert all(math.isnan(scores[f'{key}/AU4']) for key in ('icc', 'pearson', 'mse', 'mae'))
    assert math.isnan(scores['icc/AU6']) and scores['mse/AU6'] == 1  # both are
    assert scores['icc/mean'] == pytest.approx(.5) and scores['pearson/mean'] == pytest.approx(1)
    assert scores['intensity_coded/AU4'] == 0


@pytest.mark.parametrize('predicted,coded', [
    (np.zeros((2, 3)), np.zeros((2, 2))), (np.zeros((2, 2)), np.zeros((3, 2))),
    (np.full((2, 2), NAN), np.zeros((2, 2)))])
def test_unusable_arrays(predicted, coded):
    with pytest.raises(ValueError, match='do not fit|not a finite number'):
        intensity_scores(predicted, coded, ('AU1', 'AU2'))
