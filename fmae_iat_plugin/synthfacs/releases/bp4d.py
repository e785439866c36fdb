# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A release in the layout of BP4D, with rendered faces.

::

    AUCoding/AU_OCC/F001_T1.csv          header 0..99; column 0 frame, column N AU N, 9 not coded
    Sequences(2D+3D)/F001/T1/2440.jpg    numbers of at least 3 digits, for other subjects of 4
    Videos/2F01_01.avi                   instead of the images; T1..T8 are 01 03 07 08 09 10 11 13

Layout: Zhang et al., BP4D-Spontaneous (Image and Vision Computing, 2014).
"""

from pathlib import Path
from typing import Union

from fmae_iat_plugin.parallel import Processes

from .bp4d_family import COLUMNS, NOT_CODED, Options, Plan, check, write_family

TASKS = tuple(f'T{k}' for k in range(1, 9))
VIDEO_SUFFIX = dict(zip(TASKS, ('01', '03', '07', '08', '09', '10', '11', '13')))
HEADERS = ('positions', 'numbers', 'named')


def video_name(options: Options, subject: str, task: str) -> str:
    """The name ``2F01_03.avi`` of the release, or ``2F01_T2.avi`` of the FMAE-IAT authors."""
    end = VIDEO_SUFFIX[task] if options.video_names == 'release' else task
    return f'2{subject[0]}{subject[2:]}_{end}.avi'


def label_text(options: Options, plan: Plan) -> str:
    """The label file of one recording."""
    if options.headers == 'positions':
        columns, header = range(1, 100), ['0', *map(str, range(1, 100))]
    else:
        columns = [a for a in COLUMNS if a in plan.codes]
        header = (['frame', *(f'AU{a}' for a in columns)] if options.headers == 'named'
                  else ['0', *map(str, columns)])
    lines = [','.join(header)]
    for t, frame in enumerate(plan.frames):
        codes = (plan.codes[a][t] if a in plan.codes else NOT_CODED for a in columns)
        lines.append(','.join(map(str, (frame, *codes))))
    return '\n'.join(lines) + '\n'


def write_bp4d(out: Union[str, Path], workers: Processes = 0, **options) -> Path:
    """Write the release, its ``truth.csv`` and ``left_out.csv``; continues after a kill.

    ``truth.csv`` is the annotation table with one row per labelled frame that has a picture.
    ``image`` is the path of the image below ``out``, or ``Videos/2F01_01.avi#17`` for frame
    number 17 of a video, with its position in the decoded video, from 0, in column ``picture``.

    Args:
        out: Folder of the release.
        workers: Number of processes; 0 = the cores.
        subjects (int): Number of people, named and dealt as in the published folds. 6 by default.
        frames (int): Labelled frames per recording, 60 by default; 0 for all of the table.
        size (int): Side of the pictures, even. 224 by default.
        seed (int): Seed of everything, 0 by default.
        tasks (Sequence[str]): Some of T1..T8; all by default.
        headers (str): ``'positions'`` (0..99, as released); ``'numbers'``: as re-released with
            fewer columns, header 0,1,2,4,...; ``'named'``: the same as frame,AU1,AU2,AU4,... .
        frames_as (str): ``'images'`` or ``'videos'``.
        video_names (str): ``'release'`` (2F01_03.avi) or ``'authors'`` (2F01_T2.avi).
        first_frame (int): Frame number of a video's first picture, 1 (default) or 0.
        codec (str): ``'MJPG'`` or ``'XVID'``.
        framing (str): ``'portrait'`` (head and shoulders, to be cropped) or ``'crop'``.
        labels (Sequence[str]): Tables of real label sequences, see
            :func:`~fmae_iat_plugin.synthfacs.releases.labels.read_label_table`. AUs
            that they lack are not coded.

    Returns:
        Path: ``truth.csv``.

    Raises:
        ValueError: If an option is out of range, or the folder holds another release.
    """
    options = check(Options(**options), HEADERS, TASKS)
    return write_family(out, 'bp4d', options, workers, video_name, label_text)
