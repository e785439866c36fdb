# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Predicts many inputs, over processes, GPUs or machines, in parts that survive an interruption.

A part is a video, a camera, or up to 64 images. Its rows go to a file of their own; a second run
takes finished parts from there, and the output files are written from all parts in order.
"""

import hashlib
import json
import os
import shutil
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from fmae_iat_plugin.faces import DetectorSpec
from fmae_iat_plugin.files import UniqueNames, whole_file
from fmae_iat_plugin.parallel import Workers, counting_bar, run_parallel
from fmae_iat_plugin.skipped import Skip
from fmae_iat_plugin.videos import count_frames

from .inferencer import AUTO, AUInferencer
from .inputs import Item
from .predictions import FacePrediction
from .settings import prediction_settings

IMAGES_A_PART = 64


class Job(NamedTuple):
    """What is done with every input; the fields are those of :class:`AUInferencer` and its calls.

    Attributes:
        devices (tuple): Parts are dealt out to them in turn; (None, ) = the GPU if there is one.
        pictures (Path, optional): Folder of annotated images and videos.
        crop (tuple): (name, value) of the options that differ from the model's own crop.
    """

    model: str
    weights: Optional[str]
    detector: Union[str, DetectorSpec, None] = AUTO
    threshold: Optional[float] = None
    batch_size: int = 32
    stride: int = 1
    smoothing: float = 0.
    devices: Tuple[Optional[str], ...] = (None, )
    pictures: Optional[Path] = None
    crop: Tuple[Tuple[str, Any], ...] = ()

    def settings(self) -> dict:
        """What decides the rows: the options, and of files their contents."""
        return prediction_settings(self.model, self.weights, self.detector, self.threshold,
                                   self.stride, self.smoothing, self.crop)


class Part(NamedTuple):
    """Some inputs, what they are predicted on, the file of their rows, names of their pictures."""

    items: List[Item]
    device: Optional[str]
    path: Path
    names: List[str]


def split(items: Sequence[Item], job: Job, folder: Path,
          names: Optional[Dict[str, str]] = None) -> List[Part]:
    """The parts, in the order of the inputs; their files lie in ``folder``.

    ``names``: input -> NAME of its pictures. Defaults to its file name, told apart from others'.
    """
    groups: List[List[Item]] = []
    for item in items:
        images = bool(item.unit.frames) or item.image is not None
        if images and groups and len(groups[-1]) < IMAGES_A_PART and groups[-1][0].unit.frames:
            groups[-1].append(item)
        else:
            groups.append([item])
    name, settings = names.__getitem__ if names else UniqueNames(), repr(job.settings())
    return [Part(group, job.devices[number % len(job.devices)],
                 folder / f'{_digest(job, settings, group, number)}.jsonl',
                 [name(item.unit.name) for item in group])
            for number, group in enumerate(groups)]


def _digest(job: Job, settings: str, items: List[Item], number: int) -> str:
    """Changes with the options, the model, the detector and the inputs."""
    files = [job.weights, *(item.unit.video or item.unit.name for item in items)]
    text = [settings, str(job.pictures), *map(_state, files)]
    if any(item.live for item in items):
        text.append(repr((number, os.getpid())))  # what a camera saw is not what it sees
    return hashlib.sha256('\n'.join(text).encode('utf-8', 'surrogateescape')).hexdigest()[:24]


def _state(file) -> str:
    try:
        found = os.stat(file)
    except (OSError, TypeError, ValueError):
        return str(file)  # an address, a name of mmpretrain's, nothing
    return f'{file} {found.st_size} {found.st_mtime_ns}'


@lru_cache(maxsize=1)
def _inferencer(job: Job, device: Optional[str]) -> AUInferencer:
    return AUInferencer(job.model, job.weights, device, job.detector, dict(job.crop),
                        threshold=job.threshold, smoothing=job.smoothing)


def predict_part(job: Job, part: Part, advance=None) -> None:
    """Leave the rows of a part in its file, if they are not there.

    Args:
        job: The options.
        part: The inputs.
        advance: Called with the number of frames done, about every frame.

    A camera or stream is read until it is interrupted.
    """
    if part.path.is_file():
        return
    infer = _inferencer(job, part.device)
    with whole_file(part.path) as unfinished, open(unfinished, 'w') as file, ExitStack() as stack:
        on_frame = pictures = None
        if job.pictures is not None:
            from .pictures import PictureWriter  # needs the extra `analysis`
            names = {item.unit.name: name for item, name in zip(part.items, part.names)}
            pictures = stack.enter_context(PictureWriter(
                job.pictures, infer.aus, infer.thresholds, names.__getitem__,
                infer.intensity_aus))
            on_frame = pictures.write

        def say(**line):
            file.write(json.dumps(line) + '\n')

        say(aus=infer.aus, intensity_aus=infer.intensity_aus)
        last = None
        if part.items[0].live:
            stack.enter_context(_interrupt_ends(infer))
        try:
            for row in infer.predict(part.items, job.batch_size, job.stride, on_frame):
                say(row=row)
                if advance is not None and last != (row.input, row.frame):
                    advance(job.stride if last and last[0] == row.input else 1)
                    last = row.input, row.frame
        except KeyboardInterrupt:
            if not part.items[0].live:
                raise
        for problem in infer.problems:
            say(problem=problem)
        if pictures is not None:
            say(pictures=[path.name for path in pictures.close()])


@contextmanager
def _interrupt_ends(infer: AUInferencer) -> Iterator[None]:
    """The first Ctrl-C ends a camera or stream and finishes the frames already read; the second
    discards them."""
    if (threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGINT) is signal.SIG_IGN):  # a job in the background
        yield
        return

    def end(*_) -> None:
        infer.end()
        signal.signal(signal.SIGINT, before)
        sys.stderr.write('\nStopping. Finishing the frames already read; press Ctrl-C again to '
                         'discard them.\n')

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def read_part(part: Part, problems: List[Skip], pictures: List[str]) -> Iterator[FacePrediction]:
    """The rows of a finished part; its problems are added to ``problems``, the names of its
    pictures and videos to ``pictures``."""
    with open(part.path) as file:
        for line in map(json.loads, file):
            if 'row' in line:
                row = FacePrediction(*line['row'])
                yield row._replace(**{name: tuple(value) for name, value in row._asdict().items()
                                      if isinstance(value, list)})
            elif 'problem' in line:
                problems.append(Skip(*line['problem']))
            else:
                pictures += line.get('pictures', ())


def predict_parts(job: Job, parts: Sequence[Part],
                  workers: Workers) -> Tuple[Sequence[int], Sequence[int]]:
    """Predict what is not finished, with a bar: of frames in one process, of parts in many.

    Returns:
        tuple: The action units of the model, and those of its intensities.
    """
    waiting = [part for part in parts if not part.path.is_file()]
    if workers.number == 1 and workers.backend == 'loky':
        total = total_frames([item for part in waiting for item in part.items])
        with counting_bar() as bar:
            task = bar.add_task('Frames', total=total)
            for part in waiting:
                predict_part(job, part, lambda number: bar.advance(task, number))
    else:
        run_parallel(partial(predict_part, job), waiting, workers, title='Videos, image folders')
    with open(parts[0].path) as file:
        said = json.loads(file.readline())
        return said['aus'], said['intensity_aus']


def total_frames(items: Sequence[Item]) -> Optional[int]:
    """How many frames there are, as far as the containers know; None = unknown."""
    total = 0
    for item in items:
        number = None if item.live else 1 if item.unit.video is None else count_frames(
            item.unit.video)
        if number is None:
            return None
        total += number
    return total


def forget(folder: Path) -> None:
    """Remove the parts, when the output files are complete."""
    shutil.rmtree(folder, ignore_errors=True)
