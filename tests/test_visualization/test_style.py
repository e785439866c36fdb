# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Figures stay readable: for colour-blind readers, in dark pages, as parts of one page."""

import io
import itertools
import xml.etree.ElementTree as ET

import numpy as np
from PIL import Image

from fmae_iat_plugin.visualization.style import PALETTE, dress, new_figure, to_png, to_svg

# Linear RGB of how protanopes and deuteranopes see (Vienot, Brettel and Mollon, 1999).
PROTAN = np.array([[.11238, .88762, 0], [.11238, .88762, 0], [.00401, -.00401, 1]])
DEUTAN = np.array([[.29275, .70725, 0], [.29275, .70725, 0], [-.02234, .02234, 1]])


def linear(colour):
    srgb = np.array([int(colour[k:k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(srgb <= .04045, srgb / 12.92, ((srgb + .055) / 1.055) ** 2.4)


def lab(rgb):
    matrix = np.array([[.4124, .3576, .1805], [.2126, .7152, .0722], [.0193, .1192, .9505]])
    xyz = matrix @ np.clip(rgb, 0, 1) / [.9505, 1, 1.089]
    x, y, z = np.where(xyz > .008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_first_four_colours_differ_for_everybody():
    for view in (np.eye(3), PROTAN, DEUTAN):
        for a, b in itertools.combinations(PALETTE[:4], 2):
            assert np.linalg.norm(lab(view @ linear(a)) - lab(view @ linear(b))) > 10, (a, b)


def picture(title='A < B & "C"'):
    figure = new_figure()
    axes = figure.subplots()
    axes.plot([0, 1], [2, 3], label='line')
    axes.set(title=title, xlabel='epoch')
    dress(axes)
    return figure


def test_svg_is_well_formed_named_and_takes_the_pages_colour():
    svg = to_svg(picture(), 'F1 < 50 & "more"')
    root = ET.fromstring(svg)
    assert root.tag.endswith('svg') and root.get('aria-label') == 'F1 < 50 & "more"'
    assert root.get('width') is None and root.get('viewBox')
    assert 'currentColor' in svg and '#010203' not in svg
    texts = [node.text for node in root.iter() if node.tag.endswith('text')]
    assert 'A < B & "C"' in texts and 'epoch' in texts
    assert 'http://www.w3.org' in svg and 'href="http' not in svg


def test_svg_repeats():
    assert to_svg(picture(), 'a') == to_svg(picture(), 'a')


def test_png_has_a_white_ground():
    with Image.open(io.BytesIO(to_png(picture(), dpi=50))) as image:
        assert image.size == (210, 160)
        assert image.convert('RGBA').getpixel((0, 0)) == (255,) * 4
