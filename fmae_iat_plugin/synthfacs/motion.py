# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How a rendered face moves on: the frames of a population are drawn one by one, without a before.

Each frame gets a future of its own. Its action units relax: after ``delta`` frames there is
``0.5 ** (delta / h)`` left of the intensity, with a half-life h of 1 to 3 frames, drawn for the
frame. The head turns back to the front with a half-life of 16 frames, and drifts a little: a face
crop follows the head, so little of its motion is left. So part of the motion can be foreseen from
one image (what is active will relax) and part cannot (how fast, and the drift). This is a model of
spontaneous behaviour, not a measurement.
"""

from dataclasses import replace

import numpy as np

from .population import FaceParameters, Population
from .renderer import Flow, flow

_TURN = 16  # half-life in frames
_DRIFT = dict(yaw=.25, pitch=.15, roll=.15, dx=.0005, dy=.0005)  # standard deviation, 1 frame


def later(population: Population, subject: int, frame: int, delta: int) -> FaceParameters:
    """The face of a frame ``delta`` frames on; a pure function of its arguments.

    Raises:
        ValueError: If ``delta`` is below 1.
    """
    if delta < 1:
        raise ValueError(f'delta is {delta}. Remedy: 1 or more frames.')
    face = population.face(subject, frame)
    rng = np.random.default_rng([population.seed, subject, 4, frame])
    left = 0.5**(delta / rng.uniform(1, 3))
    turned = 0.5**(delta / _TURN)
    drift = np.clip(rng.standard_normal(len(_DRIFT)), -2, 2) * np.sqrt(delta)
    pose = replace(face.pose, **{
        name: float(turned * getattr(face.pose, name) + amount * draw)
        for (name, amount), draw in zip(_DRIFT.items(), drift)})
    return face._replace(pose=pose, coded={au: value * left for au, value in face.coded.items()},
                         shown={au: value * left for au, value in face.shown.items()})


def flow_of_frame(population: Population, subject: int, frame: int, delta: int,
                  size: int) -> Flow:
    """Exact flow from a frame to the one ``delta`` frames on, in pixels of a ``size`` image."""
    now, then = population.face(subject, frame), later(population, subject, frame, delta)
    return flow(now.identity, now.shown, now.pose, then.shown, then.pose, size=size)
