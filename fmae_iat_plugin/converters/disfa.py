# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""DISFA (Mavadati et al., IEEE TAC 2013) to the annotation table; intensities 0-5 are kept.

::

    RELEASE/ActionUnit_Labels/SN001/SN001_au1.txt     lines ``frame,intensity``, frames from 1
    RELEASE/.../RightVideoSN001_comp.avi              and LeftVideo...: choose the camera
    RELEASE/.../SN001/1.jpg                           or images, numbered from 1 or from 0

FMAE-IAT uses the right camera, other work the left. Positive means an intensity of at least 2;
the table keeps the intensity, and the data set's ``intensity_threshold`` says so.
"""

import re
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from fmae_iat_plugin.action_units import ACTION_UNITS
from fmae_iat_plugin.media import find_folders, listed
from fmae_iat_plugin.parallel import Processes
from fmae_iat_plugin.skipped import Skip

from .base import (
    BAD_LINE,
    CONTRADICTION,
    DEFAULTS,
    DUPLICATE_FRAME,
    NO_LABEL_FILE,
    NOT_A_LABEL_FILE,
    UNLABELLED_VIDEO,
    ConversionError,
    Converted,
    LabelledFrames,
    Options,
    unreadable,
)
from .pairing import pair
from .pipeline import convert_table, start
from .release_files import frame_number, read_lines
from .sequence_sources import Source, choose_source, find_sources

AUS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
_LINE = re.compile(r'\s*([0-9]{1,9})\s*,\s*([0-5])(?:\.0*)?\s*')
_LABEL_FILE = re.compile(r'(SN[0-9]{3})_au([0-9]{1,2})\.txt', re.IGNORECASE)


class Subject(NamedTuple):
    """One person: label files by AU, and pictures."""

    name: str
    folder: Path
    files: Dict[int, Path]
    sources: List[Source]


def read_intensities(path: Path, au: int, name: str) -> Tuple[Dict[int, tuple], List[Skip]]:
    """One file of ``frame,intensity`` lines.

    A line that cannot be read, and a frame whose lines differ, leave the AU of that frame not
    coded.

    Returns:
        tuple: frame -> (line, intensity); what was skipped.

    Raises:
        ConversionError: If the file is not text.
    """
    values: Dict[int, tuple] = {}
    wrong, skipped = set(), []
    for number, line in enumerate(read_lines(path), 1):
        found = _LINE.fullmatch(line)
        frame = int(found.group(1)) if found else 0
        if not line.strip():
            continue
        if frame < 1:
            skipped.append(Skip(name, BAD_LINE, str(path), number, f'{line!r:.60}; expected '
                                '`frame,intensity` with frames from 1 and intensities 0-5; '
                                f'AU{au} of it is not coded'))
            continue
        value = float(found.group(2))
        if frame not in values:
            values[frame] = (number, value)
        elif values[frame][1] == value:
            skipped.append(Skip(f'{name}/{frame}', DUPLICATE_FRAME, str(path), number,
                                f'the same as line {values[frame][0]}, which is kept'))
        else:
            wrong.add(frame)
            skipped.append(Skip(f'{name}/{frame}', CONTRADICTION, str(path), number,
                                f'differs from line {values[frame][0]}; AU{au} is not coded'))
    for frame in wrong:
        values[frame] = (values[frame][0], np.nan)
    return values, skipped


def read_subject(subject: Subject, name: str) -> LabelledFrames:
    """All label files of a person; a frame that an AU's file lacks is not coded for it."""
    values, skipped, notes = {}, [], []
    for au, path in sorted(subject.files.items()):
        try:
            values[au], more = read_intensities(path, au, name)
            skipped += more
        except ConversionError as error:
            skipped.append(unreadable(name, path, error))
    for au in AUS:
        if au not in subject.files:
            skipped.append(Skip(name, NO_LABEL_FILE, str(subject.folder), 0,
                                f'{subject.name}_au{au}.txt is not there; AU{au} is not coded'))
    aus = tuple(sorted({*AUS, *values}))
    where = {}
    for au, frames in values.items():
        for frame, (line, _) in frames.items():
            where.setdefault(frame, (str(subject.files[au]), line))
    frames = sorted(where)
    labels = np.full((len(frames), len(aus)), np.nan, dtype=np.float32)
    for column, au in enumerate(aus):
        for row, frame in enumerate(frames):
            labels[row, column] = values.get(au, {}).get(frame, (0, np.nan))[1]
    return LabelledFrames(frames, [where[frame] for frame in frames], aus, labels, skipped, notes)


