# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The two tables, cell for cell."""

import numpy as np
import pytest

from fmae_iat_plugin.visualization.relation import plot_relation


def test_cells_are_those_of_the_tables():
    attention, labels = np.random.default_rng(0).uniform(size=(2, 3, 3))
    labels[1] = np.nan
    figure = plot_relation(attention, labels, ['AU1', 'AU2', 'AU12'])
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    off = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(shown[0].data[off], attention[off])
    assert shown[0].mask.diagonal().all() and shown[1].mask[1].all()
    np.testing.assert_allclose(shown[1].data[0, 1:], labels[0, 1:])
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == ['1', '2', '12']
    with pytest.raises(ValueError, match=r'attention has the shape \(2, 2\); 3 names'):
        plot_relation(attention[:2, :2], labels, ['AU1', 'AU2', 'AU12'])
