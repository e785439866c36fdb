# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A population of rendered people: who shows which action unit, when, in what light.

Every frame is a pure function of (seed, subject, frame), so nothing depends on the order or the
process in which frames are drawn. ``shortcut`` is the confound that IAT is made for. With 1, the
identity of a *training* subject predicts its action units: it has its own rates, its resting face
leans the same way, and its sessions share one background. With 0, all subjects share the base
rate, no resting face leans anywhere, and each session has its own background. Test subjects are
always drawn as with 0.

With ``labels``, the action units are not drawn but read from real label sequences, so that their
co-occurrence, imbalance and rates by person are those of real recordings. With ``shortcut`` 1 a
training subject shows the frames of one real person; with 0 every frame is that of anybody, which
keeps what occurs together and takes away who shows it.
"""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np
import pandas as pd

from fmae_iat_plugin.action_units import au_name
from fmae_iat_plugin.datasets.annotation import AnnotationTable
from fmae_iat_plugin.datasets.protocol import Protocol, split_subjects

from .real_labels import check_people, read_people
from .renderer import AUS, Camera, Identity, Light, Pose, render, sample_identity

POSITIVE = 2.0       # intensity from which a frame counts as positive, as in DISFA
_RATE_SPREAD = 2.5   # standard deviation of a subject's log odds at shortcut 1
_REST = 0.8          # largest intensity of the resting face at shortcut 1, well below POSITIVE


class FaceParameters(NamedTuple):
    """The arguments of :func:`~fmae_iat_plugin.synthfacs.renderer.render` for one frame.

    Attributes:
        identity (Identity): The person, with this session's background.
        coded (dict[int, float]): AU -> intensity 0-5 that a coder would note.
        shown (dict[int, float]): AU -> intensity 0-5 that is rendered: coded plus resting face.
        pose (Pose), light (Light), camera (Camera): Drawn alike for all subjects; the light is
            drawn once per session.
    """

    identity: Identity
    coded: Dict[int, float]
    shown: Dict[int, float]
    pose: Pose
    light: Light
    camera: Camera


@lru_cache
def _names(subjects: int) -> Tuple[str, ...]:
    return tuple(f'S{k:03d}' for k in range(subjects))


@lru_cache
def _dealt(subjects: int, folds: int) -> Protocol:
    return split_subjects(_names(subjects), folds)


@dataclass(frozen=True)
class Population:
    """Rendered people and their frames.

    Args:
        subjects (int): Number of people, 2 to 999.
        frames (int): Number of frames of each, 1 to 9999.
        shortcut (float): Strength of the shortcut, 0 to 1; see the module.
        seed (int): Seed >= 0; another seed gives other people.
        folds (int), fold (int): Subject-exclusive folds as
            :func:`~fmae_iat_plugin.datasets.protocol.split_subjects` deals them, and the one
            (from 1) whose subjects are test subjects.
        aus (tuple[int]): AUs that occur; the others stay at 0.
        base_rate (float): Share of positive frames of each AU, in (0, 1).
        sessions (int): Recordings of each subject (``sequence`` T1, T2, ... in the table).
        labels (tuple[str]): CSV files of real label sequences, see
            :func:`~fmae_iat_plugin.synthfacs.real_labels.read_people`; ``aus`` are then among
            theirs, subject k is the k-th person of them, and ``base_rate`` has no meaning. Defaults
            to (): drawn.

    Raises:
        ValueError: If an argument is out of range; the message names it.
    """

    subjects: int = 24
    frames: int = 100
    shortcut: float = 0.0
    seed: int = 0
    folds: int = 3
    fold: int = 1
    aus: Tuple[int, ...] = AUS
    base_rate: float = 0.25
    sessions: int = 4
    labels: Tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, 'aus', tuple(int(au) for au in self.aus))
        object.__setattr__(self, 'labels', tuple(map(str, self.labels)))
        for name, low, high in (('subjects', 2, 999), ('frames', 1, 9999), ('shortcut', 0, 1),
                                ('seed', 0, 10**9), ('folds', 2, self.subjects),
                                ('fold', 1, self.folds), ('base_rate', 1e-6, 1 - 1e-6),
                                ('sessions', 1, 99)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f'Population: {name} is {getattr(self, name)!r}. Remedy: choose '
                                 f'it within [{low:g}, {high:g}].')
        unknown = sorted(set(self.aus) - set(AUS))
        if unknown or not self.aus:
            raise ValueError(f'Population: aus {unknown or self.aus} cannot be rendered. Remedy: '
                             f'choose among {", ".join(map(str, AUS))}.')
        if self.labels:
            check_people(read_people(self.labels), self.subjects, self.aus)

    @property
    def names(self) -> Tuple[str, ...]:
        """Subject names S000, S001, ...; the index is the ``subject`` of a sample."""
        return _names(self.subjects)

    @property
    def protocol(self) -> Protocol:
        """The folds; a frame is positive from intensity 2."""
        return _dealt(self.subjects, self.folds)._replace(
            name=f'SynthFACS (seed {self.seed})', intensity_threshold=POSITIVE)

    def to_dict(self) -> dict:
        """The arguments as plain values for JSON; ``labels`` only where there are some, so that
        folders of before stay what they were."""
        plain = {**asdict(self), 'aus': list(self.aus), 'labels': list(self.labels)}
        return plain if self.labels else {k: v for k, v in plain.items() if k != 'labels'}

    def is_test(self, subject: int) -> bool:
        """Whether the subject belongs to the test fold."""
        return self.names[subject] in self.protocol.test_subjects(self.fold)

    def _leaning(self, subject: int) -> np.ndarray:
        """``[A]`` tendency of the subject to each AU, in log odds; 0 for test subjects."""
        if self.labels:
            own, everybody = self._real_rates(subject)
            lean = (np.log(own / (1 - own)) - np.log(everybody / (1 - everybody))) / _RATE_SPREAD
        else:
            draw = np.random.default_rng([self.seed, subject, 0]).standard_normal(len(AUS))
            lean = np.array([draw[AUS.index(au)] for au in self.aus])
        return lean * (0.0 if self.is_test(subject) else self.shortcut)

    def _real_rates(self, subject: int) -> Tuple[np.ndarray, np.ndarray]:
        """``[A]`` share of positive frames of one real person, and of all; within (0, 1)."""
        people = read_people(self.labels)
        counts = [(np.concatenate([person.select(self.aus) for person in part]).sum(0),
                   sum(len(person.occurrence) for person in part))
                  for part in ((people[subject], ), people)]
        return tuple((positive + 0.5) / (frames + 1) for positive, frames in counts)

    def rates(self, subject: int) -> np.ndarray:
        """``[A]`` probability that a frame of the subject is positive."""
        if self.labels:
            own, everybody = self._real_rates(subject)
            share = 0.0 if self.is_test(subject) else self.shortcut
            return share * own + (1 - share) * everybody
        odds = np.log(self.base_rate / (1 - self.base_rate)) + _RATE_SPREAD * self._leaning(subject)
        return 1 / (1 + np.exp(-odds))

    def session(self, frame: int) -> int:
        """Session of a frame, from 0; the sessions are equal runs of frames."""
        return frame * self.sessions // self.frames

    def _positive(self, subject: int, frame: int, rng) -> np.ndarray:
        """``[A]`` bool: which action units the frame shows."""
        if not self.labels:
            return rng.random(len(self.aus)) < self.rates(subject)
        people = read_people(self.labels)
        own = rng.random() < (0.0 if self.is_test(subject) else self.shortcut)
        if own:  # in the order of the recording, evenly spaced
            person = people[subject]
            row = frame * len(person.occurrence) // self.frames
        else:
            ends = np.cumsum([len(person.occurrence) for person in people])
            place = int(rng.integers(ends[-1]))
            which = int(np.searchsorted(ends, place, side='right'))
            person, row = people[which], place - (ends[which - 1] if which else 0)
        return person.select(self.aus)[row]

    def _person(self, subject: int, session: int) -> Identity:
        person = sample_identity(self.seed * 1000 + subject)
        rng = np.random.default_rng([self.seed, subject, 1, session])
        other = rng.uniform(60, 225) + rng.normal(0, 14, 3)
        if rng.random() < (0.0 if self.is_test(subject) else self.shortcut):
            return person
        return replace(person, background=tuple(float(v) for v in np.clip(other, 0, 255)))

    def face(self, subject: int, frame: int) -> FaceParameters:
        """Draw the frame of (seed, subject, frame).

        Raises:
            IndexError: If there is no such subject or frame.
        """
        if not (0 <= subject < self.subjects and 0 <= frame < self.frames):
            raise IndexError(f'subject {subject}, frame {frame}: there are only {self.subjects} '
                             f'subjects with {self.frames} frames')
        rng = np.random.default_rng([self.seed, subject, 2, frame])
        positive = self._positive(subject, frame, rng)
        strong = rng.uniform(POSITIVE, 5, len(self.aus))
        faint = rng.uniform(0.2, 1.2, len(self.aus)) * (rng.random(len(self.aus)) < 0.2)
        coded = np.round(np.where(positive, strong, faint), 2)
        rest = _REST * np.clip(self._leaning(subject), 0, 1)
        shown = np.minimum(coded + rest * (1 - coded / 5), 5)
        yaw, pitch, roll, dx, dy = np.clip(rng.standard_normal(5), -2, 2) * (5, 3, 3, .01, .01)
        pose = Pose(yaw, pitch, roll, dx, dy, scale=rng.uniform(.97, 1.03))
        camera = Camera(gain=rng.uniform(.95, 1.05), blur=rng.uniform(0, .5),
                        noise=rng.uniform(0, 3), seed=int(rng.integers(2**31)))
        session = self.session(frame)
        return FaceParameters(self._person(subject, session), dict(zip(self.aus, coded.tolist())),
                    dict(zip(self.aus, shown.tolist())), pose, self._light(subject, session),
                    camera)

    def _light(self, subject: int, session: int) -> Light:
        """The light of the room, which is the same throughout a session, as in a laboratory."""
        rng = np.random.default_rng([self.seed, subject, 3, session])
        return Light(azimuth=rng.uniform(-45, 45), elevation=rng.uniform(15, 50),
                     ambient=rng.uniform(.36, .48), strength=rng.uniform(.62, .82),
                     warmth=rng.uniform(-.5, .5))

    def image(self, subject: int, frame: int, size: int) -> np.ndarray:
        """Render the frame: RGB, uint8 ``[size, size, 3]``."""
        face = self.face(subject, frame)
        return render(face.identity, face.shown, face.pose, face.light, size=size,
                      camera=face.camera)[0]

    def path(self, subject: int, frame: int) -> str:
        """``S003/T1/0007.png``."""
        return f'{self.names[subject]}/T{self.session(frame) + 1}/{frame:04d}.png'

    @staticmethod
    def parse(path: str) -> Tuple[int, int]:
        """Subject and frame of a :meth:`path`, below any folder."""
        parsed = PurePosixPath(path)
        return int(parsed.parts[-3][1:]), int(parsed.stem)

    def table(self, subjects: Optional[range] = None) -> AnnotationTable:
        """The annotation table with intensities, subject by subject.

        In this order, a renderer that keeps the paint of recent identities paints each once.
        """
        rows, labels = [], []
        for subject in range(self.subjects) if subjects is None else subjects:
            for frame in range(self.frames):
                rows.append((self.path(subject, frame), self.names[subject],
                             f'T{self.session(frame) + 1}', str(frame)))
                labels.append(list(self.face(subject, frame).coded.values()))
        frame = pd.DataFrame(rows, columns=['image', 'subject', 'sequence', 'frame'])
        name = f'SynthFACS (seed {self.seed}, {", ".join(map(au_name, self.aus))})'
        return AnnotationTable(name, frame, self.aus, np.array(labels, np.float32))
