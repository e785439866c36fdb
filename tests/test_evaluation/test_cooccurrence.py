# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Co-occurrence against a loop over frames."""

import numpy as np

from fmae_iat_plugin.evaluation.cooccurrence import cooccurrence, distance


def test_a_loop_over_frames():
    rng = np.random.default_rng(0)
    present, coded = rng.random((60, 4)) < .4, rng.random((60, 4)) < .8
    present[:, 3] = False
    found = cooccurrence(present, coded)
    for i in range(4):
        for j in range(4):
            given = [bool(present[n, j]) for n in range(60)
                     if coded[n, i] and coded[n, j] and present[n, i]]
            if given:
                assert found[i, j] == sum(given) / len(given)
            else:
                assert i == 3 and np.isnan(found[i, j])


def test_distance_is_off_the_diagonal():
    a = np.array([[1., .2, np.nan], [.4, 1., .6], [.1, .3, 1.]])
    b = np.array([[0., .5, .5], [.4, 0., .7], [np.nan, .3, 0.]])
    assert np.isclose(distance(a, b), (.3 + 0 + .1 + 0) / 4)
    assert np.isnan(distance(np.ones((1, 1)), np.ones((1, 1))))