def check_first_image(subject: Subject, first: int) -> None:
    """Refuse images that are numbered from 0 when 1 was assumed, and the other way round.

    Raises:
        ConversionError: If the numbers contradict ``first``; names the folder and the remedy.
    """
    for source in subject.sources:
        if source.kind != 'images':
            continue
        numbers = {frame_number(path.name) for path in listed(source.path)}
        if first == 1 and 0 in numbers:
            raise ConversionError(
                f'{source.path}: an image is numbered 0, but the labels of {subject.name} start '
                'at frame 1. Remedy: if the image numbered 0 shows frame 1, pass --first-image 0.')
        frames = [] if first == 1 or 0 in numbers else read_subject(subject, '').frames
        if frames and frames[-1] in numbers:
            raise ConversionError(
                f'{source.path}: no image is numbered 0 and one is numbered {frames[-1]}, as the '
                f'last label of {subject.name}. Remedy: these images start at 1, pass '
                '--first-image 1.')


def convert_subject(subject: Subject, out: Path, options: Options, camera: str,
                    first_image: int) -> Converted:
    """One person; whatever is wrong with the files is listed."""
    name = f'{subject.name}/{camera}'
    labelled = read_subject(subject, name)
    source, skipped = choose_source(subject.sources, options.source, name, len(labelled.frames))
    rows = pair(labelled, source, out, subject.name, camera, options, offset=1 - first_image)
    return rows._replace(skipped=rows.skipped + skipped)


def _key(parts: tuple, camera: str, pattern: str) -> Optional[tuple]:
    found = re.fullmatch(pattern, parts[-1], re.IGNORECASE) if parts else None
    other = 'left' if camera == 'right' else 'right'
    if not found or other in '/'.join(parts).lower():
        return None
    return (found.group(1).upper(),)


def convert_disfa(release: str, out: str, options: Options = DEFAULTS, workers: Processes = 1,
                  labels: Optional[str] = None, pictures: Optional[str] = None,
                  camera: str = 'right', first_image: int = 1) -> dict:
    """Convert a release of DISFA.

    Args:
        release, out, options, workers, pictures: See ``convert_bp4d``.
        labels: Folder that holds ``SN001/SN001_au1.txt``, if it is not ``ActionUnit_Labels``.
        camera: ``'right'`` or ``'left'``; also the name of the sequences.
        first_image: Number of the image that shows frame 1: several public image sets start at 0.

    Raises:
        ConversionError: If nothing can be converted, the numbering of the images contradicts
            ``first_image``, or the output holds another conversion.
    """
    release_dir, out_dir = Path(release), Path(out)
    if camera not in ('right', 'left'):
        raise ConversionError(f'camera {camera!r} is neither right nor left.')
    if not release_dir.is_dir():
        raise ConversionError(f'the release {release_dir} is not a folder. Remedy: unpack it '
                              'first.')
    folders = [Path(labels)] if labels else find_folders(release_dir, 'ActionUnit_Labels')
    if len(folders) != 1 or not folders[0].is_dir():
        raise ConversionError(f'{release_dir}: one folder ActionUnit_Labels expected, found '
                              f'{", ".join(map(str, folders)) or "none"}. Remedy: choose it with '
                              '--labels.')
    # a file without a camera in its name serves any; pictures of the other camera are never taken
    sources = find_sources(
        Path(pictures) if pictures else release_dir,
        partial(_key, camera=camera, pattern=r'(?:RightVideo|LeftVideo)?(SN[0-9]{3})(?:_comp)?'),
        partial(_key, camera=camera,
                pattern=r'(?:RightVideo|LeftVideo)?(SN[0-9]{3})(?:_comp)?\.\w+'), without=out_dir)
    subjects, skipped = [], []
    for folder in (path for path in listed(folders[0]) if path.is_dir()):
        files = {}
        for path in listed(folder):
            found = _LABEL_FILE.fullmatch(path.name)
            au = int(found.group(2)) if found else 0
            if found and found.group(1).upper() == folder.name.upper() and au in ACTION_UNITS \
                    and au not in files:
                files[au] = path
            else:
                skipped.append(Skip(path.name, NOT_A_LABEL_FILE, str(path), 0,
                                    f'expected {folder.name}_au<number>.txt'))
        name = folder.name.upper()
        if files:
            subjects.append(Subject(name, folder, files, sources.pop((name,), [])))
    for (name,), left in sorted(sources.items()):
        skipped += [Skip(f'{name}/{camera}', UNLABELLED_VIDEO, str(source.path), 0, source.kind)
                    for source in left]
    if options.source != 'videos':
        for subject in subjects:
            check_first_image(subject, first_image)
    start(out_dir, dict(dataset='disfa', release=str(release_dir.resolve()), labels=labels,
                        pictures=pictures, camera=camera, first_image=first_image,
                        **options._asdict()))
    work = partial(convert_subject, out=out_dir, options=options, camera=camera,
                   first_image=first_image)
    return convert_table('disfa', work, subjects, out_dir, release_dir, skipped, workers)
