# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Optical flow of the sequences of a table, written beside it; the format is that of
:mod:`fmae_iat_plugin.datasets.flow_targets`.

A sequence is a unit of work and a file. A stopped command goes on where it stopped: a file whose
checksum is right is kept, any other is made again.
"""

import argparse
import hashlib
import io
import json
import sys
from functools import partial
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np
import pandas as pd

from fmae_iat_plugin.datasets.annotation import AnnotationError
from fmae_iat_plugin.datasets.decoding import UnreadableImageError, decode_image
from fmae_iat_plugin.datasets.flow_targets import INDEX, SEQUENCES, SETTINGS, SKIPPED
from fmae_iat_plugin.errors import say_error
from fmae_iat_plugin.files import claim_folder, file_sha256, write_whole
from fmae_iat_plugin.parallel import (
    ParallelError,
    Processes,
    add_parallel_arguments,
    parallel_arguments,
    run_parallel,
)
from fmae_iat_plugin.skipped import Skip, report_skipped
from fmae_iat_plugin.synthfacs import Population, read_population
from fmae_iat_plugin.synthfacs.motion import flow_of_frame

from .flow_methods import METHODS, dis_flow, raft_flow
from .structures import CropError
from .table_images import find_images, sequences


class Pair(NamedTuple):
    """A frame and the one ``delta`` frames on.

    Attributes:
        image (str): The frame, as the table names it.
        line (int): Of the table.
        later (str, optional): The other; None where there is none.
    """

    image: str
    line: int
    later: Optional[str]


class Computed(NamedTuple):
    """What a command did.

    Attributes:
        folder (Path): Of the flow.
        targets, skipped (int): Frames with and without one.
        kept (int): Sequences that an earlier run had finished.
    """

    folder: Path
    targets: int
    skipped: int
    kept: int


def pairs_of(table, rows: List[int], delta: int) -> List[Pair]:
    """The frames of a sequence with their partners, ``delta`` away by frame number, or by order
    where the table has no numbers."""
    images = table.images
    frames = table.frame.get('frame')
    numbers = list(range(len(rows)))
    if frames is not None:
        cells = [frames.iloc[row] for row in rows]
        if all(cell.isascii() and cell.isdigit() for cell in cells) and len(
                set(map(int, cells))) == len(cells):
            numbers = list(map(int, cells))
    at = dict(zip(numbers, rows))
    return [Pair(images[row], table.line(row),
                 images[at[number + delta]] if number + delta in at else None)
            for number, row in zip(numbers, rows)]


def compute_table_flow(table: Union[str, Path], out: Optional[str] = None, method: str = 'dis',
                       delta: int = 1, stride: int = 4, images: Optional[str] = None,
                       weights: Optional[str] = 'DEFAULT', workers: Processes = 1) -> Computed:
    """Write the optical flow of the sequences of a table.

    Args:
        table: Annotation table, or its folder.
        out: Folder. Defaults to ``flow`` beside the table.
        method: ``'dis'`` or ``'raft'`` between the images; ``'rendered'``: the exact flow of faces
            that ``write_synthfacs`` wrote, each to its own future
            (:mod:`fmae_iat_plugin.synthfacs.motion`).
        delta: Frames between the two images, 1 or more.
        stride: Pixels a side of a cell that is stored.
        images: Folder of the images; see :func:`~.table_images.find_images`.
        weights: RAFT: see :func:`~.flow_methods.raft_model`.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`.

    Raises:
        CropError: If the table has no sequences, or not one frame has another ``delta`` away.
        AnnotationError, FileNotFoundError, ParallelError, ValueError: See the message.
    """
    if method not in METHODS:
        raise ValueError(f'method {method!r} is none of {", ".join(METHODS)}.')
    for name, value in (('delta', delta), ('stride', stride)):
        if value < 1:
            raise ValueError(f'{name} is {value}. Remedy: 1 or more.')
    found = find_images(table, images)
    beside = Path(found.table.path).parent
    folder = Path(out) if out is not None else beside / 'flow'
    units = {name: pairs_of(found.table, rows, delta)
             for name, rows in sequences(found.table).items()}
    population = None
    if method == 'rendered':
        population = read_population(beside)
        units = {name: [pair._replace(later=pair.image) for pair in pairs]
                 for name, pairs in units.items()}
    skipped = _without_partner(found.table.path, units, delta)
    settings = dict(method=method, delta=delta, stride=stride,
                    folder=str(found.folder.resolve()),
                    table=hashlib.sha256('\n'.join(found.table.images).encode()).hexdigest(),
                    weights=weights if method == 'raft' else None)
    claim_folder(folder, SETTINGS, settings, 'optical flow')
    (folder / SEQUENCES).mkdir(exist_ok=True)
    work = partial(_sequence, folder / SEQUENCES, found.folder, method, stride, delta, weights,
                   population)
    numbered = [(f'{number:05d}', [pair for pair in pairs if pair.later is not None])
                for number, pairs in enumerate(units.values())]
    records = run_parallel(work, [unit for unit in numbered if unit[1]], workers, 'Optical flow')
    rows = [(image, record['file'], row, *record['size'])
            for record in records for row, image in enumerate(record['images'])]
    skipped += [Skip(image, reason, found.table.path, line, detail)
                for record in records for image, reason, line, detail in record['skipped']]
    report_skipped(f'Optical flow of {found.table.path}', skipped, str(folder / SKIPPED))
    if not rows:
        raise CropError(f'{found.table.path}: no frame has a flow, all {len(skipped)} are listed '
                        f'in {folder / SKIPPED}. Remedy: images that can be read.')
    index = pd.DataFrame(rows, columns=['image', 'file', 'row', 'width', 'height'])
    write_whole(folder / INDEX, index.to_csv(index=False).encode())
    return Computed(folder, len(rows), len(skipped), sum(record['kept'] for record in records))


def _without_partner(path: str, units: dict, delta: int) -> List[Skip]:
    """The frames that end a sequence; an error where there are no others."""
    skipped, longest = [], max(len(pairs) for pairs in units.values())
    for name, pairs in units.items():
        reason = ('a sequence of one frame' if len(pairs) == 1 else
                  f'the sequence is not longer than delta={delta}' if len(pairs) <= delta else
                  f'no frame {delta} further on')
        skipped += [Skip(pair.image, reason, path, pair.line, f'sequence {name}')
                    for pair in pairs if pair.later is None]
    if all(pair.later is None for pairs in units.values() for pair in pairs):
        what = ('every sequence has one frame' if longest == 1 else
                f'no frame has another delta={delta} frames on; the longest of {len(units)} '
                f'sequences has {longest} frames')
        raise CropError(f'{path}: {what}. Remedy: ' + (
            'the column `sequence` must be the same for the frames of one recording.'
            if longest == 1 else 'a smaller --delta, or a table of all frames.'))
    return skipped


def _sequence(folder: Path, images: Path, method: str, stride: int, delta: int,
              weights: Optional[str], population: Optional[Population],
              unit: Tuple[str, List[Pair]]) -> dict:
    """The flow of a sequence; what a row of the index needs to know."""
    cv2.setNumThreads(0)
    name, pairs = unit
    record_path, path = folder / f'{name}.json', folder / f'{name}.npy'
    if record_path.is_file() and path.is_file():
        record = json.loads(record_path.read_text(encoding='utf-8'))
        whole = file_sha256(path) == record['sha256']
        if whole and not record['skipped']:  # what could not be read may have been restored
            return dict(record, kept=True)
    flows, names, skipped, size = [], [], [], None
    for pair in pairs:
        try:
            flow = _flow(images, method, delta, weights, population, pair)
        except (OSError, UnreadableImageError, SyntaxError, ValueError) as error:
            skipped.append((pair.image, 'unreadable image', pair.line,
                            f'{type(error).__name__}: {error}'))
            continue
        shape = flow.shape[1::-1]
        if size is not None and shape != size:
            skipped.append((pair.image, 'the image has another size than the sequence', pair.line,
                            f'{shape[0]}x{shape[1]} instead of {size[0]}x{size[1]}'))
            continue
        size = shape
        flows.append(reduce_flow(flow, stride))
        names.append(pair.image)
    stored = np.stack(flows) if flows else np.zeros((0, 1, 1, 2), np.float16)
    stream = io.BytesIO()
    np.save(stream, stored)
    write_whole(path, stream.getvalue())
    record = dict(file=path.name, images=names, size=size or (0, 0), skipped=skipped,
                  sha256=hashlib.sha256(stream.getvalue()).hexdigest())
    write_whole(record_path, json.dumps(record).encode())
    return dict(record, kept=False)


def _flow(images: Path, method: str, delta: int, weights: Optional[str],
          population: Optional[Population], pair: Pair) -> np.ndarray:
    """float32 ``[H, W, 2]`` in pixels, NaN where unknown."""
    before = decode_image((images / pair.image).read_bytes())
    if population is not None:
        exact = flow_of_frame(population, *population.parse(pair.image), delta, before.shape[0])
        return np.where(exact.visible[..., None], exact.flow, np.nan)
    after = decode_image(Path(images, str(pair.later)).read_bytes())
    if after.shape != before.shape:
        raise ValueError(f'{pair.image} and {pair.later} have different sizes, '
                         f'{before.shape[1]}x{before.shape[0]} and '
                         f'{after.shape[1]}x{after.shape[0]}')
    return dis_flow(before, after) if method == 'dis' else raft_flow(before, after, weights)


def reduce_flow(flow: np.ndarray, stride: int) -> np.ndarray:
    """Mean of the known pixels of each cell, float16; NaN where fewer than half are known.

    Args:
        flow: ``[H, W, 2]``, NaN unknown.
        stride: Pixels a side of a cell; the last cells are smaller where it does not divide.
    """
    height, width = flow.shape[:2]
    known = ~np.isnan(flow).any(axis=-1)
    planes = np.dstack([np.where(known[..., None], flow, 0), known, np.ones_like(known)])
    tall, wide = -(-height // stride) * stride, -(-width // stride) * stride
    padded = np.zeros((tall, wide, 4))
    padded[:height, :width] = planes
    sums = padded.reshape(tall // stride, stride, wide // stride, stride, 4).sum(axis=(1, 3))
    with np.errstate(invalid='ignore', divide='ignore'):
        mean = sums[..., :2] / sums[..., 2:3]
    mean[sums[..., 2] < sums[..., 3] / 2] = np.nan
    return mean.astype(np.float16)


def main(arguments: Optional[List[str]] = None) -> int:
    """The command; returns the exit code: 0, or 2 with one line that says why."""
    parser = argparse.ArgumentParser(description='Optical flow of the sequences of a table.')
    parser.add_argument('table', help='annotation table, or the folder that holds annotation.csv')
    parser.add_argument('--out', help='folder; default: flow beside the table')
    parser.add_argument('--images', help='image folder; default: faces or images beside the table')
    parser.add_argument('--method', choices=METHODS, default='dis', help='dis (default): OpenCV; '
                        'raft: torchvision; rendered: the exact flow of SynthFACS')
    parser.add_argument('--delta', type=int, default=1, help='frames between the images; default 1')
    parser.add_argument('--stride', type=int, default=4, help='pixels a side of a stored cell; '
                        'default 4')
    parser.add_argument('--weights', default='DEFAULT', help="raft: a file of torchvision's "
                        'raft_small; default: downloaded')
    add_parallel_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        done = compute_table_flow(args.table, args.out, args.method, args.delta, args.stride,
                                  args.images, args.weights, parallel_arguments(args))
    except (CropError, AnnotationError, ParallelError, ValueError, OSError) as error:
        return say_error(error)
    except KeyboardInterrupt:
        sys.stderr.write('stopped. The same command goes on from here.\n')
        return 130
    sys.stdout.write(f'{done.targets} frames have a flow in {done.folder} ({done.kept} sequences '
                     f'were there already); {done.skipped} have none, listed in '
                     f'{done.folder / SKIPPED}\n')
    return 0
