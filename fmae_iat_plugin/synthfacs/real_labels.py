# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Who shows which action units in real recordings: label sequences without pictures."""

from functools import lru_cache
from typing import NamedTuple, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.action_units import au_name


class RealPerson(NamedTuple):
    """The frames of one person, recording by recording.

    Attributes:
        name (str): Of the table.
        aus (tuple[int]): Columns.
        occurrence (np.ndarray): ``[T, A]`` bool.
    """

    name: str
    aus: Tuple[int, ...]
    occurrence: np.ndarray

    def select(self, aus: Sequence[int]) -> np.ndarray:
        """``[T, len(aus)]`` bool, in the order of ``aus``."""
        return self.occurrence[:, [self.aus.index(au) for au in aus]]


@lru_cache(maxsize=4)
def read_people(paths: Tuple[str, ...]) -> Tuple[RealPerson, ...]:
    """Read label sequences of BP4D (``F001/T1/02440.jpg``) or DISFA (``SN001/00001.jpg``).

    Args:
        paths: CSV files, see
            :func:`~fmae_iat_plugin.synthfacs.releases.labels.read_label_table`.

    Returns:
        tuple[RealPerson]: By name.

    Raises:
        FileNotFoundError, ValueError: See there.
    """
    from .releases.labels import read_label_table  # that room renders populations
    try:
        sequences = read_label_table(list(paths), r'[A-Za-z]+\d+', True)
    except ValueError:
        sequences = read_label_table(list(paths), r'[A-Za-z]+\d+', False)
    people: dict = {}
    for (name, _), sequence in sorted(sequences.items()):
        people.setdefault(name, []).append(sequence.occurrence)
    return tuple(RealPerson(name, tuple(parts[0]), np.concatenate(
        [np.stack(list(part.values()), 1) for part in parts])) for name, parts in people.items())


def check_people(people: Sequence[RealPerson], subjects: int, aus: Sequence[int]) -> None:
    """Raises ValueError if there are fewer people than subjects, or an AU has no column."""
    if subjects > len(people):
        raise ValueError(f'Population: subjects is {subjects}, but the label tables hold '
                         f'{len(people)} people. Remedy: at most so many subjects.')
    missing = [au_name(au) for au in aus if au not in people[0].aus]
    if missing:
        raise ValueError(f'Population: the label tables have no {", ".join(missing)}. Remedy: aus '
                         f'among {", ".join(map(str, people[0].aus))}.')
