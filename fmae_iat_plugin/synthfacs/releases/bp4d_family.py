# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the emulated releases of BP4D and BP4D+ share: plans of recordings, pictures, truth.

The releases contain on purpose the irregularities that make converters fail: labels without a
picture, pictures without a label, a video that ends early, single action units that were not coded
for a while (9), and numbers of 3 and of 4 digits. ``left_out.csv`` lists them.
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.datasets.protocol import Protocol, load_protocol
from fmae_iat_plugin.parallel import Processes

from .acting import Recording, at, check_options, intensities
from .labels import PREVALENCE, LabelledSequence, read_label_table, sample_occurrence, stream
from .release_folder import CODECS, ReleaseFolder, encode, run

NOT_CODED = 9
IMAGES, VIDEOS, LABELS = 'Sequences(2D+3D)', 'Videos', 'AUCoding/AU_OCC'
LEFT_OUT = ('reason', 'file', 'line', 'frame', 'image')
# The AUs that BP4D+ has columns for; those from 29 on are coded for nobody here.
COLUMNS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24,
           *range(27, 40))
CODED = COLUMNS[:COLUMNS.index(29)]


class Options(NamedTuple):
    """Arguments of the writers, see :func:`write_bp4d`."""

    subjects: int = 6
    frames: int = 60
    size: int = 224
    seed: int = 0
    tasks: Optional[Sequence[str]] = None
    headers: str = ''
    frames_as: str = 'images'
    video_names: str = 'release'
    first_frame: int = 1
    codec: str = 'MJPG'
    framing: str = 'portrait'
    labels: Sequence[str] = ()


class Plan(NamedTuple):
    """One recording: ``T`` labelled frames and the existing pictures.

    Attributes:
        subject (str), task (str): For example F001 and T1.
        digits (int): Smallest number of digits in an image name.
        frames (np.ndarray): ``[T]`` numbers of the labelled frames.
        codes (dict[int, np.ndarray]): AU -> ``[T]`` 0, 1 or 9; AUs that are left out are 9.
        shown (dict[int, np.ndarray]): AU -> ``[T]`` rendered intensities.
        pictures (list[int]): Numbers of the frames with a picture, ascending.
    """

    subject: str
    task: str
    digits: int
    frames: np.ndarray
    codes: Dict[int, np.ndarray]
    shown: Dict[int, np.ndarray]
    pictures: List[int]


def choose_subjects(protocol: Protocol, number: int, among: Optional[set] = None) -> List[str]:
    """``number`` sorted subjects, taken from the folds in turn so that each fold has some.

    Raises:
        ValueError: If there are fewer subjects.
    """
    queues = [[s for s in fold if among is None or s in among] for fold in protocol.folds.values()]
    turns = [s for k in range(max(map(len, queues))) for queue in queues for s in queue[k:k + 1]]
    if not 1 <= number <= len(turns):
        raise ValueError(f'{protocol.name}: {number} subjects were asked for, of {len(turns)}'
                         f'{" in the label table" if among is not None else ""}')
    return sorted(turns[:number])


def check(options: Options, headers: Sequence[str], tasks: Sequence[str]) -> Options:
    """The options with defaults filled in; ValueError if one is out of range."""
    options = options._replace(tasks=tuple(options.tasks or tasks), labels=tuple(
        map(str, options.labels)), headers=options.headers or headers[0])
    if options.frames == 0 and not options.labels:
        raise ValueError('frames=0 (all frames) needs a label table')
    check_options(options.size, options.framing, subjects=options.subjects,
                  frames=options.frames or 1)
    for name, choices in (('headers', headers), ('frames_as', ('images', 'videos')),
                          ('video_names', ('release', 'authors')), ('first_frame', (0, 1)),
                          ('codec', CODECS)):
        if getattr(options, name) not in choices:
            raise ValueError(f'{name}={getattr(options, name)!r} is not one of {tuple(choices)}')
    unknown = sorted(set(options.tasks) - set(tasks))
    if unknown:
        raise ValueError(f'tasks {unknown} are not coded here; choose among {tuple(tasks)}')
    return options


def _start(options: Options, k: int) -> int:
    """Number of the first labelled frame of recording ``k``; some cross from 999 to 1000."""
    if options.frames_as == 'videos':
        return int(stream(options.seed, 'start', k).integers(2, 12))
    return (2440, 998)[k] if k < 2 else int(stream(options.seed, 'start', k).integers(2, 700))


