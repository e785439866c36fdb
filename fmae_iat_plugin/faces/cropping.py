# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Faces of images, folders, tables and videos to crops and a table: the way through.

An output folder belongs to one set of arguments. After a stop or a kill, the same call continues
where it stopped, and ends with the same bytes as a run that was never stopped.
"""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import List, Optional, Union

import pandas as pd

from fmae_iat_plugin.datasets.annotation import write_annotation
from fmae_iat_plugin.datasets.cropping import SETTINGS
from fmae_iat_plugin.files import claim_folder, hold_folder, write_whole
from fmae_iat_plugin.parallel import Processes, run_parallel
from fmae_iat_plugin.skipped import Skip, report_skipped

from .crop_inputs import FRAME_TABLE, CropInput, find_source
from .detector import DetectorSpec
from .sequence import COLUMNS, crop_unit
from .structures import DETECTED, NONE, TRACKED, CropError, CropOptions

SKIPPED, TABLE, PLAIN_TABLE = 'skipped_faces.csv', 'annotation.csv', 'faces.csv'


def crop_faces(source: Union[str, Path], out: Union[str, Path],
               detector: Optional[DetectorSpec] = None, options: Optional[CropOptions] = None,
               images: Union[str, Path, None] = None, workers: Processes = 1) -> dict:
    """Crop the faces of a source; see ``docs/en/faces.md``.

    Writes ``out/faces``, ``out/skipped_faces.csv`` and the table: ``out/annotation.csv`` for an
    annotation table, otherwise ``out/faces.csv``.

    Args:
        source: An image, a folder, a video, or an annotation table (the file or its folder).
        out: Output folder. The folder of a table may be cropped in place: ``annotation.csv``
            becomes the table of the crops, and that of the frames ``annotation_frames.csv``.
        detector: Which detector; anything with ``build()`` and ``record()``. Defaults to dlib.
        options: Which faces, and how they are cropped. Defaults to the published crop.
        images: Folder of a table's images. Defaults to ``images`` beside the table, or the table's
            own folder, wherever they are.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.

    Returns:
        dict: ``frames``, ``detected``, ``tracked``, ``none`` (frames without a face), ``crops``
        (numbers), ``table`` and ``skipped`` (paths), ``passed_over`` (files that look like
        pictures or videos and are not read).

    Raises:
        CropError: If something is missing, does not go together, or ``out`` is taken.
        AnnotationError: If the table breaks the format.
    """
    for name in (source, out):
        if not str(name).strip():
            raise CropError('a path is empty. Remedy: name the source and the output folder; a '
                            'variable of the shell may be unset.')
    source, out = Path(source), Path(out)
    detector, options = detector or DetectorSpec(), options or CropOptions()
    options.check()
    if source.name == TABLE and source.is_file():  # the folder is meant
        source = source.parent
    found = find_source(source, out, options, Path(images) if images is not None else None)
    with hold_folder(out, 'cropping', CropError):
        return _crop(found, source, out, detector, options, images, workers)


def _crop(found: CropInput, source: Path, out: Path, detector: DetectorSpec, options: CropOptions,
          images: Union[str, Path, None], workers: Processes) -> dict:
    """See :func:`crop_faces`; the folder is held."""
    in_place = source.is_dir() and source.resolve() == out.resolve()
    claim_folder(
        out, SETTINGS, dict(source=str(source.resolve()), images=None if images is None else
                            str(Path(images).resolve()), detector=detector.record(),
                            **options._asdict()),
        'crops', f'choose another folder, or delete {out / "faces"}, {out / ".faces"} and '
        f'{out / SETTINGS}', [name for name in (TABLE, PLAIN_TABLE, 'faces')
                              if not (in_place and name == TABLE)], CropError)
    if in_place and Path(found.table.path).name != FRAME_TABLE:
        write_whole(out / FRAME_TABLE, Path(found.table.path).read_bytes())
    work = partial(crop_unit, out=out, detector=detector, options=options)
    records = run_parallel(work, found.units, workers, 'Cropping faces')
    rows = pd.DataFrame([row for record in records for row in record['rows']], columns=COLUMNS)
    skipped = [*found.passed_over,
               *(Skip(*entry) for record in records for entry in record['skipped'])]
    report_skipped('Face crops', skipped, str(out / SKIPPED))
    table = _write_table(found, rows, out, options)
    counts = Counter(rows['face'])
    return dict(frames=len(rows.groupby(['source', 'frame'])), detected=counts[DETECTED],
                tracked=counts[TRACKED], none=counts[NONE],
                crops=counts[DETECTED] + counts[TRACKED], table=str(table),
                skipped=str(out / SKIPPED), passed_over=len(found.passed_over))


def _write_table(found: CropInput, rows: pd.DataFrame, out: Path, options: CropOptions) -> Path:
    rows[['x1', 'y1', 'x2', 'y2', 'score', 'timestamp']] = rows[
        ['x1', 'y1', 'x2', 'y2', 'score', 'timestamp']].astype('float64')
    rows['track'] = rows['track'].astype('Int64')
    columns: List[str] = ['face', 'x1', 'y1', 'x2', 'y2', 'score']
    if found.table is None:
        if options.faces == 'all':
            columns = [*columns, 'track']
        path = out / PLAIN_TABLE
        text = rows[['image', 'source', 'frame', 'timestamp', *columns]].to_csv(index=False)
        write_whole(path, text.encode('utf-8', 'surrogateescape'))
        return path
    by_source = rows.set_index('source').loc[found.table.images].reset_index()
    frame = found.table.frame.reset_index(drop=True)
    frame['image'] = by_source['image']
    frame = frame.join(by_source[['source', *columns]])
    write_annotation(out / TABLE, frame, found.table.aus, found.table.labels)
    return out / TABLE
