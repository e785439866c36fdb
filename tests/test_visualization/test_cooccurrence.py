# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Heat maps: cells, numbers and colours are those of the matrix; undefined ones are hatched."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from fmae_iat_plugin.visualization import plot_cooccurrence

NAN = float('nan')


def names(number):
    return [f'AU{au}' for au in range(1, number + 1)]


def matrix(number, seed=0):
    return np.random.default_rng(seed).random((number, number))


def panels(figure):
    return [axes for axes in figure.axes if axes.get_xlabel() == 'then']


def numbers(axes):
    """(row, column) -> text of the cell."""
    return {(int(text.get_position()[1]), int(text.get_position()[0])): text
            for text in axes.texts}


def ratio(one, other):
    """Contrast of two sRGB colours (WCAG 2.1)."""
    levels = []
    for colour in (one, other):
        linear = [c / 12.92 if c <= .04045 else ((c + .055) / 1.055) ** 2.4 for c in colour[:3]]
        levels.append(.2126 * linear[0] + .7152 * linear[1] + .0722 * linear[2])
    return (max(levels) + .05) / (min(levels) + .05)


def test_cells_are_the_matrix_and_the_diagonal_is_blank(readable):
    given = {'labels': matrix(8), 'FMAE': matrix(8, 1)}
    figure = plot_cooccurrence(given, names(8))
    assert [axes.get_title() for axes in panels(figure)] == list(given)
    for axes, table in zip(panels(figure), given.values()):
        mesh, = axes.collections
        cells = mesh.get_array().reshape(8, 8)
        off = ~np.eye(8, dtype=bool)
        assert np.ma.getmaskarray(cells)[~off].all() and not np.ma.getmaskarray(cells)[off].any()
        np.testing.assert_array_equal(np.asarray(cells)[off], table[off])
        assert mesh.get_clim() == (0, 1) and mesh.cmap.name == 'cividis'
        assert {place: text.get_text() for place, text in numbers(axes).items()} == {
            (i, j): f'{100 * table[i, j]:.0f}' for i in range(8) for j in range(8) if i != j}
        assert [text.get_text() for text in axes.get_xticklabels()] == names(8)
        assert axes.get_ylim() == (8, 0)  # first row on top
    left, right = panels(figure)
    assert [text.get_text() for text in left.get_yticklabels()] == names(8)
    assert left.get_ylabel() == 'given' and not left.patches
    assert len(figure.axes) == 3  # one colour bar
    figure.canvas.draw()
    bar = [text.get_text() for text in figure.axes[-1].get_xticklabels()]
    assert bar == ['0%', '25%', '50%', '75%', '100%']
    readable(figure)


def test_numbers_stand_out_on_every_colour():
    table = np.linspace(0, 1, 144).reshape(12, 12)
    axes, = panels(plot_cooccurrence({'all': table}, names(12)))
    cmap = axes.collections[0].cmap
    for (i, j), text in numbers(axes).items():
        ink, ground = to_rgb(text.get_color()), cmap(table[i, j])
        assert ratio(ink, ground) >= 3
        assert ratio(ink, ground) >= max(ratio(other, ground)
                                         for other in (to_rgb('#101010'), (1, 1, 1))) - 1e-9


def test_undefined_cells_are_hatched_and_said(readable):
    table = matrix(5)
    table[2] = NAN
    table[0, 4] = NAN
    figure = plot_cooccurrence({'labels': table, 'FMAE': matrix(5, 1)}, names(5))
    one, other = panels(figure)
    hatched = {(int(cell.get_y()), int(cell.get_x())) for cell in one.patches
               if isinstance(cell, Rectangle) and cell.get_hatch()}
    wanted = {(2, 0), (2, 1), (2, 3), (2, 4), (0, 4)}
    assert hatched == wanted and not other.patches
    for place, text in numbers(one).items():
        assert (text.get_text() == '–') == (place in wanted)
    said, = figure.legends[0].get_texts()
    assert 'undefined' in said.get_text()
    readable(figure)
    table[:] = NAN
    readable(plot_cooccurrence({'labels': table}, names(5)))
    full = matrix(5)
    np.fill_diagonal(full, NAN)  # never shown, so nothing to say
    assert not plot_cooccurrence({'labels': full}, names(5)).legends


@pytest.mark.parametrize('number,count,columns,grid', [
    (2, 1, None, (1, 1)), (2, 2, None, (1, 2)), (5, 3, None, (2, 2)), (12, 2, None, (2, 1)),
    (12, 2, 2, (1, 2)), (24, 1, None, (1, 1)), (41, 2, None, (2, 1))])
def test_panels_wrap_and_can_be_read(readable, number, count, columns, grid):
    given = {f'model {k}, lambda = 0.5': matrix(number, k) for k in range(count)}
    figure = plot_cooccurrence(given, names(number), columns)
    readable(figure)
    boxes = [axes.get_window_extent() for axes in panels(figure)]
    assert len(boxes) == count
    assert (len({round(b.y0) for b in boxes}), len({round(b.x0) for b in boxes})) == grid
    assert all(abs(box.width - box.height) < 1 for box in boxes)  # square cells
    assert bool(numbers(panels(figure)[0])) == (number <= 12)
    if columns is None and number <= 12:
        assert figure.get_figwidth() < 5.8  # a phone shows 9 points as 6.5 or more


def test_errors():
    with pytest.raises(ValueError, match=r"'FMAE' has the shape \(3, 3\); 2 names"):
        plot_cooccurrence({'labels': matrix(2), 'FMAE': matrix(3)}, names(2))
    with pytest.raises(ValueError, match='within 0..1'):
        plot_cooccurrence({'labels': matrix(2) * 100}, names(2))
    with pytest.raises(ValueError, match='0 matrices, 2 action units'):
        plot_cooccurrence({}, names(2))
    with pytest.raises(ValueError, match='1 matrices, 1 action units'):
        plot_cooccurrence({'labels': matrix(1)}, names(1))
