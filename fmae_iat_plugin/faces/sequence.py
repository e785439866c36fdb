# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""One unit from frames to crops, with a record of its faces, so that it is done once."""

import hashlib
import json
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator

from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.skipped import Skip

from .crop import crop_face, encode, halve
from .detector import DetectorSpec
from .frames import read_frames
from .structures import NO_FACE, NONE, CropOptions, Frame, Unit
from .tracking import Face, Tracker, select_faces

#: columns of a record's rows
COLUMNS = ('image', 'source', 'frame', 'timestamp', 'face', 'x1', 'y1', 'x2', 'y2', 'score',
           'track')


def _fingerprint(unit: Unit) -> str:
    """Of what the unit is made: files by path, size and time of change."""
    paths = [unit.video] if unit.video is not None else [frame.path for frame in unit.frames]
    states = []
    for path in paths:
        state = path.stat() if path.is_file() else None
        states.append([str(path), state.st_size, state.st_mtime_ns] if state else [str(path)])
    frames = [[frame.source, frame.number, frame.stem] for frame in unit.frames]
    text = json.dumps([unit.name, unit.related, states, frames])
    return hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()


def _batches(items: Iterable, size: int) -> Iterator[list]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def _find(frames: Iterable[Frame], detector, options: CropOptions, related: bool) -> Iterator:
    """(frame, faces) in order; boxes in pixels of the frame that ``options.halve`` makes."""
    tracker = Tracker(options.track if related else None)
    for batch in _batches(frames, detector.batch_size):
        if options.halve:
            batch = [frame if frame.image is None else frame._replace(image=halve(frame.image))
                     for frame in batch]
        readable = [frame.image for frame in batch if frame.image is not None]
        found = iter(detector(readable)) if readable else iter(())
        for frame in batch:
            faces = []
            if frame.image is not None:
                height, width = frame.image.shape[:2]
                faces = select_faces(next(found), width, height, options.faces)
            yield from tracker.push(frame.number, frame, faces)
    yield from tracker.finish()


def _row(frame: Frame, face: Face, image: str, options: CropOptions) -> list:
    scale = 2 if options.halve else 1
    box = [round(value * scale, 2) for value in face.box]
    score = None if face.score is None else round(face.score, 4)
    return [image, frame.source, frame.number, frame.timestamp, face.state, *box, score,
            face.track]


def crop_unit(unit: Unit, out: Path, detector: DetectorSpec, options: CropOptions) -> dict:
    """Crop the faces of a unit to ``out/faces``, unless a record says it is done.

    Args:
        unit: Images or a video.
        out: Output folder; the record goes to ``out/.faces``.
        detector: Built here, in the process that needs it; anything with ``build()``.
        options: Which faces, and how they are cropped.

    Returns:
        dict: The record: ``rows`` (lists, see ``COLUMNS``; a frame without a face has one row,
        whose image does not exist) and ``skipped`` (lists, fields of ``Skip``).
    """
    name = hashlib.sha256(unit.name.encode('utf-8', 'surrogateescape')).hexdigest()[:24]
    path, fingerprint = out / '.faces' / f'{name}.json', _fingerprint(unit)
    folder = out / 'faces'
    if path.is_file():
        record = json.loads(path.read_text())
        if record['unit'] == fingerprint and all(
                row[4] == NONE or (folder / row[0]).is_file() for row in record['rows']):
            return record
    rows, skipped = [], []
    for frame, faces in _find(read_frames(unit, skipped), detector.build(), options, unit.related):
        if frame.image is None:  # boxes bridged over it have nothing to cut out
            faces = []
        suffix = f'.{options.image_format}'
        for face in faces:
            stem = f'{frame.stem}_{face.track}' if options.faces == 'all' else frame.stem
            rows.append(_row(frame, face, stem + suffix, options))
            image = crop_face(frame.image, face.box, options)
            write_whole(folder / (stem + suffix), encode(image, options.image_format))
        if not faces:
            stem = f'{frame.stem}_0' if options.faces == 'all' else frame.stem
            rows.append([stem + suffix, frame.source, frame.number, frame.timestamp, NONE,
                         *[None] * 6])
            skipped.append(_missing(unit, frame))
    record = dict(unit=fingerprint, name=unit.name, rows=rows, skipped=skipped)
    write_whole(path, json.dumps(record).encode())
    return record


def _missing(unit: Unit, frame: Frame) -> Skip:
    """The entry for a frame without a face."""
    if frame.problem:
        return frame.problem
    if unit.video is None:
        return Skip(frame.source, NO_FACE)
    return Skip(f'{frame.source}, frame {frame.number}', NO_FACE, str(unit.video))
