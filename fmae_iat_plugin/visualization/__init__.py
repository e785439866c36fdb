# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Pictures and the report. They need the extra `analysis`, and training does not import them."""

from .annotate import Painter
from .cooccurrence import plot_cooccurrence
from .curves import metric_by_epoch, plot_by_epoch, read_scalars
from .reliability import plot_reliability
from .report import render_report, write_report
from .style import to_png, to_svg
from .subjects import plot_subject_f1
from .sweep import plot_sweep
from .timeline import plot_timeline
from .tsne import embed, identity_purity, plot_tsne
from .video import VideoFile

__all__ = [
    'Painter', 'VideoFile', 'embed', 'identity_purity', 'metric_by_epoch', 'plot_by_epoch',
    'plot_cooccurrence', 'plot_reliability', 'plot_subject_f1', 'plot_sweep', 'plot_timeline',
    'plot_tsne', 'read_scalars', 'render_report', 'to_png', 'to_svg', 'write_report'
]
