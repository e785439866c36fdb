# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The style of every figure: colours for colour-blind readers, and text that a phone can show.

Figures are made without pyplot, so they need no window system and no global state.
Colours: Okabe and Ito, "Color universal design" (2008).
"""

import io
import re
import textwrap

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

#: Eight colours that remain distinct under the common colour vision deficiencies.
PALETTE = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#8C8C00', '#7A7A7A')
MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X', '*')
DASHES = ('-', '--', ':', '-.')
INK = '#010203'  # stands for the page's text colour until the SVG is written


def new_figure(width: float = 4.2, height: float = 3.2) -> Figure:
    """A figure in inches; a width of 4.2 fills a phone's screen with text of reading size."""
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    figure.patch.set_alpha(0)
    return figure


def dress(axes) -> None:
    """Set ink, grid and frame of one axes."""
    axes.patch.set_alpha(0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ('left', 'bottom'))
        spine.set_color(INK)
        spine.set_alpha(0.4)
    axes.tick_params(colors=INK, labelsize=9)
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)
        text.set_fontsize(10)
    legend = axes.get_legend()
    if legend is not None:
        for text in legend.get_texts():
            text.set_color(INK)


def legend_above(figure: Figure, handles) -> None:
    """Add a legend over the panels, in as many columns as fit; the figure grows by its height."""
    labels = [textwrap.fill(handle.get_label(), 44) for handle in handles]
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(handles, labels, loc='outside upper left', ncols=columns,
                               frameon=False, fontsize=9, labelcolor=INK, columnspacing=1.2)
        box = legend.get_window_extent()
        if columns == 1 or box.width <= figure.bbox.width:
            figure.set_figheight(figure.get_figheight() + box.height / figure.dpi)
            return
        legend.remove()


def to_png(figure: Figure, dpi: int = 160) -> bytes:
    """PNG on white, for print and slides."""
    stream, alpha = io.BytesIO(), figure.patch.get_alpha()
    figure.patch.set_alpha(1)
    figure.savefig(stream, format='png', dpi=dpi, facecolor='white')
    figure.patch.set_alpha(alpha)
    return stream.getvalue()


def to_svg(figure: Figure, label: str) -> str:
    """An ``<svg>`` element for an HTML page, in the page's text colour and on its background.

    Args:
        label: Description of the figure for screen readers. It also keeps the ids of several
            figures of a page apart.
    """
    stream = io.StringIO()
    with matplotlib.rc_context({'svg.fonttype': 'none', 'svg.hashsalt': label}):
        figure.savefig(stream, format='svg', dpi=160, metadata={'Date': None})
    svg = stream.getvalue()
    svg = svg[svg.index('<svg'):].replace(INK, 'currentColor')
    svg = re.sub(r'(?<=<svg)([^>]*?) width="[^"]*"', r'\1', svg, count=1)
    svg = re.sub(r'(?<=<svg)([^>]*?) height="[^"]*"', r'\1', svg, count=1)
    safe = label.replace('&', '&amp;').replace('"', '&quot;').replace('<', '&lt;')
    return svg.replace('<svg', f'<svg role="img" aria-label="{safe}"', 1)
