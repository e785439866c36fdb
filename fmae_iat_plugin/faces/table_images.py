# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""The images of an annotation table, where they are and in which sequences they stand."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Union

from fmae_iat_plugin.datasets.annotation import AnnotationTable, read_annotation
from fmae_iat_plugin.media import natural

from .structures import CropError

TABLES = ('annotation.csv', 'annotations.csv')  #: a folder's; the second is SynthFACS's


class TableImages(NamedTuple):
    """A table and the folder of its images."""

    table: AnnotationTable
    folder: Path


def find_images(table: Union[str, Path], images: Optional[str] = None) -> TableImages:
    """Read a table and find its images.

    Args:
        table: The file, or the folder that holds ``annotation.csv``.
        images: Their folder. Defaults to ``faces`` or ``images`` beside the table, or the table's
            own folder.

    Raises:
        CropError: If the images are nowhere.
        AnnotationError, FileNotFoundError: If the table is missing or breaks the format.
    """
    path = Path(table)
    if path.is_dir():
        path = next((path / name for name in TABLES if (path / name).is_file()), path / TABLES[0])
    read = read_annotation(path)
    folders = [Path(images)] if images is not None else [path.parent / 'faces',
                                                         path.parent / 'images', path.parent]
    for folder in folders:
        if (folder / read.images[0]).is_file():
            return TableImages(read, folder)
    raise CropError(f'{path}, line {read.line(0)}: the image {read.images[0]!r} is not in '
                    f'{", ".join(map(str, folders))}. Remedy: name the folder of the images with '
                    '--images.')


def sequences(table: AnnotationTable) -> Dict[str, List[int]]:
    """Rows of each sequence, in the order of time.

    A sequence is what has the same ``subject`` and ``sequence``. Its frames are ordered by
    ``frame``, or as the table lists them where it has no such column.

    Raises:
        CropError: If the table does not say which frames belong together.
    """
    if 'sequence' not in table.frame:
        raise CropError(f'{table.path}: optical flow needs the column `sequence` (and `frame`), '
                        'which says what frames follow each other. Remedy: add it; the converters '
                        'in tools/dataset_converters write it.')
    groups: Dict[tuple, List[int]] = {}
    for row, key in enumerate(zip(table.subjects, table.frame['sequence'])):
        groups.setdefault(key, []).append(row)
    frames = table.frame.get('frame')
    for rows in groups.values():
        if frames is not None:
            rows.sort(key=lambda row: natural(frames.iloc[row]))
    return {'/'.join(key): groups[key]
            for key in sorted(groups, key=lambda key: [natural(part) for part in key])}
