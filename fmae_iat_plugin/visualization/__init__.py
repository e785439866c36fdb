# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Pictures and the report. Needs the extra `analysis`; nothing here is imported in training."""

from .annotate import Painter
from .curves import metric_by_epoch, plot_by_epoch, read_scalars
from .report import render_report, write_report
from .style import to_png, to_svg
from .timeline import plot_timeline
from .tsne import embed, identity_purity, plot_tsne
from .video import VideoFile

__all__ = [
    'Painter', 'VideoFile', 'embed', 'identity_purity', 'metric_by_epoch', 'plot_by_epoch',
    'plot_timeline', 'plot_tsne', 'read_scalars', 'render_report', 'to_png', 'to_svg',
    'write_report'
]
