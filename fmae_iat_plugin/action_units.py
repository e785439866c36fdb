# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The vocabulary: action unit number -> FACS name, muscle, region of the face.

Source: Ekman, Friesen and Hager, Facial Action Coding System (2002).
"""

from types import MappingProxyType
from typing import Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np


class ActionUnit(NamedTuple):
    """One action unit of FACS: ``number``, ``name``, ``muscle``, ``region``."""

    number: int
    name: str
    muscle: str
    region: str


_TABLE = (
    (1, 'Inner brow raiser', 'frontalis, pars medialis', 'upper'),
    (2, 'Outer brow raiser', 'frontalis, pars lateralis', 'upper'),
    (4, 'Brow lowerer', 'corrugator supercilii, depressor supercilii, procerus', 'upper'),
    (5, 'Upper lid raiser', 'levator palpebrae superioris', 'upper'),
    (6, 'Cheek raiser', 'orbicularis oculi, pars orbitalis', 'upper'),
    (7, 'Lid tightener', 'orbicularis oculi, pars palpebralis', 'upper'),
    (9, 'Nose wrinkler', 'levator labii superioris alaeque nasi', 'lower'),
    (10, 'Upper lip raiser', 'levator labii superioris', 'lower'),
    (11, 'Nasolabial deepener', 'zygomaticus minor', 'lower'),
    (12, 'Lip corner puller', 'zygomaticus major', 'lower'),
    (13, 'Sharp lip puller', 'levator anguli oris', 'lower'),
    (14, 'Dimpler', 'buccinator', 'lower'),
    (15, 'Lip corner depressor', 'depressor anguli oris', 'lower'),
    (16, 'Lower lip depressor', 'depressor labii inferioris', 'lower'),
    (17, 'Chin raiser', 'mentalis', 'lower'),
    (18, 'Lip pucker', 'incisivii labii', 'lower'),
    (19, 'Tongue show', 'tongue', 'lower'),
    (20, 'Lip stretcher', 'risorius with platysma', 'lower'),
    (21, 'Neck tightener', 'platysma', 'lower'),
    (22, 'Lip funneler', 'orbicularis oris', 'lower'),
    (23, 'Lip tightener', 'orbicularis oris', 'lower'),
    (24, 'Lip pressor', 'orbicularis oris', 'lower'),
    (25, 'Lips part', 'depressor labii inferioris, relaxed mentalis or orbicularis oris', 'lower'),
    (26, 'Jaw drop', 'masseter, relaxed temporalis and pterygoid', 'lower'),
    (27, 'Mouth stretch', 'pterygoids, digastric', 'lower'),
    (28, 'Lip suck', 'orbicularis oris', 'lower'),
    (29, 'Jaw thrust', 'pterygoids', 'lower'),
    (30, 'Jaw sideways', 'pterygoids', 'lower'),
    (31, 'Jaw clencher', 'masseter', 'lower'),
    (32, 'Lip bite', 'jaw closers', 'lower'),
    (33, 'Cheek blow', 'buccinator', 'lower'),
    (34, 'Cheek puff', 'buccinator', 'lower'),
    (35, 'Cheek suck', 'buccinator', 'lower'),
    (36, 'Tongue bulge', 'tongue', 'lower'),
    (37, 'Lip wipe', 'tongue', 'lower'),
    (38, 'Nostril dilator', 'nasalis, pars alaris', 'lower'),
    (39, 'Nostril compressor', 'nasalis, pars transversa, and depressor septi nasi', 'lower'),
    (41, 'Lid droop', 'relaxed levator palpebrae superioris', 'eye'),
    (42, 'Slit', 'orbicularis oculi', 'eye'),
    (43, 'Eyes closed', 'relaxed levator palpebrae superioris', 'eye'),
    (44, 'Squint', 'orbicularis oculi, pars palpebralis', 'eye'),
    (45, 'Blink', 'relaxed levator palpebrae and orbicularis oculi', 'eye'),
    (46, 'Wink', 'orbicularis oculi', 'eye'),
)

#: action unit number -> :class:`ActionUnit`
ACTION_UNITS = MappingProxyType({row[0]: ActionUnit(*row) for row in _TABLE})


def au_name(number: int) -> str:
    """Column name of an action unit: ``12`` -> ``'AU12'``."""
    return f'AU{number}'


def parse_au(au) -> int:
    """Number of an action unit given as ``12``, ``'12'``, ``'AU12'`` or ``'au12'``.

    Raises:
        ValueError: If it is not an action unit of FACS; the message names it and lists the
            known ones.
    """
    text = str(au).strip()
    digits = text[2:] if text[:2].upper() == 'AU' else text
    if isinstance(au, bool) or not digits.isdigit() or int(digits) not in ACTION_UNITS:
        raise ValueError(f'unknown action unit {au!r}; FACS has '
                         f'{", ".join(map(str, ACTION_UNITS))}. Remedy: write numbers or '
                         "'AU<number>'.")
    return int(digits)


def parse_aus(aus, where: str = '`aus`') -> Tuple[int, ...]:
    """Numbers of a list of action units, in its order.

    Args:
        aus: Numbers or names, see :func:`parse_au`; a list, tuple, range or array.
        where: What names them, for the message.

    Raises:
        ValueError: If it is not a list, is empty, or names an action unit that is unknown or
            repeated.
    """
    if not isinstance(aus, (list, tuple, range, np.ndarray)) or np.ndim(aus) != 1:
        given = aus if isinstance(aus, (int, str)) else 1
        hint = f'({given},)' if isinstance(given, int) else '(1, 2, 4)'
        raise ValueError(f'{where} is {aus!r}, a {type(aus).__name__}. Remedy: a list of action '
                         f'units in the order of the outputs, such as {hint}.')
    numbers = tuple(parse_au(au) for au in aus)
    if not numbers:
        raise ValueError(f'{where} is empty. Remedy: name at least one action unit.')
    if len(set(numbers)) < len(numbers):
        raise ValueError(f'{where} {numbers} names an action unit twice. Remedy: each once.')
    return numbers


def named_outputs(meta: Optional[Mapping]) -> Tuple[str, ...]:
    """What the outputs of a head mean, in their order.

    Args:
        meta: ``metainfo`` of a data set, or the ``dataset_meta`` that a checkpoint notes: ``aus``
            (numbers or names) or, of other labels, ``classes``.

    Returns:
        tuple[str]: ``('AU1', 'AU2')``; ``()`` where it does not say.
    """
    meta = meta if isinstance(meta, Mapping) else {}
    for key in ('aus', 'classes'):
        named = meta.get(key)
        if isinstance(named, (list, tuple)) and named:
            return tuple(au_name(parse_au(au)) if key == 'aus' else str(au) for au in named)
    return ()


def check_same_outputs(saved: Sequence[str], wanted: Sequence[str], checkpoint: str,
                       other: str) -> None:
    """Refuse to use the outputs of a head under other names than those they were trained for.

    Args:
        saved: What the checkpoint notes, see :func:`named_outputs`; empty: it does not say.
        wanted: What the outputs are about to be called; empty: nothing is said.
        checkpoint: What notes ``saved``, for the message.
        other: What says ``wanted``, for the message.

    Raises:
        ValueError: If both are known and differ in a name or in the order.
    """
    if not saved or not wanted or tuple(saved) == tuple(wanted):
        return
    how = 'in another order' if sorted(saved) == sorted(wanted) else 'others'
    listed = ', '.join(name.removeprefix('AU') for name in saved)
    remedy = (f'aus=({listed}{"," * (len(saved) == 1)}), in that order'
              if all(name.startswith('AU') for name in saved) else 'the same classes in that order')
    raise ValueError(f'{checkpoint} has {", ".join(saved)}, {other} has '
                     f'{", ".join(wanted)} ({how}), so each number would stand under a wrong name. '
                     f'Remedy: {remedy}.')
