# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Files of an emulated release: complete or absent, and kept when the command is run again.

The options alone describe a release. Any process can therefore do the job of one subject, in any
order, and a second run only does what the first did not finish. ``release.json`` holds the options.
``truth.csv`` is written last, so its presence means that the release is complete.
"""

import io
import shutil
from functools import partial
from pathlib import Path
from typing import Callable, Iterable, Sequence, Union

import cv2
import numpy as np
import pandas as pd
from mmengine.logging import MMLogger
from PIL import Image

from fmae_iat_plugin.datasets.annotation import write_annotation
from fmae_iat_plugin.files import claim_folder, whole_named_file, write_whole
from fmae_iat_plugin.parallel import Processes, run_parallel

OPTIONS, TRUTH, PARTIAL = 'release.json', 'truth.csv', '.partial'
CODECS = ('MJPG', 'XVID')


class ReleaseFolder:
    """The folder of a release; paths are relative to it, with forward slashes.

    Args:
        root: The folder; created if it does not exist.
    """

    def __init__(self, root: Union[str, Path]) -> None:
        self.root = Path(root).expanduser()

    def path(self, name: str) -> Path:
        """Path of the file ``name``."""
        return self.root / name

    def has(self, name: str) -> bool:
        """Whether the file exists; if it does, it is complete."""
        return self.path(name).is_file()

    def write(self, name: str, data: Union[bytes, str]) -> None:
        """Write bytes, or text in UTF-8."""
        write_whole(self.path(name), data.encode('utf-8') if isinstance(data, str) else data)

    def write_video(self, name: str, pictures: Iterable[np.ndarray], size: int, fps: float,
                    codec: str) -> None:
        """Write RGB pictures, uint8 ``[size, size, 3]``, as an ``.avi``.

        Raises:
            OSError: If OpenCV cannot write this codec here.
        """
        with whole_named_file(self.path(name)) as partial:  # OpenCV reads the suffix
            self._encode(partial, pictures, size, fps, codec)

    @staticmethod
    def _encode(partial: Path, pictures: Iterable[np.ndarray], size: int, fps: float,
                codec: str) -> None:
        writer = cv2.VideoWriter(str(partial), cv2.VideoWriter.fourcc(*codec), fps, (size, size))
        if not writer.isOpened():
            raise OSError(f'OpenCV cannot write {codec} video to {partial}. Remedy: use another '
                          f'codec ({", ".join(CODECS)}), or images instead of videos.')
        try:
            for picture in pictures:
                writer.write(np.ascontiguousarray(picture[..., ::-1]))
        finally:
            writer.release()

    def claim(self, options: dict) -> bool:
        """Record the options of the release.

        Returns:
            bool: Whether it is already complete.

        Raises:
            ValueError: If the folder holds a release with other options.
        """
        claim_folder(self.root, OPTIONS, options, 'a release')
        if self.has(TRUTH):
            MMLogger.get_current_instance().info('%s is already complete', self.root)
            return True
        return False

    def finish(self, rows: Sequence[dict], aus: Sequence[int], labels: np.ndarray,
               name: str = TRUTH) -> Path:
        """Write the truth: ``rows`` with ``image`` and ``subject``, labels ``[N, A]``."""
        frame = pd.DataFrame(list(rows))
        write_annotation(self.path(name), frame, aus, np.asarray(labels, np.float64))
        if name == TRUTH:
            shutil.rmtree(self.root / PARTIAL, ignore_errors=True)
        return self.path(name)

    def write_table(self, name: str, rows: Sequence[dict], columns: Sequence[str]) -> None:
        """Write a CSV that is not an annotation table."""
        self.write(name, pd.DataFrame(list(rows), columns=list(columns)).to_csv(index=False))


def encode(picture: np.ndarray, kind: str = 'JPEG', **options) -> bytes:
    """An RGB or grey array as the bytes of an image file, encoded by Pillow.

    Args:
        picture: uint8 ``[H, W, 3]`` or ``[H, W]``.
        kind: A format that Pillow writes.
        **options: Options of ``PIL.Image.Image.save``; JPEG has quality 92 by default.
    """
    buffer = io.BytesIO()
    if kind == 'JPEG':
        options.setdefault('quality', 92)
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


def _call(work: Callable, job: tuple):
    cv2.setNumThreads(0)  # each process uses one core
    return work(*job)


def run(title: str, work: Callable, jobs: Sequence[tuple], workers: Processes) -> list:
    """``[work(*job) for job in jobs]`` in several processes, with a progress bar.

    Args:
        title: Title of the bar.
        work: A function at module level.
        jobs: Its arguments, one tuple per job.
        workers: Number of processes, or :class:`~fmae_iat_plugin.parallel.Workers`; 0 = the cores
            that this process may use.
    """
    return run_parallel(partial(_call, work), jobs, workers, title)
