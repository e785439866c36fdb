# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Labelled frames meet their pictures; what has no partner is listed, never guessed."""

from pathlib import Path
from typing import List, Optional

import numpy as np

from fmae_iat_plugin.skipped import Skip

from .base import (
    BAD_VIDEO,
    DAMAGED_FRAME,
    DAMAGED_VIDEO,
    EMPTY_IMAGE,
    NO_IMAGE,
    NO_LABEL,
    TRUNCATED_VIDEO,
    Converted,
    LabelledFrames,
    Options,
)
from .release_files import numbered_images, place_image
from .sequence_sources import Source
from .video import extract_frames


def pair(labelled: LabelledFrames, source: Optional[Source], out: Path, subject: str,
         sequence: str, options: Options, offset: int = 0) -> Converted:
    """Rows of one sequence: every labelled frame that has a picture.

    Args:
        labelled: Its labels.
        source: Its pictures; None = there are none.
        out: Output folder; images go to ``out/images/<subject>/<sequence>/<frame>.<suffix>``.
        subject: Name of the person.
        sequence: Name of the sequence within the person.
        options: How images are placed and frames extracted.
        offset: Frame number of a label = number in an image's file name + offset. A video's
            first frame is frame 1 of the labels.

    Returns:
        Converted: Rows by ascending frame number.
    """
    name = f'{subject}/{sequence}'
    if source is None:
        images, skipped = {}, []
    elif source.kind == 'images':
        images, skipped = _from_folder(labelled, source.path, out, name, options, offset)
    else:
        images, skipped = _from_video(labelled, source.path, out, name, options)
    rows = []
    for row, (frame, (file, line)) in enumerate(zip(labelled.frames, labelled.where)):
        if frame in images:
            rows.append(row)
        else:
            detail = 'no image folder and no video of this sequence' if source is None else \
                f'none in {source.path}'
            skipped.append(Skip(f'{name}/{frame}', NO_IMAGE, file, line, detail))
    frames = [labelled.frames[row] for row in rows]
    columns = dict(subject=[subject] * len(rows), sequence=[sequence] * len(rows), frame=frames)
    labels = labelled.labels[np.asarray(rows, dtype=np.int64)]
    return Converted([images[frame] for frame in frames], columns, labelled.aus, labels,
                     labelled.skipped + skipped, labelled.notes,
                     [labelled.where[row] for row in rows])


def _from_folder(labelled, folder: Path, out: Path, name: str, options: Options, offset: int):
    found, skipped = numbered_images(folder, name)
    images, wanted = {}, set(labelled.frames)
    for number, path in found.items():
        frame = number + offset
        if frame in wanted:
            images[frame] = f'{name}/{frame:05d}{path.suffix.lower()}'
            place_image(path, out / 'images' / images[frame], options.place)
        else:
            skipped.append(Skip(f'{name}/{frame}', NO_LABEL, str(path)))
    return images, skipped


def _from_video(labelled, video: Path, out: Path, name: str, options: Options):
    images = {frame: f'{name}/{frame:05d}.{options.image_format}' for frame in labelled.frames}
    targets = {frame: out / 'images' / image for frame, image in images.items()}
    marker = out / '.finished' / f'{name.replace("/", "_")}.json'
    report = extract_frames(video, targets, marker, halve=options.halve)
    skipped: List[Skip] = []
    count = f'{report.usable} usable frames, the file declares {report.declared}'
    usable = report.usable
    if report.state == 'unreadable':
        skipped.append(Skip(name, BAD_VIDEO, str(video), 0, 'not one frame can be decoded'))
    elif report.state == 'truncated':
        skipped.append(Skip(name, TRUNCATED_VIDEO, str(video), 0, f'cut off: {count}'))
    elif report.state == 'damaged':
        verdict = 'kept on request' if options.damaged == 'keep' else 'all are left out'
        skipped.append(Skip(name, DAMAGED_VIDEO, str(video), 0, f'{count}: frames inside are '
                            f'lost, so numbers cannot be trusted; {verdict}'))
        usable = usable if options.damaged == 'keep' else 0
    elif labelled.frames and labelled.frames[-1] > usable:
        skipped.append(Skip(name, TRUNCATED_VIDEO, str(video), 0, f'ends after frame {usable}, '
                            f'the labels go up to {labelled.frames[-1]}'))
    for frame in [frame for frame in images if not 1 <= frame <= usable]:
        targets[frame].unlink(missing_ok=True)
        del images[frame]
    for frame in [frame for frame in images if not targets[frame].exists()]:
        skipped.append(Skip(f'{name}/{frame}', DAMAGED_FRAME, str(video)))
        del images[frame]
    unlabelled = usable - len(images) - sum(s.reason == DAMAGED_FRAME for s in skipped)
    if unlabelled:
        skipped.append(Skip(name, NO_LABEL, str(video), 0, 'frames of the video', unlabelled))
    return images, skipped


def place_rows(rows: Converted, images: Path, out: Path, place: str) -> Converted:
    """Bring the image of every row to ``out/images``; rows without one are listed.

    Args:
        rows: N rows.
        images: Folder that the image paths are relative to.
        out: Output folder.
        place: ``'link'``, ``'copy'`` or ``'symlink'``.
    """
    present, skipped = [], []
    for row, (name, (file, line)) in enumerate(zip(rows.images, rows.where)):
        source = images / name
        if source.is_file() and source.stat().st_size:
            place_image(source, out / 'images' / name, place)
            present.append(row)
        else:
            reason = EMPTY_IMAGE if source.is_file() else NO_IMAGE
            skipped.append(Skip(name, reason, file, line, f'looked for {source}'))
    return rows._replace(
        images=[rows.images[row] for row in present],
        where=[rows.where[row] for row in present], labels=rows.labels[present],
        columns={name: [values[row] for row in present] for name, values in rows.columns.items()},
        skipped=rows.skipped + skipped)
