# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The faces of the default model: rendered people, cropped by the detector of inference.

::

    python tools/misc/render_crops.py work_dirs/default_au

writes ``train`` (3,600 people), and ``calibration`` and ``test`` (200 others each, with the crop of
inference itself).

Every frame is a pure function of (seed, person, frame). Head and shoulders are rendered, dlib finds
the face as it does in ``tools/predict.py``, and the box is cut out with room around it, so that the
training can vary the framing. A face that dlib does not find is cut where its landmarks say the box
would be, and is counted. What varies and is no action unit: person (with the proportions of
:mod:`~fmae_iat_plugin.synthfacs.proportions`), resting face, head pose to 30
degrees, light, background. The camera varies in the training
(:class:`~fmae_iat_plugin.datasets.camera_transforms.RandomCamera`).
"""

import argparse
import json
from functools import lru_cache, partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np
import pandas as pd
from mmengine.logging import MMLogger

from fmae_iat_plugin.datasets.annotation import write_annotation
from fmae_iat_plugin.errors import exit_code, path_argument
from fmae_iat_plugin.faces.crop import PUBLISHED_MARGIN, cut, encode, enlarge
from fmae_iat_plugin.faces.dlib_detector import DlibDetector
from fmae_iat_plugin.files import claim_folder, write_whole
from fmae_iat_plugin.parallel import (
    ParallelError,
    Processes,
    add_parallel_arguments,
    parallel_arguments,
    run_parallel,
)
from fmae_iat_plugin.synthfacs.proportions import sample_varied_identity
from fmae_iat_plugin.synthfacs.renderer import AUS, Light, Pose, render
from fmae_iat_plugin.synthfacs.renderer.sampling import sample_intensities

TABLE, PARAMETERS, MISSES = 'annotations.csv', 'rendered_crops.json', 'misses.csv'
NOTE = 'missed.json'  # of each person, written last: frames that dlib did not find
RENDERED = 192  # pixels: a face of some 100 pixels, which dlib finds without enlarging
ROOM = 0.30     # part of the box that is kept on each side; inference keeps 0.05
CALIBRATION_FIRST, TEST_FIRST = 80000, 90000  # numbers of the first persons
FIRST_IDENTITY = 10 ** 6  # identities of the default model: those of Population lie elsewhere
# dlib's box of rendered faces, in distances between the pupils from the point between the eyes
_BOX = (-1.17, -0.69, 1.17, 1.65)


class Drawn(NamedTuple):
    """The arguments of :func:`~fmae_iat_plugin.synthfacs.renderer.render` for one frame.

    Attributes:
        coded (dict[int, float]): AU -> intensity 0-5 that a coder would note.
        shown (dict[int, float]): AU -> intensity 0-5 that is rendered: coded plus resting face.
        pose (Pose), light (Light): Head and lamp.
    """

    coded: Dict[int, float]
    shown: Dict[int, float]
    pose: Pose
    light: Light


def expression(rng: np.random.Generator) -> Dict[int, float]:
    """AU -> intensity of a random expression, as people show it.

    In :func:`~fmae_iat_plugin.synthfacs.renderer.sampling.sample_intensities` the units of an
    expression are drawn apart. Here most expressions have a strength that all their units share,
    and the outer brow (AU 2) seldom rises without the inner one (AU 1), as in BP4D and DISFA.
    """
    coded = sample_intensities(rng)
    if coded and rng.random() < .6:
        strength = 5 * rng.beta(2.2, 1.2)
        coded = {au: float(np.clip(strength + rng.normal(0, .6), .3, 5)) for au in coded}
    if 2 in coded and 1 not in coded and rng.random() < .7:
        coded[1] = float(np.clip(coded[2] + rng.normal(0, .6), .3, 5))
    if 26 in coded:  # a dropped jaw parts the lips
        coded[25] = max(coded.get(25, 0.0), coded[26])
    return coded


def draw(seed: int, person: int, frame: int) -> Drawn:
    """Expression, pose and light of a frame; the resting face belongs to the person."""
    rng = np.random.default_rng([seed, person, frame, 16])
    own = np.random.default_rng([seed, person, 17])
    coded = {} if frame == 0 else expression(rng)
    rest = {au: float(own.uniform(0, .7)) for au in AUS if own.random() < .12}
    shown = dict(coded)
    for au, amount in rest.items():
        shown[au] = min(5.0, coded.get(au, 0.0) + amount * (1 - coded.get(au, 0.0) / 5))
    if rng.random() < .3:  # turned away
        yaw, pitch, roll = rng.uniform(-28, 28), rng.uniform(-18, 18), rng.uniform(-12, 12)
    else:
        yaw, pitch, roll = np.clip(rng.standard_normal(3), -2, 2) * (6, 5, 4)
    pose = Pose(float(yaw), float(pitch), float(roll), scale=float(rng.uniform(.9, 1.1)))
    light = Light(azimuth=float(rng.uniform(-70, 70)), elevation=float(rng.uniform(-5, 65)),
                  ambient=float(rng.uniform(.28, .7)), strength=float(rng.uniform(.25, .9)),
                  warmth=float(rng.uniform(-.6, .6)))
    return Drawn(coded, shown, pose, light)


def box_of_landmarks(landmarks: np.ndarray) -> Tuple[float, ...]:
    """The box that dlib would give, from 68 landmarks ``[68, 2]``: (x1, y1, x2, y2)."""
    eyes = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    middle, unit = (eyes[0] + eyes[1]) / 2, float(np.hypot(*(eyes[1] - eyes[0])))
    return tuple(float(middle[k % 2] + unit * side) for k, side in enumerate(_BOX))


def _write_person(out: Path, seed: int, frames: int, size: int, room: float, person: int) -> list:
    """Render the frames of one person; returns the labels ``[frames, A]`` and missed frames."""
    cv2.setNumThreads(0)  # each process uses one core
    note, labels, missed = out / f'P{person:05d}' / NOTE, [], []
    who = sample_varied_identity(FIRST_IDENTITY + seed * 100000 + person)
    noted = json.loads(note.read_text()) if note.is_file() else None  # None: stopped before its end
    for frame in range(frames):
        drawn = draw(seed, person, frame)
        labels.append([round(drawn.coded.get(au, 0.0), 2) for au in AUS])
        path = out / _name(person, frame)
        if noted is not None and path.is_file():
            missed += [frame] * (frame in noted)
            continue
        image, landmarks = render(who, drawn.shown, drawn.pose, drawn.light, RENDERED,
                                  'portrait')
        image = np.ascontiguousarray(image[..., ::-1])
        found = _detector()([image])[0].boxes
        if not len(found):
            missed.append(frame)
        box = found[0] if len(found) else box_of_landmarks(landmarks)
        write_whole(path, encode(cut(image, enlarge(box, room), size), 'jpg'))
    write_whole(note, json.dumps(missed).encode())
    return [labels, missed]


@lru_cache(maxsize=1)
def _detector() -> DlibDetector:
    """One for each process."""
    return DlibDetector()


def _name(person: int, frame: int) -> str:
    return f'P{person:05d}/{frame:03d}.jpg'


def write_rendered_crops(out: Union[str, Path], people: int = 3600, frames: int = 10,
                         size: int = 128, seed: int = 0, workers: Processes = 0,
                         room: float = ROOM, first: int = 0) -> Path:
    """Render the training set; a run that was stopped goes on where it was.

    Args:
        out: Folder; created if it does not exist.
        people: Number of people, 1 to 99999.
        frames: Frames of each; the first is neutral.
        size: Side of the crops in pixels.
        seed: Another seed gives other people.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`; 0 = all cores.
        room: Part of the detector's box that is kept on each side.
        first: Number of the first person, so that two sets share nobody.

    Returns:
        Path: The annotation table, with intensities.

    Raises:
        ValueError: If the folder holds another set.
    """
    out = Path(out).expanduser()
    claim_folder(out, PARAMETERS, dict(people=people, frames=frames, size=size, seed=seed,
                                       rendered=RENDERED, room=room, first=first), 'faces')
    if (out / TABLE).is_file():
        MMLogger.get_current_instance().info('%s is already complete.', out)
        return out / TABLE
    persons = range(first, first + people)
    done = run_parallel(partial(_write_person, out, seed, frames, size, room), persons, workers,
                        'Rendering faces of people')
    rows = [(_name(person, frame), f'P{person:05d}', frame) for person in persons
            for frame in range(frames)]
    missed = [(_name(person, frame),) for person, (_, frames_missed) in zip(persons, done)
              for frame in frames_missed]
    pd.DataFrame(missed, columns=['image']).to_csv(out / MISSES, index=False)
    MMLogger.get_current_instance().info(
        '%d of %d faces were not found by dlib and cut by their landmarks (%s)', len(missed),
        len(rows), out / MISSES)
    write_annotation(out / TABLE, pd.DataFrame(rows, columns=['image', 'subject', 'frame']), AUS,
                     np.array([row for labels, _ in done for row in labels], np.float32))
    return out / TABLE


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; the exit code: 0, 2 (an error), 130 (stopped)."""
    parser = argparse.ArgumentParser(description='Render the faces that the default model is '
                                     'trained and tested on. A run that was stopped goes on.')
    parser.add_argument('out', type=path_argument,
                        help='folder; gets train/, calibration/ and test/')
    parser.add_argument('--people', type=int, default=3600, help='of the training; default: 3600')
    parser.add_argument('--test-people', type=int, default=200, help='of the test, and of the '
                        'calibration; default: 200')
    parser.add_argument('--frames', type=int, default=10, help='of each person; default: 10')
    add_parallel_arguments(parser, workers=0)
    args = parser.parse_args(arguments)
    workers = parallel_arguments(args)

    def work() -> int:
        write_rendered_crops(Path(args.out, 'train'), args.people, args.frames, workers=workers)
        for name, first in (('calibration', CALIBRATION_FIRST), ('test', TEST_FIRST)):
            write_rendered_crops(Path(args.out, name), args.test_people, args.frames,
                                 workers=workers, room=PUBLISHED_MARGIN, first=first)
        return 0

    return exit_code(work, ValueError, ImportError, ParallelError)
