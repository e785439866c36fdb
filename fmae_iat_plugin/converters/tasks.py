# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What BP4D and BP4D+ share: a label file and a picture source for each subject and task."""

import re
from functools import partial
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

from fmae_iat_plugin.media import find_folders, listed
from fmae_iat_plugin.parallel import Processes
from fmae_iat_plugin.skipped import Skip

from .base import (
    NOT_A_LABEL_FILE,
    UNLABELLED_VIDEO,
    ConversionError,
    Converted,
    Options,
    no_rows,
    unreadable,
)
from .occurrence import read_occurrence
from .pairing import pair
from .pipeline import convert_table, start
from .sequence_sources import Source, choose_source, find_sources

_LABEL_FILE = re.compile(r'([FM][0-9]{3})_(T[0-9]{1,2})\.csv', re.IGNORECASE)
_STEM = re.compile(r'2?([FM])([0-9]{2,3})_(T[0-9]{1,2}|[0-9]{2})', re.IGNORECASE)


class Task(NamedTuple):
    """One subject and task: its label file and its pictures."""

    subject: str
    task: str
    label_file: Path
    sources: List[Source]


def label_folder(release: Path, given: Optional[str]) -> Path:
    """The folder of label files: ``AU_OCC`` below the release, or the one that was given.

    Raises:
        ConversionError: If there is none, or more than one.
    """
    if not release.is_dir():
        raise ConversionError(f'the release {release} is not a folder. Remedy: unpack it first.')
    if given:
        if not Path(given).is_dir():
            raise ConversionError(f'the label folder {given} does not exist.')
        return Path(given)
    folders = find_folders(release, 'AU_OCC')
    if not folders and any(_LABEL_FILE.fullmatch(path.name) for path in listed(release)):
        folders = [release]
    if len(folders) != 1:
        found = ', '.join(map(str, folders)) or 'none'
        raise ConversionError(f'{release}: one label folder AU_OCC expected, found {found}. '
                              'Remedy: choose it with --labels.')
    return folders[0]


def sequence_key(stem: str, video_task: Callable) -> Optional[Tuple[str, str]]:
    """``2F01_07`` or ``F001_T3`` -> ``('F001', 'T3')``; anything else -> None."""
    found = _STEM.fullmatch(stem)
    task = video_task(found.group(3)) if found else None
    return (f'{found.group(1).upper()}{int(found.group(2)):03d}', task) if task else None


def _folder_key(parts: tuple, video_task: Callable):
    if len(parts) > 1 and re.fullmatch(r'[FM][0-9]{3}', parts[-2], re.IGNORECASE) and \
            re.fullmatch(r'T[0-9]{1,2}', parts[-1], re.IGNORECASE):
        return parts[-2].upper(), parts[-1].upper()
    return sequence_key(parts[-1], video_task) if parts else None


def convert_task(task: Task, out: Path, options: Options, columns: Callable) -> Converted:
    """One subject and task; whatever is wrong with its files is listed."""
    name = f'{task.subject}/{task.task}'
    try:
        labelled = read_occurrence(task.label_file, name, columns)
        source, skipped = choose_source(task.sources, options.source, name, len(labelled.frames))
        rows = pair(labelled, source, out, task.subject, task.task, options)
    except ConversionError as error:
        return no_rows(unreadable(name, task.label_file, error))
    return rows._replace(skipped=rows.skipped + skipped)


def convert_tasks(dataset: str, release: str, out: str, options: Options, workers: Processes,
                  labels: Optional[str], pictures: Optional[str], columns: Callable,
                  video_task: Callable) -> dict:
    """Convert BP4D or BP4D+; see ``convert_bp4d`` for the arguments.

    Args:
        dataset: Name of its protocol.
        columns: How the columns of a label file are understood.
        video_task: Task suffix of a video's name -> ``T<number>`` or None.
    """
    release_dir, out_dir = Path(release), Path(out)
    folder = label_folder(release_dir, labels)
    start(out_dir, dict(dataset=dataset, release=str(release_dir.resolve()), labels=labels,
                        pictures=pictures, **options._asdict()))
    key = partial(sequence_key, video_task=video_task)
    sources = find_sources(Path(pictures) if pictures else release_dir,
                           partial(_folder_key, video_task=video_task),
                           lambda parts: key(parts[-1].rpartition('.')[0]), without=out_dir)
    tasks, skipped = [], []
    for path in listed(folder):
        found = _LABEL_FILE.fullmatch(path.name)
        if found and path.is_file():
            names = found.group(1).upper(), found.group(2).upper()
            tasks.append(Task(*names, path, sources.pop(names, [])))
        elif path.suffix.lower() == '.csv':
            skipped.append(Skip(path.name, NOT_A_LABEL_FILE, str(path), 0, 'expected F001_T1.csv'))
    for (subject, name), left in sorted(sources.items()):
        skipped += [Skip(f'{subject}/{name}', UNLABELLED_VIDEO, str(source.path), 0, source.kind)
                    for source in left]
    work = partial(convert_task, out=out_dir, options=options, columns=columns)
    return convert_table(dataset, work, tasks, out_dir, release_dir, skipped, workers)
