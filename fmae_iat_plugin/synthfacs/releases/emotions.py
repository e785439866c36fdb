# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Expressions as combinations of action units, and single pictures of people who show them.

The combinations are the prototypes of Ekman, Friesen and Hager (FACS Investigator's Guide, 2002).
"""

from typing import Dict, NamedTuple, Tuple

import numpy as np

from ..renderer import AUS
from .labels import stream

PROTOTYPES = dict(
    neutral=(), happiness=(6, 12), surprise=(1, 2, 5, 26), sadness=(1, 4, 15),
    anger=(4, 5, 7, 23), disgust=(9, 15), fear=(1, 2, 4, 5, 20, 26), contempt=(14,))


class Portrait(NamedTuple):
    """One picture: person, expression, and AU -> intensity."""

    subject: str
    key: str
    expression: str
    shown: Dict[int, float]


def show(seed: int, key: str, expression: str) -> Dict[int, float]:
    """AU -> intensity of 2.5 to 5 for the units of the expression; 'neutral' has none."""
    rng = stream(seed, key, 'expression')
    shown = {au: float(np.round(rng.uniform(2.5, 5), 2)) for au in PROTOTYPES[expression]}
    if 26 in shown:  # a dropped jaw parts the lips
        shown[25] = shown[26]
    return shown


def cast(seed: int, subjects: int, images: int, expressions: Tuple[str, ...],
         first: int = 1) -> list:
    """``subjects`` lists of ``images`` portraits of P00001, P00002, ... (from number ``first``).

    Every expression occurs equally often, to within 1; the order also depends on ``first``.
    """
    deck = [expressions[k % len(expressions)] for k in range(subjects * images)]
    order = stream(seed, 'deck', first).permutation(len(deck))
    people = []
    for s in range(subjects):
        name = f'P{first + s:05d}'
        people.append([])
        for k in range(images):
            key, expression = f'{name}_{k}', deck[order[s * images + k]]
            people[-1].append(Portrait(name, key, expression, show(seed, key, expression)))
    return people


def cast_split(seed: int, subjects: int, images: int,
               expressions: Tuple[str, ...]) -> Tuple[list, list]:
    """People for training, and the last fifth (at least one) for testing; see :func:`cast`.

    Raises:
        ValueError: If there are fewer than two subjects, or so few images that the test set lacks
            an expression.
    """
    test = max(1, subjects // 5)
    if subjects < 2 or test * images < len(expressions):
        raise ValueError(f'subjects={subjects}, frames={images}: the test set of {test} subjects '
                         f'must show {len(expressions)} expressions. Remedy: choose at least 2 '
                         f'subjects, and frames of at least {-(-len(expressions) // test)}.')
    return (cast(seed, subjects - test, images, expressions),
            cast(seed, test, images, expressions, subjects - test + 1))


def label_row(shown: Dict[int, float]) -> list:
    """Intensities of all rendered AUs, 0 for those that are not shown."""
    return [shown.get(au, 0.0) for au in AUS]
