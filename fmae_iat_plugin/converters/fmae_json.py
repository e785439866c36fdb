# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The JSON lines of the FMAE-IAT authors to the annotation table, and back.

A line is ``{"img_path": "2F01_T1/frame_12.jpg", "AUs": [1, 999, 12]}``: the active AUs; 999 only
fills the place of one that is not. The subject is in the path: BP4D ``path[1:4]`` = ``F01``,
BP4D+ ``path[:4]`` = ``F001``, DISFA the last five characters of the folder = ``SN001``.

The lists cannot say "not coded": where they were made, such an AU became a negative.
"""

import json
import re
from functools import partial
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np

from fmae_iat_plugin.action_units import au_name, parse_au
from fmae_iat_plugin.datasets.annotation import AnnotationTable, read_annotation
from fmae_iat_plugin.datasets.protocol import load_protocol
from fmae_iat_plugin.files import write_whole
from fmae_iat_plugin.parallel import Processes
from fmae_iat_plugin.skipped import Skip, report_skipped

from .base import BAD_LINE, NO_IMAGE, ConversionError, Converted, no_rows, unreadable
from .pairing import place_rows
from .pipeline import convert_table, sort_skips, start
from .release_files import place_image, read_lines

FILLER = 999
NOT_CODED = 'a label is not coded'


def subject_of(image: str, dataset: str) -> Optional[str]:
    """The person in an image path, spelled as the protocol does; None if it is not there.

    Args:
        image: Such as ``2F01_T1/frame_12.jpg``, ``F001_T1/...``, ``RightVideoSN001/...``.
        dataset: ``'bp4d'``, ``'bp4dplus'`` or ``'disfa'``.
    """
    if dataset == 'bp4d':
        found = re.fullmatch(r'([FM])([0-9]{2})', image[1:4])
        return f'{found.group(1)}0{found.group(2)}' if found else None
    name = image[:4] if dataset == 'bp4dplus' else image.rpartition('/')[0][-5:]
    return name if re.fullmatch(r'[FM][0-9]{3}|SN[0-9]{3}', name) else None


def parse_line(line: str, dataset: str, aus: Sequence[int]) -> Tuple[str, str, List[float]]:
    """Image, subject and A labels of one line.

    Raises:
        ValueError: If it is not such a line; says what is wrong.
    """
    try:
        entry = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f'not JSON: {error}') from error
    if not isinstance(entry, dict) or not isinstance(entry.get('img_path'), str) or \
            not isinstance(entry.get('AUs'), list):
        raise ValueError('expected {"img_path": "...", "AUs": [...]}')
    image = entry['img_path'].replace('\\', '/')
    if not image.isprintable() or not image or image[0] == '/' or '..' in image.split('/'):
        raise ValueError(f'img_path is {image!r:.80}')
    subject = subject_of(image, dataset)
    if subject is None:
        raise ValueError(f'{image!r:.80} names no subject of {dataset}')
    active = set()
    for au in entry['AUs']:
        if type(au) is not int or (au != FILLER and au not in aus) or au in active:
            raise ValueError(f'AUs holds {au!r:.40}; expected {FILLER} or, once each, '
                             f'{", ".join(map(str, aus))}')
        if au != FILLER:
            active.add(au)
    return image, subject, [float(au in active) for au in aus]


def read_list(path: Path, dataset: str, aus: Sequence[int]) -> Converted:
    """Rows of one list, in its order; lines that cannot be read are listed.

    Raises:
        ConversionError: If the file is not text.
    """
    rows, where, skipped = [], [], []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            rows.append(parse_line(line, dataset, aus))
            where.append((str(path), number))
        except ValueError as error:
            skipped.append(Skip(f'line {number}', BAD_LINE, str(path), number, str(error)))
    columns = dict(subject=[], sequence=[], frame=[])
    for image, subject, _ in rows:
        task = re.search(r'_(T[0-9]{1,2})$', image.rpartition('/')[0])
        camera = re.search(r'(Left|Right)Video', image)
        frame = re.search(r'([0-9]+)\.[A-Za-z]+$', image)
        columns['subject'].append(subject)
        columns['sequence'].append(task.group(1) if task else
                                   camera.group(1).lower() if camera else '')
        columns['frame'].append(int(frame.group(1)[:9]) if frame else '')
    labels = np.array([row[2] for row in rows], dtype=np.float32).reshape(len(rows), len(aus))
    return Converted([row[0] for row in rows], columns, tuple(aus), labels, skipped, [], where)


def convert_list(path: Path, dataset: str, aus: Sequence[int], out: Path, images: Optional[Path],
                 place: str) -> Converted:
    """One list; with ``images``, each image is placed and lines without one are listed."""
    try:
        rows = read_list(path, dataset, aus)
    except ConversionError as error:
        return no_rows(unreadable(path.name, path, error))
    return rows if images is None else place_rows(rows, images, out, place)


def json_to_table(release: Sequence[str], out: str, dataset: str, aus=None,
                  images: Optional[str] = None, place: str = 'link',
                  workers: Processes = 1) -> dict:
    """Convert the authors' lists.

    Args:
        release: The JSON-lines files, such as the train and the test list of one fold.
        out: Folder for ``annotation.csv``, ``skipped.csv``, ``summary.md``/``.json``.
        dataset: ``'bp4d'``, ``'bp4dplus'`` or ``'disfa'``: the rule for the subject.
        aus: The AUs of the lists; default the data set's.
        images: Folder of the images, placed in ``out/images``; None = paths are not looked at.
        place: ``'link'``, ``'copy'`` or ``'symlink'``.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`, over files.

    Returns:
        dict: The summary.

    Raises:
        ConversionError: If no row is left.
    """
    files, out = [Path(path) for path in release], Path(out)
    aus = tuple(map(parse_au, aus)) if aus else load_protocol(dataset).aus
    start(out, dict(dataset=f'fmae_json of {dataset}', release=[str(p.resolve()) for p in files],
                    aus=aus, images=images, place=place))
    work = partial(convert_list, dataset=dataset, aus=aus, out=out,
                   images=Path(images) if images else None, place=place)
    notes = ['these lists write an AU that was not coded as not active (999)']
    return convert_table('fmae_json', work, files, out, files[0], [], workers, dataset, notes)


def _authors_path(table: AnnotationTable, row: int, dataset: str) -> str:
    """``2F01_T1/frame_12.jpg`` and the like, from subject, sequence and frame."""
    subject, cells = table.subjects[row], table.frame.iloc[row]
    sequence, suffix = cells.get('sequence', ''), Path(cells['image']).suffix
    frame = re.fullmatch(r'0*([0-9]+)(?:\.0)?', str(cells.get('frame', '')))
    if not subject or not sequence or not frame:
        raise ValueError('needs subject, sequence and frame')
    folder = f'{subject}_{sequence}'
    if dataset == 'bp4d':
        folder = f'2{subject[0]}{subject[2:]}_{sequence}'
    elif dataset == 'disfa':
        folder = f'{sequence.capitalize()}Video{subject}'
    return f'{folder}/frame_{frame.group(1)}{suffix}'


def table_to_json(table_file: str, out: str, dataset: str, aus=None, keep_paths: bool = False,
                  not_coded: str = 'skip', images: Optional[str] = None,
                  place: str = 'link') -> dict:
    """Write the authors' JSON lines from an annotation table.

    Args:
        table_file: The annotation table.
        out: Folder for ``annotation.json`` (and ``images``), ``skipped.csv``, ``summary.json``.
        dataset: ``'bp4d'``, ``'bp4dplus'`` or ``'disfa'``.
        aus: AUs to write, in this order; default the data set's.
        keep_paths: Write the table's image paths; else the authors', ``2F01_T1/frame_12.jpg``.
        not_coded: ``'skip'`` lists a row in which one of the AUs is not coded; ``'negative'``
            writes it as 999, as the authors' preparation did.
        images: Image folder of the table; placed in ``out/images`` under the written paths.
        place: ``'link'``, ``'copy'`` or ``'symlink'``.

    Returns:
        dict: Numbers of rows read, written and skipped.

    Raises:
        ConversionError: If no row is left or two rows get the same path.
    """
    out_dir, table = Path(out), read_annotation(table_file)
    protocol = load_protocol(dataset)
    aus = tuple(map(parse_au, aus)) if aus else protocol.aus
    labels = table.select(aus)
    threshold = protocol.intensity_threshold if (labels > 1).any() else 1
    start(out_dir, dict(dataset=f'{dataset} to fmae_json', release=str(Path(table_file).resolve()),
                        aus=aus, keep_paths=keep_paths, not_coded=not_coded, images=images,
                        place=place))
    written, skipped = {}, []
    for row, image in enumerate(table.images):
        line = table.line(row)
        gaps = [au_name(au) for au, label in zip(aus, labels[row]) if np.isnan(label)]
        if gaps and not_coded == 'skip':
            skipped.append(Skip(image, NOT_CODED, table.path, line, ', '.join(gaps)))
            continue
        try:
            path = image if keep_paths else _authors_path(table, row, dataset)
            if subject_of(path, dataset) != table.subjects[row]:
                raise ValueError(f'{path!r} does not give the subject {table.subjects[row]!r}')
        except ValueError as error:
            skipped.append(Skip(image, BAD_LINE, table.path, line, str(error)))
            continue
        if path in written:
            raise ConversionError(f'{table.path}, line {line}: {path} was written already. Remedy: '
                                  'subject, sequence and frame together must be unique.')
        if images:
            if not (Path(images) / image).is_file():
                skipped.append(Skip(image, NO_IMAGE, table.path, line))
                continue
            place_image(Path(images) / image, out_dir / 'images' / path, place)
        active = [au if label >= threshold else FILLER for au, label in zip(aus, labels[row])]
        written[path] = json.dumps(dict(img_path=path, AUs=active)) + '\n'
    skipped = sort_skips(skipped)
    report_skipped('fmae_json', skipped, str(out_dir / 'skipped.csv'))
    if not written:
        raise ConversionError(f'{table.path}: no row could be written, see '
                              f'{out_dir / "skipped.csv"}.')
    write_whole(out_dir / 'annotation.json', ''.join(written.values()).encode())
    summary = dict(dataset=dataset, release=table.path, rows=len(table.images),
                   written=len(written), skipped=len(skipped),
                   positive_from=threshold, action_units=list(aus))
    write_whole(out_dir / 'summary.json', (json.dumps(summary, indent=2) + '\n').encode())
    return summary