def _plan(options: Options, k: int, index: int, subject: str, task: str,
          real: Optional[LabelledSequence], protocol: Protocol) -> Plan:
    key = f'{subject}_{task}'
    if real is None:
        frames = _start(options, k) + np.arange(options.frames)
        occurrence = sample_occurrence(options.seed, key, PREVALENCE['bp4d'], len(frames))
        coded = CODED
    else:
        n = options.frames or len(real.frames)
        frames, occurrence = real.frames[:n], {a: v[:n] for a, v in real.occurrence.items()}
        coded = tuple(a for a in COLUMNS if a in occurrence)
    total, never = len(frames), np.zeros(len(frames), bool)
    codes = {a: occurrence.get(a, never).astype(int) for a in coded}
    rng = stream(options.seed, key, 'not coded')
    usual = [a for a in protocol.aus if a in coded]
    if k % 2 == 0 and usual:
        au = int(rng.choice(usual))
        begin = int(rng.integers(0, total))
        codes[au][begin:begin + max(1, total // 5)] = NOT_CODED
    first, last, odd = int(frames[0]), int(frames[-1]), total > 4
    if options.frames_as == 'videos':
        end = last - 2 if odd and k % 2 else last + 1
        pictures = list(range(options.first_frame, end + 1))
    elif odd and k % 2 == 0:
        pictures = [int(f) for f in frames if f != frames[total // 2]]
    else:
        pictures = [*range(max(first - 1, 1), first), *map(int, frames), last + 1]
    shown = {a: intensities(options.seed, key, a, v) for a, v in occurrence.items()}
    return Plan(subject, task, 4 if index % 2 else 3, frames, codes, shown, pictures)


def plan_release(options: Options, protocol: Protocol) -> List[List[Plan]]:
    """The recordings of each subject."""
    real = read_label_table(options.labels, r'[FM]\d{3}', True) if options.labels else None
    tasks = tuple(options.tasks or ())
    among = {s for s, task in real if task in tasks} if real is not None else None
    plans, k = [], 0
    for index, subject in enumerate(choose_subjects(protocol, options.subjects, among)):
        plans.append([])
        for task in tasks:
            if real is None or (subject, task) in real:
                plans[-1].append(_plan(options, k, index, subject, task,
                                       None if real is None else real[subject, task], protocol))
                k += 1
    return plans


def image_name(plan: Plan, frame: int) -> str:
    """``Sequences(2D+3D)/F001/T1/2440.jpg``."""
    return f'{IMAGES}/{plan.subject}/{plan.task}/{frame:0{plan.digits}d}.jpg'


def write_pictures(folder: ReleaseFolder, options: Options, plan: Plan, video: str) -> None:
    """Render the missing pictures of a recording."""
    recording = Recording(options.seed, plan.subject, f'{plan.subject}_{plan.task}', options.size,
                          options.framing)
    position = {int(frame): t for t, frame in enumerate(plan.frames)}
    resting: List[np.ndarray] = []

    def draw(frame: int) -> np.ndarray:
        if frame in position:
            return recording.picture(frame, at(plan.shown, position[frame]))
        if not resting:  # all frames without a label are one still picture
            resting.append(recording.picture(0, {}))
        return resting[0]

    if options.frames_as == 'images':
        for frame in plan.pictures:
            if not folder.has(image_name(plan, frame)):
                folder.write(image_name(plan, frame), encode(draw(frame)))
    elif not folder.has(video):
        folder.write_video(video, map(draw, plan.pictures), options.size, 25, options.codec)


def write_subject(root: str, options: Options, plans: List[Plan], videos: List[str],
                  texts: List[Optional[str]]) -> None:
    """Write label files and pictures of one subject; no label file if the text is None."""
    folder = ReleaseFolder(root)
    for plan, video, text in zip(plans, videos, texts):
        if text is not None:
            folder.write(f'{LABELS}/{plan.subject}_{plan.task}.csv', text)
        write_pictures(folder, options, plan, video)


def truth_of(options: Options, plan: Plan, video: str) -> Tuple[List[dict], List[list], List[dict]]:
    """Rows and labels of the annotation table, and the items that give no row."""
    rows, labels, left_out = [], [], []
    file, known = f'{LABELS}/{plan.subject}_{plan.task}.csv', set(plan.pictures)
    as_images = options.frames_as == 'images'
    for t, frame in enumerate(map(int, plan.frames)):
        image = image_name(plan, frame) if as_images else f'{video}#{frame}'
        if frame not in known:
            left_out.append(dict(reason='label without picture', file=file, line=t + 2,
                                 frame=frame, image=image))
            continue
        row = dict(image=image, subject=plan.subject, sequence=plan.task, frame=frame)
        rows.append(row if as_images else {**row, 'picture': frame - options.first_frame})
        codes = [plan.codes[a][t] if a in plan.codes else NOT_CODED for a in COLUMNS]
        labels.append([np.nan if c == NOT_CODED else c for c in codes])
    for frame in sorted(known - set(map(int, plan.frames))):
        image = image_name(plan, frame) if as_images else f'{video}#{frame}'
        left_out.append(dict(reason='picture without label', file='', line='', frame=frame,
                             image=image))
    return rows, labels, left_out


def write_family(out, name: str, options: Options, workers: Processes, video_name, text,
                 extra=lambda options, plans: []):
    """Write a release.

    Args:
        out: Folder of the release.
        name: Name of the protocol.
        options: Checked options.
        workers: Number of processes.
        video_name: (options, subject, task) -> path of a video.
        text: (options, plan) -> text of a label file.
        extra: (options, plans) -> plans of recordings without a label file.

    Returns:
        Path: ``truth.csv``.
    """
    folder, protocol = ReleaseFolder(out), load_protocol(name)
    plans = plan_release(options, protocol)
    if folder.claim(dict(release=name, **options._asdict())):
        return folder.path('truth.csv')
    jobs, rows, labels, left_out = [], [], [], []
    for n, own in enumerate(plans):
        uncoded = extra(options, own) if n == 0 else []
        everything = [*own, *uncoded]
        videos = [f'{VIDEOS}/{video_name(options, p.subject, p.task)}' for p in everything]
        texts = [text(options, p) for p in own] + [None] * len(uncoded)
        jobs.append((str(folder.root), options, everything, videos, texts))
        for plan, video in zip(everything, videos):
            parts = truth_of(options, plan, video)
            for total, part in zip((rows, labels, left_out), parts):
                total.extend(part)
    run(f'{protocol.name}: subjects', write_subject, jobs, workers)
    folder.write_table('left_out.csv', left_out, LEFT_OUT)
    table = np.array(labels, np.float64)
    coded = ~np.isnan(table).all(0)
    return folder.finish(rows, [a for a, c in zip(COLUMNS, coded) if c], table[:, coded])
