# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Crops at inference as those of the training: what a model notes, what is asked for, what differs.

The note is that of :mod:`fmae_iat_plugin.datasets.cropping`: the detector of the training crops
and the :class:`~.structures.CropOptions` that shape a crop.
"""

import argparse
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple, Union

from fmae_iat_plugin.datasets.cropping import NOTED, checked_cropping
from fmae_iat_plugin.files import file_sha256

from .crop import PUBLISHED_MARGIN
from .detector import DetectorSpec
from .landmarks import ALIGNED_MARGIN
from .structures import CropError, CropOptions

#: options of a crop that can be changed one by one
CHANGEABLE = tuple(name for name in NOTED if name != 'detector')


def crop_options(noted: Optional[Mapping], asked: Union[CropOptions, Mapping, None],
                 size: Optional[int] = None, source: str = 'the model') -> CropOptions:
    """How the inferencer crops.

    Args:
        noted: What the model notes; None: nothing, so the published crop is taken.
        asked: Options that replace all of it, or a dict of those that are changed.
        size: Side that the model needs; None: any.
        source: What notes it, for messages.

    Raises:
        CropError: If a value is out of range, or a name unknown.
    """
    if isinstance(asked, CropOptions):
        asked.check()
        return asked
    unknown = sorted(set(asked or ()) - set(CHANGEABLE), key=str)
    if unknown:
        raise CropError(f'crop has {unknown[0]!r}. Remedy: a dict of {", ".join(CHANGEABLE)}, or '
                        'CropOptions.')
    known = {name: value for name, value in checked_cropping(noted or {}, source).items()
             if name in CHANGEABLE and (value is not None or name in ('margin', 'align'))}
    if asked and (asked.get('align') or None) != known.get('align') and 'align' in asked:
        known.pop('margin', None)  # margins with and without alignment are of different squares
        if asked['align']:
            known.pop('square', None)
    values = {**known, **(asked or {})}
    values['align'] = values.get('align') or None
    values['size'] = size or values.get('size') or 224
    try:
        options = CropOptions(faces='all', **values)
        options.check()
    except TypeError as error:  # a value of a type that cannot be compared
        raise CropError(f'{source} notes the crop {values}: {error}. Remedy: crop=CropOptions('
                        '...).') from error
    return options


def detector_spec(noted: Optional[Mapping], device: str = 'cpu') -> Tuple[DetectorSpec, str]:
    """The detector of the training crops.

    Args:
        noted: What the model notes.
        device: For an mmdet detector.

    Returns:
        tuple: It, or dlib where nothing is noted or its files are not here; and what of it is not
        here, '' = nothing.
    """
    record = (noted or {}).get('detector')
    if not record:
        return DetectorSpec(device=device), ''
    if 'detector' not in record:
        return DetectorSpec(device=device), 'its detector'
    fields = {name: record[name] for name in DetectorSpec._fields if record.get(name) is not None}
    for name in ('detector', 'checkpoint'):
        wanted, file = record.get(f'{name}_sha256'), str(fields.get(name, ''))
        if file.endswith('.py') or name == 'checkpoint' and file:
            if '://' in file:
                continue
            if not Path(file).is_file() or (wanted and file_sha256(file) != wanted):
                return DetectorSpec(device=device), f'{name} {file}'
    return DetectorSpec(**{**fields, 'device': device}), ''


def described(noted: Mapping, detector: Any = None) -> dict:
    """The same note with what is left to defaults written out, so that two can be compared."""
    values = {name: noted.get(name) for name in CHANGEABLE if name in noted}
    if 'margin' in values and values['margin'] is None:
        values['margin'] = ALIGNED_MARGIN if values.get('align') else PUBLISHED_MARGIN
    if values.get('align'):
        values.pop('square', None)  # always
    record = noted.get('detector') if detector is None else detector
    if isinstance(record, Mapping):
        dlib, name = record.get('detector') == 'dlib', Path(str(record.get('detector'))).name
        values['detector'] = 'dlib' if dlib else record.get('detector_sha256', name)[:16]
        values['detector weights'] = None if dlib else record.get('checkpoint_sha256', '')[:16]
        threshold = record.get('threshold')
        values['detector threshold'] = float((0. if dlib else .5) if threshold is None
                                             else threshold)
        values['detector upsample'] = record.get('upsample') or 0
    elif record is not None:
        values['detector'] = str(record)
    return values


def difference(noted: Optional[Mapping], detector: Union[dict, str], crop: CropOptions) -> str:
    """What differs between the crops of the training and those that are made now.

    Args:
        noted: What the model notes.
        detector: ``record()`` of the detector that is used, or the name of its class.
        crop: How faces are cropped now.

    Returns:
        str: ``'margin 0.05 there, 0.2 here; ...'``; '' = nothing, or nothing is noted.
    """
    if not noted:
        return ''
    there, here = described(noted), described(crop._asdict(), detector)
    return '; '.join(f'{name} {there[name]} there, {here.get(name)} here'
                     for name in there if there[name] != here.get(name))


def add_crop_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--align``, ``--square``, ``--margin`` and ``--halve``; :func:`crop_arguments` reads
    them."""
    group = parser.add_argument_group("crop (default: that of the model's training; where it "
                                      'notes none, the published one)')
    group.add_argument('--align', type=int, choices=(0, 5, 68), help='level the eyes by so many '
                       'landmarks; 0: not')
    group.add_argument('--square', action=argparse.BooleanOptionalAction,
                       help='square with the longer side')
    group.add_argument('--margin', type=float, help="part of the box's size added on each side")
    group.add_argument('--halve', action=argparse.BooleanOptionalAction,
                       help='halve both sides of frames first')


def crop_arguments(args: argparse.Namespace) -> Tuple[Tuple[str, Any], ...]:
    """(name, value) of the options that were given, for ``dict``; see :func:`crop_options`."""
    return tuple((name, getattr(args, name)) for name in ('align', 'square', 'margin', 'halve')
                 if getattr(args, name) is not None)
