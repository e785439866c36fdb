# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A release in the layout of BP4D+, with rendered faces.

::

    AUCoding/AU_OCC/F001_T1.csv          frame and 34 AU columns by position; "1" heads two columns
    Sequences(2D+3D)/F001/T1/0012.jpg    or Videos/F001_T1.avi

Only T1, T6, T7 and T8 are coded; the first subject also has pictures of T2, without a label file.
Layout: Zhang et al., Multimodal spontaneous emotion corpus (CVPR 2016).
"""

from pathlib import Path
from typing import List, Union

import numpy as np

from fmae_iat_plugin.parallel import Processes

from .bp4d_family import COLUMNS, NOT_CODED, Options, Plan, check, write_family

TASKS = ('T1', 'T6', 'T7', 'T8')
HEADERS = ('twice', 'named')


def video_name(options: Options, subject: str, task: str) -> str:
    """``F001_T1.avi``."""
    return f'{subject}_{task}.avi'


def label_text(options: Options, plan: Plan) -> str:
    """The label file of one recording."""
    names = [f'AU{a}' if options.headers == 'named' else str(a) for a in COLUMNS]
    lines = [','.join(['frame' if options.headers == 'named' else '1', *names])]
    for t, frame in enumerate(plan.frames):
        codes = (plan.codes[a][t] if a in plan.codes else NOT_CODED for a in COLUMNS)
        lines.append(','.join(map(str, (frame, *codes))))
    return '\n'.join(lines) + '\n'


def _uncoded_task(options: Options, plans: List[Plan]) -> List[Plan]:
    """Plan two pictures of a task that nobody coded."""
    pictures = [options.first_frame, options.first_frame + 1]
    return [plans[0]._replace(task='T2', frames=np.empty(0, int), codes={}, shown={},
                              pictures=pictures)]


def write_bp4dplus(out: Union[str, Path], workers: Processes = 0, **options) -> Path:
    """Write the release, its ``truth.csv`` and ``left_out.csv``; continues after a kill.

    Args:
        out: Folder of the release.
        workers: Number of processes; 0 = the cores.
        **options: Those of :func:`~fmae_iat_plugin.synthfacs.releases.bp4d.write_bp4d`, except
            that ``tasks`` are some of T1, T6, T7, T8, and ``headers`` is ``'twice'`` (as released:
            the headers of frame and AU1 are both "1", so only positions can be trusted) or
            ``'named'``; ``video_names`` has no effect.

    Returns:
        Path: ``truth.csv``.

    Raises:
        ValueError: If an option is out of range, or the folder holds another release.
    """
    options = check(Options(**options), HEADERS, TASKS)
    return write_family(out, 'bp4dplus', options, workers, video_name, label_text, _uncoded_task)
