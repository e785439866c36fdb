# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Flow as colours: directions by hand, the wheel, unknown pixels."""

import colorsys

import numpy as np
import pytest

from fmae_iat_plugin.visualization.flow_wheel import flow_to_rgb, plot_flow, wheel


@pytest.mark.parametrize('flow, hue', [((1, 0), 0), ((0, 1), 90), ((-1, 0), 180), ((0, -1), 270),
                                       ((1, 1), 45)])
@pytest.mark.parametrize('length', [1., 0.5, 3.])
def test_hue_is_the_direction_and_saturation_the_length(flow, hue, length):
    vector = np.array(flow) / np.linalg.norm(flow) * length
    found = flow_to_rgb(vector[None, None], 1.)[0, 0]
    wanted = 255 * np.array(colorsys.hsv_to_rgb(hue / 360, min(length, 1), 1))
    np.testing.assert_allclose(found, wanted, atol=2)


def test_still_is_white_and_unknown_grey():
    flow = np.zeros((1, 2, 2))
    flow[0, 1, 0] = np.nan
    assert flow_to_rgb(flow, 1.)[0].tolist() == [[255] * 3, [128] * 3]
    with pytest.raises(ValueError, match='largest is 0. Remedy'):
        flow_to_rgb(flow, 0)


def test_the_wheel_shows_where_each_colour_points():
    disc = wheel(101)
    for x, y in ((90, 50), (50, 90), (20, 50), (30, 70)):
        wanted = flow_to_rgb(np.float32([[[x - 50, y - 50]]]), 50)[0, 0]
        assert disc[y, x].tolist() == wanted.tolist()
    assert disc[0, 0].tolist() == disc[50, 50].tolist() == [255] * 3


def test_the_figure_has_a_row_for_each_face():
    rng = np.random.default_rng(0)
    faces = list(rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8))
    flows = list(rng.normal(size=(2, 4, 4, 2)))
    figure = plot_flow(faces, flows, [flows[0], None])
    panels = [axes for axes in figure.axes if axes.get_title() or axes.images]
    shown = [axes.images[0].get_array() for axes in panels if axes.images]
    lengths = np.linalg.norm(np.concatenate([*flows, flows[0]]), axis=-1)
    largest = np.percentile(lengths, 99)
    assert any(np.array_equal(picture, flow_to_rgb(flows[1], largest)) for picture in shown)
    with pytest.raises(ValueError, match='2 faces, 1 predicted'):
        plot_flow(faces, flows[:1], [None, None])
