# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""How the faces of a data set were cropped: noted beside the crops, kept by the models they train.

``tools/crop_faces.py`` leaves :data:`SETTINGS` beside its table. A data set hands on what of it
shapes a crop; the checkpoint and the ONNX file keep it, and the inferencer crops in the same way.
"""

import json
from pathlib import Path
from typing import Mapping, Optional, Union

from .annotation import AnnotationError

SETTINGS = 'cropping.json'  #: written beside crops and their table
#: what shapes a crop: who found the face, and how it was cut out
NOTED = ('detector', 'margin', 'square', 'align', 'halve', 'size')


def read_cropping(table: Union[str, Path]) -> Optional[dict]:
    """How the faces of a table were cropped.

    Args:
        table: File of a table of crops; the note lies in its folder.

    Returns:
        dict: The keys :data:`NOTED`; ``detector`` is a dict of its options. None: nothing is noted.

    Raises:
        AnnotationError: If the note cannot be read.
    """
    path = Path(table).with_name(SETTINGS)
    if not path.is_file():
        return None
    try:
        settings = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise AnnotationError(f'{path} is no JSON: {error}. Remedy: restore it, or delete it: then '
                              'it is not known how the faces were cropped.') from error
    return checked_cropping({name: settings.get(name) for name in NOTED}, str(path))


def checked_cropping(noted: Mapping, source: str) -> dict:
    """The same, if it says how faces were cropped.

    Args:
        noted: Some or all of :data:`NOTED`.
        source: Where it stands, for the message.

    Raises:
        AnnotationError: For another key, or a detector that is no dict of its options.
    """
    unknown = sorted(set(noted) - set(NOTED), key=str) if isinstance(noted, Mapping) else [noted]
    if unknown:
        raise AnnotationError(f'{source}: the note on face crops has {unknown[0]!r}. Remedy: a '
                              f'dict with {", ".join(NOTED)}.')
    detector = noted.get('detector')
    if detector is not None and not isinstance(detector, Mapping):
        raise AnnotationError(f'{source}: the detector of the face crops is {detector!r}. Remedy: '
                              "dict(detector='dlib'), or further fields of DetectorSpec.")
    return {name: dict(value) if isinstance(value, Mapping) else value
            for name, value in noted.items()}
