# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What a reader needs of any figure: all text inside it, none over another, a valid SVG."""

import itertools
import xml.etree.ElementTree as ET

import pytest

from fmae_iat_plugin.visualization.style import to_svg


def drawn_texts(figure):
    """Every text that is drawn; ticks beyond the limits of an axis are not."""
    found = [text for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        found += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            found += [text for text, place in zip(axis.get_ticklabels(), axis.get_majorticklocs())
                      if low <= place <= high]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


@pytest.fixture
def readable():
    """Function that draws a figure and asserts that it can be read."""

    def check(figure, smallest=6):
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        boxes = [(text, text.get_window_extent(renderer)) for text in drawn_texts(figure)]
        assert boxes
        for text, box in boxes:
            assert text.get_fontsize() >= smallest, text
            assert -1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1, text
            assert -1 <= box.y0 and box.y1 <= figure.bbox.y1 + 1, text
        for (one, a), (other, b) in itertools.combinations(boxes, 2):
            if one.get_rotation() % 90 and other.get_rotation() % 90:
                continue  # slanted: their boxes say nothing
            wide = min(a.x1, b.x1) - max(a.x0, b.x0)
            high = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert wide <= 1 or high <= 1, (one, other)
        for axes in figure.axes:
            area = axes.get_window_extent(renderer)
            assert min(area.width, area.height) > 5
            assert not any(legend.get_window_extent(renderer).overlaps(area)
                           for legend in figure.legends)
            for line in axes.get_lines():
                (left, right), (low, high) = map(sorted, (axes.get_xlim(), axes.get_ylim()))
                assert line.get_transform() != axes.transData or all(
                    left <= x <= right and low <= y <= high for x, y in line.get_xydata())
        svg = to_svg(figure, 'a < b')
        shown = [node.text for node in ET.fromstring(svg).iter() if node.tag.endswith('text')]
        for text, _ in boxes:
            for line in text.get_text().split('\n'):
                assert line in shown
        assert 'currentColor' in svg and '#010203' not in svg

    return check
