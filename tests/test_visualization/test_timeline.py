# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The timeline: its cells are the rows, at their times, with gaps where there was no face."""

import numpy as np
import pytest

from fmae_iat_plugin.inference.predictions import FacePrediction
from fmae_iat_plugin.visualization import timeline
from fmae_iat_plugin.visualization.style import to_png
from fmae_iat_plugin.visualization.timeline import plot_timeline

AUS = (1, 12, 26)


def video(times, faces):
    """Rows: faces = {face_id: set of frame numbers from 1}."""
    rng, rows = np.random.default_rng(0), []
    for number, time in enumerate(times, 1):
        here = [face for face, frames in faces.items() if number in frames]
        rows += [FacePrediction('v', number, time, face, True, .9, (0., 0., 9., 9.), 9, 9,
                                tuple(rng.random(len(AUS))), (True, ) * len(AUS)) for face in here]
        if not here:
            rows.append(FacePrediction('v', number, time, 0, False, None, None, 9, 9))
    return rows


def heat_maps(figure):
    """face title -> (edges, cells) as matplotlib holds them."""
    found = {}
    for axes in figure.axes:
        for image in axes.images:
            cells = image.get_array()
            edges = getattr(image, '_Ax', None)  # evenly spaced ones are an image with an extent
            if edges is None:
                edges = np.linspace(*image.get_extent()[:2], cells.shape[1] + 1)
            found[axes.get_title(loc='left')] = edges, cells
    return found


def test_cells_equal_the_rows_at_uneven_times():
    times = [0., .04, .1, .5, .54, 2.]
    rows = video(times, {0: {1, 2, 4, 5}, 3: {2, 3}})
    found = heat_maps(plot_timeline(rows, AUS))
    assert sorted(found) == ['face 0', 'face 3']
    for title, (edges, cells) in found.items():
        np.testing.assert_allclose(edges[:-1], times, atol=1e-6)
        assert edges[-1] > 2
        for number in range(1, 7):
            row = [row for row in rows if row.frame == number and row.success
                   and f'face {row.face_id}' == title]
            column = np.ma.filled(cells[:, number - 1], np.nan)
            np.testing.assert_array_equal(column, row[0].probabilities if row else [np.nan] * 3)


def test_the_drawn_colours_are_those_of_the_cells_and_gaps_are_light():
    rows = video([0., 1., 2., 3.], {0: {1, 2, 4}})
    figure = plot_timeline(rows, AUS)
    image = figure.axes[0].images[0]
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    for number in range(4):
        for line in range(3):
            x, y = figure.axes[0].transData.transform((number + .5, line + .5))
            pixel = pixels[pixels.shape[0] - int(y) - 1, int(x)][:3] / 255
            if number == 2:
                assert pixel.min() > .6  # paper and hatching
            else:
                wanted = image.cmap(rows[number].probabilities[line])[:3]
                np.testing.assert_allclose(pixel, wanted, atol=.01)


def test_the_colours_grow_lighter_with_the_probability():
    """So a print in grey, and every colour-blind reader, sees the order."""
    image = plot_timeline(video([0., 1.], {0: {1, 2}}), AUS).axes[0].images[0]
    rgb = image.cmap(np.linspace(0, 1, 50))[:, :3]
    assert (np.diff(rgb @ [.2126, .7152, .0722]) > 0).all()
    assert image.get_clim() == (0, 1)


def test_long_videos_get_means_over_the_frames_with_a_face(monkeypatch):
    monkeypatch.setattr(timeline, 'MAX_CELLS', 4)
    rows = video([float(number) for number in range(10)], {0: {1, 2, 3, 5, 10}})
    edges, cells = heat_maps(plot_timeline(rows, AUS))['face 0']
    np.testing.assert_allclose(edges, [0, 3, 6, 9, 10], atol=1e-6)
    for column, frames in enumerate(((1, 2, 3), (4, 5, 6), (7, 8, 9), (10, ))):
        values = [row.probabilities for row in rows if row.success and row.frame in frames]
        wanted = np.mean(values, axis=0) if values else [np.nan] * 3
        np.testing.assert_allclose(np.ma.filled(cells[:, column], np.nan), wanted)


def test_many_faces_and_none():
    rows = video([0., 1., 2.], {face: {1, 2} if face else {1} for face in range(12)})
    figure = plot_timeline(rows, AUS, 'v.mp4')
    assert list(heat_maps(figure)) == [f'face {face}' for face in range(1, 9)]
    assert figure.get_suptitle() == 'v.mp4 (8 of 12 faces, those seen longest)'
    figure = plot_timeline(video([0., 1.], {}), AUS)
    assert figure.axes[0].get_title() == 'no face' and len(to_png(figure)) > 1000
    with pytest.raises(ValueError, match='no frame'):
        plot_timeline([], AUS)


def test_without_times_the_axis_counts_frames():
    figure = plot_timeline(video([None, None], {0: {1, 2}}), AUS)
    edges, _ = heat_maps(figure)['face 0']
    np.testing.assert_allclose(edges, [1, 2, 3], atol=1e-6)
    assert figure.axes[0].get_xlabel() == 'frame'


def test_intensities_have_panels_of_their_own_from_0_to_5():
    rows = [row._replace(intensities=(row.frame / 2, 5 - row.frame)) if row.success else row
            for row in video([0., 1., 2., 3.], {0: {1, 2, 4}, 1: {1}})]
    figure = plot_timeline(rows, AUS, intensity_aus=(12, 4))
    found = heat_maps(figure)
    assert list(found) == ['face 0', 'face 0, intensity', 'face 1', 'face 1, intensity']
    cells = np.ma.filled(found['face 0, intensity'][1], np.nan)
    np.testing.assert_array_equal(cells, [[.5, 1, np.nan, 2], [4, 3, np.nan, 1]])
    limits = {axes.get_title(loc='left'): axes.images[0].get_clim() for axes in figure.axes
              if axes.images and axes.get_title(loc='left')}
    assert limits == {'face 0': (0, 1), 'face 0, intensity': (0, 5), 'face 1': (0, 1),
                      'face 1, intensity': (0, 5)}
    ticks = {axes.get_title(loc='left'): [label.get_text() for label in axes.get_yticklabels()]
             for axes in figure.axes if axes.images}
    assert ticks['face 1, intensity'] == ['AU12 Lip corner puller', 'AU4 Brow lowerer']
    assert to_png(figure, 50)[:4] == b'\x89PNG'
