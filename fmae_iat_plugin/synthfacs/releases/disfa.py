# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A release in the layout of DISFA, with rendered faces.

::

    ActionUnit_Labels/SN001/SN001_au1.txt           12 files; lines frame,intensity; frames from 1
    Video_RightCamera/RightVideoSN001_comp.avi      picture 0 is frame 1
    Video_LeftCamera/LeftVideoSN001_comp.avi        the same face from the other side

Some videos end before their labels, and the two cameras end at different frames; such labels are
in ``left_out.csv`` (``left_out_left.csv``). Layout: Mavadati et al., DISFA (IEEE TAC 2013).
"""

from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Union

import numpy as np

from fmae_iat_plugin.datasets.protocol import load_protocol
from fmae_iat_plugin.parallel import Processes

from .acting import Recording, at, check_options, intensities
from .bp4d_family import LEFT_OUT, choose_subjects
from .labels import PREVALENCE, read_label_table, sample_occurrence
from .release_folder import CODECS, ReleaseFolder, run

AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
YAW = dict(Right=9.0, Left=-9.0)  # degrees


class Options(NamedTuple):
    """Arguments of :func:`write_disfa`."""

    subjects: int = 6
    frames: int = 120
    size: int = 224
    seed: int = 0
    codec: str = 'MJPG'
    framing: str = 'portrait'
    labels: Sequence[str] = ()


class Plan(NamedTuple):
    """One subject: ``tracks`` AU -> ``[T]`` intensities; ``pictures`` camera -> number."""

    subject: str
    tracks: Dict[int, np.ndarray]
    pictures: Dict[str, int]


def video_name(camera: str, subject: str) -> str:
    """``Video_RightCamera/RightVideoSN001_comp.avi``."""
    return f'Video_{camera}Camera/{camera}Video{subject}_comp.avi'


def label_name(subject: str, au: int) -> str:
    """``ActionUnit_Labels/SN001/SN001_au1.txt``."""
    return f'ActionUnit_Labels/{subject}/{subject}_au{au}.txt'


def plan_release(options: Options) -> List[Plan]:
    """Plan the subjects."""
    real = read_label_table(options.labels, r'SN\d{3}', False) if options.labels else None
    among = None if real is None else {subject for subject, _ in real}
    plans = []
    subjects = choose_subjects(load_protocol('disfa'), options.subjects, among)
    for index, subject in enumerate(subjects):
        frames, given = options.frames, {}
        if real is not None:
            sequence = real[subject, '']
            last = int(sequence.frames[-1])
            frames = min(options.frames or last, last)
            for au, values in sequence.occurrence.items():
                given[au] = np.zeros(last + 1, bool)
                given[au][sequence.frames] = values
                given[au] = given[au][1:frames + 1]
        occurrence = sample_occurrence(options.seed, subject, PREVALENCE['disfa'], frames)
        occurrence.update({au: values for au, values in given.items() if au in AUS})
        tracks = {au: intensities(options.seed, subject, au, occurrence[au]) for au in AUS}
        odd = frames > 4 and index % 2 == 1
        plans.append(Plan(subject, tracks, dict(Right=frames - odd, Left=frames - 2 * odd)))
    return plans


def write_subject(root: str, options: Options, plan: Plan) -> None:
    """Write the label files and the two videos of one subject."""
    folder = ReleaseFolder(root)
    for au, track in plan.tracks.items():
        folder.write(label_name(plan.subject, au),
                     ''.join(f'{t},{value}\n' for t, value in enumerate(track, 1)))
    for camera, yaw in YAW.items():
        name = video_name(camera, plan.subject)
        if not folder.has(name):
            recording = Recording(options.seed, plan.subject, plan.subject, options.size,
                                  options.framing, yaw)
            pictures = (recording.picture(t, at(plan.tracks, t))
                        for t in range(plan.pictures[camera]))
            folder.write_video(name, pictures, options.size, 20, options.codec)


def _finish(folder: ReleaseFolder, plans: List[Plan], camera: str, end: str) -> Path:
    rows, labels, left_out = [], [], []
    for plan in plans:
        video, total = video_name(camera, plan.subject), plan.pictures[camera]
        table = np.stack([plan.tracks[au] for au in AUS], 1)
        labels.append(table[:total])
        for frame in range(1, len(table) + 1):
            if frame <= total:
                rows.append(dict(image=f'{video}#{frame}', subject=plan.subject,
                                 sequence=camera.lower(), frame=frame, picture=frame - 1))
            else:
                left_out.append(dict(reason='label without picture', line=frame, frame=frame,
                                     file=label_name(plan.subject, AUS[0]),
                                     image=f'{video}#{frame}'))
    folder.write_table(f'left_out{end}.csv', left_out, LEFT_OUT)
    return folder.finish(rows, AUS, np.concatenate(labels), f'truth{end}.csv')


def write_disfa(out: Union[str, Path], workers: Processes = 0, **options) -> Path:
    """Write the release with the truth of both cameras; continues after a kill.

    ``truth.csv`` (right camera) and ``truth_left.csv`` are annotation tables with intensities 0-5
    and one row per labelled frame that the video holds. ``image`` is
    ``Video_RightCamera/RightVideoSN001_comp.avi#1`` for frame number 1, ``picture`` its position
    in the decoded video, from 0.

    Args:
        out: Folder of the release.
        workers: Number of processes; 0 = the cores.
        subjects (int): Number of people, named and dealt as in the published folds. 6 by default.
        frames (int): Number of frames of each, 120 by default; 0 for all of the table.
        size, seed, codec, framing: As for write_bp4d.
        labels (Sequence[str]): Tables of real occurrences (intensity >= 2), paths ending in
            ``SN001/00001.jpg``; AUs they lack are sampled, missing frames are negative.

    Returns:
        Path: ``truth.csv``.

    Raises:
        ValueError: If an option is out of range, or the folder holds another release.
    """
    chosen = Options(**options)
    chosen = chosen._replace(labels=tuple(map(str, chosen.labels)))
    if chosen.frames == 0 and not chosen.labels:
        raise ValueError('frames=0 (all frames) needs a label table')
    if chosen.codec not in CODECS:
        raise ValueError(f'codec={chosen.codec!r} is not one of {CODECS}')
    check_options(chosen.size, chosen.framing, subjects=chosen.subjects,
                  frames=chosen.frames or 1)
    plans, folder = plan_release(chosen), ReleaseFolder(out)
    if folder.claim(dict(release='disfa', **chosen._asdict())):
        return folder.path('truth.csv')
    jobs = [(str(folder.root), chosen, plan) for plan in plans]
    run('DISFA: subjects', write_subject, jobs, workers)
    _finish(folder, plans, 'Left', '_left')
    return _finish(folder, plans, 'Right', '')
