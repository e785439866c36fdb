# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Any CSV with one row per face to the annotation table.

Understood without being told: AU columns spelled ``au1``, ``AU01``, ``AU1_c``, ``AU12_r``; blanks
around names; a nameless index column, also one whose header cell is missing; ``.csv.gz``. What is
not known is asked for: which column holds the image, the subject, which code means not coded.
"""

import csv
import gzip
import re
import zlib
from functools import lru_cache, partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from fmae_iat_plugin.action_units import ACTION_UNITS, au_name
from fmae_iat_plugin.media import IMAGE_SUFFIXES, of_the_system, walk
from fmae_iat_plugin.parallel import Processes
from fmae_iat_plugin.skipped import Skip

from .base import BAD_LINE, NO_LABEL, ConversionError, Converted, no_rows, unreadable
from .pairing import place_rows
from .pipeline import convert_table, start

IMAGE_COLUMNS = ('image', 'image_path', 'img_path', 'imagepath', 'img', 'path', 'file', 'filename',
                 'file_name', 'input')
_AU = re.compile(r'AU_?0*([0-9]{1,2})(?:_(r|c|occ|int))?', re.IGNORECASE)
_NUMBER = re.compile(r'[+-]?(?:[0-9]{1,9}\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?')
_NOT_CODED = ('', 'nan', 'na', 'n/a', 'none', 'null')


class Mapping(NamedTuple):
    """How a foreign table is read.

    Attributes:
        image (str | None): Column of the image path; None = the first of ``IMAGE_COLUMNS``.
        subject (str | None): Column of the subject.
        subject_pattern (str | None): Or a regular expression searched in the image path, its
            first group (or the whole match) is the subject. Neither = unknown.
        sequence (str | None), frame (str | None): Columns.
        sequence_pattern (str | None), frame_pattern (str | None): Or patterns, as above.
        missing (tuple[str]): Codes that mean not coded, such as ``('9', '-1')``; an empty cell
            and nan mean it always.
        suffix (str | None): Where an AU has several columns: ``'c'`` or ``'r'``.
        strip (str): Start of every image path that is cut off.
        keep (tuple[str]): Further columns to keep.
    """

    image: Optional[str] = None
    subject: Optional[str] = None
    subject_pattern: Optional[str] = None
    sequence: Optional[str] = None
    sequence_pattern: Optional[str] = None
    frame: Optional[str] = None
    frame_pattern: Optional[str] = None
    missing: Tuple[str, ...] = ()
    suffix: Optional[str] = None
    strip: str = ''
    keep: Tuple[str, ...] = ()


DEFAULT_MAPPING = Mapping()


def read_rows(path: Path) -> Tuple[List[str], List[Tuple[int, List[str]]]]:
    """Header (stripped names) and (line, cells) of each row; an index column without a header
    cell gets the name ''.

    Raises:
        ConversionError: If the file is not CSV text, or is empty; names file and line.
    """
    rows, line = [], 0
    try:
        with (gzip.open if path.suffix == '.gz' else open)(
                path, 'rt', encoding='utf-8-sig', newline='') as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                line = reader.line_num
                if cells:
                    rows.append((line, cells))
    except (csv.Error, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise ConversionError(f'{path}, line {line + 1}: not readable as CSV: {error}. Remedy: '
                              'save it as UTF-8 text with commas.') from error
    if len(rows) < 2:
        raise ConversionError(f'{path}, line 1: no header with rows below it.')
    header = [cell.strip() for cell in rows[0][1]]
    if all(len(cells) == len(header) + 1 for _, cells in rows[1:]):
        header.insert(0, '')
    return header, rows[1:]


def _column(header: List[str], name: Optional[str], path: Path) -> Optional[int]:
    if name is None:
        return None
    if header.count(name) != 1:
        raise ConversionError(f'{path}, line 1: {header.count(name)} columns {name!r}; the header '
                              f'is {", ".join(header)[:200]}.')
    return header.index(name)


def _au_columns(header: List[str], suffix: Optional[str], path: Path) -> Dict[int, int]:
    """Action unit -> column."""
    found: Dict[int, Dict[str, int]] = {}
    for column, name in enumerate(header):
        match = _AU.fullmatch(name)
        if match and int(match.group(1)) in ACTION_UNITS:
            kinds = found.setdefault(int(match.group(1)), {})
            kind = (match.group(2) or '').lower()
            if kind in kinds:
                raise ConversionError(f'{path}, line 1: {au_name(int(match.group(1)))} stands '
                                      f'twice, as {header[kinds[kind]]!r} and {name!r}.')
            kinds[kind] = column
    if suffix is not None:
        found = {au: {suffix: kinds[suffix]} for au, kinds in found.items() if suffix in kinds}
    double = [au for au, kinds in found.items() if len(kinds) > 1]
    if double:
        raise ConversionError(f'{path}, line 1: {", ".join(map(au_name, sorted(double)))} have '
                              'several columns (occurrence and intensity?). Remedy: choose with '
                              '--au-suffix c or --au-suffix r.')
    if not found:
        raise ConversionError(f'{path}, line 1: no AU column in {", ".join(header)[:200]}. Remedy: '
                              'names such as AU1, au01 or AU12_c.')
    return {au: next(iter(kinds.values())) for au, kinds in sorted(found.items())}


@lru_cache(maxsize=100000)
def parse_cell(cell: str, missing: Tuple[str, ...]) -> Optional[float]:
    """A label 0-5, NaN for not coded, None for anything else."""
    text = cell.strip()
    if text.lower() in _NOT_CODED or text in missing:
        return np.nan
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    if any(_NUMBER.fullmatch(code) and float(code) == value for code in missing):
        return np.nan
    return value if 0 <= value <= 5 else None


def _search(pattern: str, text: str) -> Optional[str]:
    found = re.search(pattern, text)
    if not found:
        return None
    return (found.group(1) if found.re.groups else found.group(0)) or ''


def read_table(path: Path, mapping: Mapping) -> Converted:
    """Rows of a foreign table, in its order; those that cannot be read are listed.

    Returns:
        Converted: The rows; ``where`` holds their lines.

    Raises:
        ConversionError: If the file or its header cannot be used.
    """
    header, rows = read_rows(path)
    lower = [name.lower() for name in header]
    image = _column(header, mapping.image, path)
    if image is None:
        image = next((lower.index(name) for name in IMAGE_COLUMNS if name in lower), None)
    if image is None:
        raise ConversionError(f'{path}, line 1: no image column in {", ".join(header)[:200]}. '
                              'Remedy: name it with --image.')
    aus = _au_columns(header, mapping.suffix, path)
    places = {name: _column(header, getattr(mapping, name), path)
              for name in ('subject', 'sequence', 'frame')}
    places |= {name: _column(header, name, path) for name in mapping.keep}
    patterns = {name: getattr(mapping, f'{name}_pattern')
                for name in ('subject', 'sequence', 'frame')}
    wanted = ['subject', *(name for name in ('sequence', 'frame')
                           if places[name] is not None or patterns[name]), *mapping.keep]
    images, where, labels, skipped = [], [], [], []
    columns: Dict[str, list] = {name: [] for name in wanted}

    def leave_out(item, line, detail):
        skipped.append(Skip(item, BAD_LINE, str(path), line, detail))

    for line, cells in rows:
        if len(cells) != len(header):
            leave_out(f'line {line}', line, f'{len(cells)} cells, the header has {len(header)}')
            continue
        full = cells[image].strip().replace('\\', '/')
        name = full.removeprefix(mapping.strip).lstrip('/')
        if not name or '..' in name.split('/'):
            leave_out(f'line {line}', line, f'the image path is {cells[image]!r:.80}')
            continue
        values = [parse_cell(cells[column], mapping.missing) for column in aus.values()]
        if None in values:
            au, column = list(aus.items())[values.index(None)]
            leave_out(name, line, f'{au_name(au)} is {cells[column]!r:.40}, expected 0, 1 or an '
                      'intensity 0-5 (if it means not coded, name it with --missing)')
            continue
        found = {}
        for key in wanted:
            column, pattern = places.get(key), patterns.get(key)
            found[key] = cells[column].strip() if column is not None else (
                _search(pattern, full) if pattern else '')
        if None in found.values():
            key = next(key for key in found if found[key] is None)
            leave_out(name, line, f'the pattern for {key} does not match {full!r:.120}')
            continue
        images.append(name)
        where.append((str(path), line))
        labels.append(values)
        for key in wanted:
            columns[key].append(found[key])
    used = {image, *aus.values(), *(c for c in places.values() if c is not None)}
    unused = [name or '(no name)' for i, name in enumerate(header) if i not in used]
    notes = [f'columns not used: {", ".join(unused)}'] if unused else []
    array = np.array(labels, dtype=np.float32).reshape(len(images), len(aus))
    return Converted(images, columns, tuple(aus), array, skipped, notes, where)


def convert_file(path: Path, mapping: Mapping, out: Path, images: Optional[Path],
                 place: str) -> Converted:
    """One file; with ``images``, each image is placed and rows without one are listed."""
    try:
        rows = read_table(path, mapping)
    except ConversionError as error:
        return no_rows(unreadable(path.name, path, error))
    return rows if images is None else place_rows(rows, images, out, place)


def convert_csv_table(release: str, out: str, mapping: Mapping = DEFAULT_MAPPING,
                      glob: str = '*.csv*', images: Optional[str] = None,
                      place: str = 'link', workers: Processes = 1,
                      reference: Optional[str] = None) -> dict:
    """Convert foreign tables.

    Args:
        release: A file, or a folder of files.
        out: Folder for ``annotation.csv``, ``skipped.csv``, ``summary.md``/``.json``.
        mapping: How they are read.
        glob: Which files of the folder.
        images: Folder of the images; they are placed in ``out/images`` and images without a row
            are listed. None: the paths are not looked at, set ``data_prefix`` to their folder.
        place: ``'link'``, ``'copy'`` or ``'symlink'``.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`, over files.
        reference: ``'bp4d'``, ``'bp4dplus'`` or ``'disfa'`` to compare prevalence and folds.

    Returns:
        dict: The summary.

    Raises:
        ConversionError: If there is no file or no row is left.
    """
    release_dir, out_dir = Path(release), Path(out)
    for name in ('subject_pattern', 'sequence_pattern', 'frame_pattern'):
        try:
            re.compile(getattr(mapping, name) or '')
        except re.error as error:
            raise ConversionError(f'{name} {getattr(mapping, name)!r} is not a regular expression: '
                                  f'{error}.') from error
    files = [release_dir] if release_dir.is_file() else sorted(
        path for path in release_dir.glob(glob)
        if not any(map(of_the_system, path.relative_to(release_dir).parts)))
    if not files:
        raise ConversionError(f'no file {glob} in {release_dir}.')
    start(out_dir, dict(dataset='csv_table', release=str(release_dir.resolve()), glob=glob,
                        images=images, place=place, **mapping._asdict()))
    notes = [] if images else ['the images were not looked at: set data_prefix to their folder']
    folder = Path(images) if images else None
    work = partial(convert_file, mapping=mapping, out=out_dir, images=folder, place=place)
    extra = []
    if folder:
        named = set()
        for path in files:
            try:
                named.update(read_table(path, mapping).images)
            except ConversionError:
                continue  # listed by convert_file
        extra = [Skip(str(path.relative_to(folder)), NO_LABEL, str(path))
                 for path in _images_below(folder)
                 if path.relative_to(folder).as_posix() not in named]
    return convert_table('csv_table', work, files, out_dir, release_dir, extra, workers, reference,
                         notes)


def _images_below(folder: Path) -> List[Path]:
    return sorted(Path(root, name) for root, _, names in walk(folder) for name in names
                  if Path(name).suffix.lower() in IMAGE_SUFFIXES)
