# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Purity by brute force, and that the picture shows what it says."""

import numpy as np
import pytest

from fmae_iat_plugin.visualization import embed, identity_purity, plot_tsne


def clusters(spread, subjects=5, each=12, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(subjects), each)
    return rng.normal(size=(subjects, 8))[who] * spread + rng.normal(size=(len(who), 8)), who


def test_purity_by_brute_force():
    x, who = clusters(1.0)
    x[:, 3] *= 100  # standardising makes the unit of a dimension irrelevant
    z = (x - x.mean(0)) / x.std(0)
    hits = []
    for i, row in enumerate(z):
        order = [j for j in np.argsort(((z - row) ** 2).sum(1)) if j != i][:7]
        hits.append(np.mean(who[order] == who[i]))
    purity, chance = identity_purity(x, who, neighbours=7)
    assert purity == pytest.approx(np.mean(hits)) and 0.3 < purity < 1
    same = [np.mean(np.delete(who, i) == who[i]) for i in range(len(who))]
    assert chance == pytest.approx(np.mean(same))


def test_purity_at_its_ends():
    x, who = clusters(50.0)
    assert identity_purity(x, who)[0] == 1
    noise = np.random.default_rng(1).normal(size=(2000, 4))
    purity, chance = identity_purity(noise, np.arange(2000) % 4)
    assert purity == pytest.approx(chance, abs=0.02) and chance == pytest.approx(499 / 1999)
    with pytest.raises(ValueError, match='10 frames have no 10 neighbours'):
        identity_purity(x[:10], who[:10])


def test_embedding_keeps_clusters_and_repeats():
    x, who = clusters(50.0)
    points = embed(x, seed=1)
    assert points.shape == (60, 2)
    assert identity_purity(points, who)[0] == 1
    np.testing.assert_array_equal(points, embed(x, seed=1))


def test_every_subject_has_a_look_of_its_own():
    who = np.repeat(np.arange(30), 2)
    points = np.random.default_rng(0).normal(size=(60, 2))
    figure = plot_tsne({'FMAE': points, 'FMAE-IAT': points * 2}, who)
    assert [axes.get_title() for axes in figure.axes] == ['FMAE', 'FMAE-IAT']
    looks = set()
    for dots in figure.axes[0].collections:
        looks.add((tuple(dots.get_facecolor()[0]), dots.get_paths()[0].vertices.tobytes()))
    assert len(looks) == 30
    np.testing.assert_array_equal(figure.axes[1].collections[3].get_offsets(), points[6:8] * 2)
