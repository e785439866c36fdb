# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What the web page does with an upload: bounds, faces once, scores by one or two models, files."""

import os
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from fmae_iat_plugin.datasets.decoding import decode_image
from fmae_iat_plugin.faces.crop import crop_of_frame
from fmae_iat_plugin.files import short_name
from fmae_iat_plugin.inference.inferencer import AUInferencer
from fmae_iat_plugin.inference.pictures import PictureWriter
from fmae_iat_plugin.inference.predictions import FacePrediction
from fmae_iat_plugin.inference.writers import JSONWriter, OpenFaceWriter
from fmae_iat_plugin.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from fmae_iat_plugin.videos import (
    PICTURE_ERRORS,
    film,
    import_av,
    is_animated,
    open_video,
    seconds,
    shown_frames,
)
from fmae_iat_plugin.visualization import Painter

from .limits import LimitError, Limits

#: Containers of FFmpeg that hold their frames themselves; a playlist could name other files.
CONTAINERS = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,asf,flv'
KEEP = 1800  #: seconds that files stay


class Outcome(NamedTuple):
    """What there is to show of an upload.

    Attributes:
        rows (dict): Model -> its rows.
        picture (np.ndarray, optional): The image with its boxes, uint8 RGB; None of a video.
        videos, timelines (list[Path]): One for each model; empty for an image.
        files (list[Path]): To download.
        warning (str): What could not be read.
    """

    rows: Dict[str, List[FacePrediction]]
    picture: Optional[np.ndarray] = None
    videos: Sequence[Path] = ()
    timelines: Sequence[Path] = ()
    files: Sequence[Path] = ()
    warning: str = ''


class Demo:
    """Predicts uploads.

    Args:
        models: Name -> inferencer; the first finds the faces for all.
        limits: Bounds.
        root: Folder for files, which the caller removes.
    """

    def __init__(self, models: Dict[str, AUInferencer], limits: Limits, root: Path):
        self.models, self.limits, self.root = models, limits, root
        self._lock = threading.Lock()  # a model serves one visitor at a time

    def image(self, path: str) -> Outcome:
        """Predict an image file.

        Raises:
            LimitError: If it is beyond the bounds.
            ValueError: If it cannot be read.
        """
        self._check_file(path, IMAGE_SUFFIXES)
        try:
            with Image.open(path) as image:
                self._check_pixels(*image.size)
                more = getattr(image, 'n_frames', 1) - 1
            value = decode_image(Path(path).read_bytes()) if more and is_animated(path) else path
        except LimitError:
            raise
        except PICTURE_ERRORS as error:
            raise ValueError('the file cannot be read as an image.') from error
        rows, frames, warning = self._predict(value, lambda image, rows: None, Path(path).name)
        if value is not path:
            warning = f'only the first of its {more + 1} frames was looked at'
        folder = self._folder()
        files = []
        for name, found in rows.items():
            with ExitStack() as stack:
                writers = self._writers(stack, folder, name)
                for row in found:
                    self._write(writers, row)
            files += self._files(folder, path, name)
        return Outcome(rows, self._boxes(*frames[0]), files=files, warning=warning)

    def frame(self, image: np.ndarray) -> Outcome:
        """Predict a frame of a camera, uint8 RGB ``[H, W, 3]``; leaves no file."""
        self._check_pixels(image.shape[1], image.shape[0])
        rows, frames, _ = self._predict(np.ascontiguousarray(image[..., ::-1]),
                                        lambda image, rows: None, 'camera')
        return Outcome(rows, self._boxes(*frames[0]))

    def video(self, path: str) -> Outcome:
        """Predict a video file; raises as :meth:`image` does."""
        self._check_file(path, VIDEO_SUFFIXES)
        self._check_video(path)
        folder = self._folder()

        def stem_of(name: str) -> Callable[[str], str]:
            return lambda _: _stem(path, name)

        with ExitStack() as stack:
            writers = {name: self._writers(stack, folder, name) for name in self.models}
            pictures = {name: stack.enter_context(PictureWriter(
                folder, infer.aus, infer.thresholds, stem_of(name), infer.intensity_aus))
                for name, infer in self.models.items()}

            def on_frame(image, rows):
                for name, found in rows.items():
                    pictures[name].write(image, found)
                    for row in found:
                        self._write(writers[name], row)

            rows, _, warning = self._predict(path, on_frame, Path(path).name)
        films, lines = ([folder / f'{_stem(path, name)}_{ending}' for name in self.models]
                        for ending in ('annotated.mp4', 'timeline.png'))
        files = [file for name in self.models for file in self._files(folder, path, name)]
        return Outcome(rows, None, films, lines, [*files, *films, *lines], warning)

    def _predict(self, value, on_frame, name: str) -> tuple:
        """Rows of each model; the first frames with their rows; what was wrong."""
        first = next(iter(self.models.values()))
        rows = {model: [] for model in self.models}
        frames, start = [], 0.

        def each(image, found):
            nonlocal start
            self._check_pixels(image.shape[1], image.shape[0])
            time = found[0].timestamp or 0.
            start = start if frames else time  # a container's clock need not begin at 0
            if found[0].frame > self.limits.frames or time - start > self.limits.seconds:
                raise LimitError(self._too_long())
            found = [row._replace(input=name) for row in found]  # not where the server keeps it
            all_rows = {model: found if infer is first else _again(infer, image, found)
                        for model, infer in self.models.items()}
            if not frames:
                frames.append((image, found))
            on_frame(image, all_rows)
            for model, new in all_rows.items():
                rows[model] += new

        with self._lock:
            for _ in first.predict(value, on_frame=each):
                pass
            problems = [' '.join(filter(None, (problem.reason, problem.detail)))
                        for problem in first.problems]
        if not frames:
            raise ValueError(f'the file cannot be read: {"; ".join(problems)}.')
        return rows, frames, '; '.join(problems)

    @staticmethod
    def _boxes(image: np.ndarray, rows: list) -> np.ndarray:
        painter = Painter((1, ))
        bare = dict(probabilities=(0., ), present=(False, ), intensities=None)
        painted = painter.paint(image, [row._replace(**bare) for row in rows])
        plan = painter.layout
        height, width = round(image.shape[0] * plan.scale), plan.left
        return painted[:height, :width, ::-1]

    def _folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.root, prefix='work-'))

    def _writers(self, stack: ExitStack, folder: Path, name: str) -> list:
        infer, own = self.models[name], folder / _slug(name)
        return [stack.enter_context(writer(own, infer.aus, None, infer.intensity_aus))
                for writer in (OpenFaceWriter, JSONWriter)]

    @staticmethod
    def _write(writers: list, row: FacePrediction) -> None:
        for writer in writers:
            writer.write(row)

    @staticmethod
    def _files(folder: Path, path: str, name: str) -> List[Path]:
        """CSV and JSON lines of a model, under the names of upload and model."""
        found = []
        for file in sorted((folder / _slug(name)).iterdir(), key=lambda file: file.suffix):
            found.append(folder / f'{_stem(path, name)}{file.suffix}')
            file.rename(found[-1])
        return found

    def _check_file(self, path: str, suffixes: Sequence[str]) -> None:
        size = os.path.getsize(path) / 2**20
        if size > self.limits.megabytes:
            raise LimitError(f'the file has {size:.0f} MB, at most {self.limits.megabytes} are '
                             'allowed. Remedy: a smaller file, or tools/predict.py.')
        if Path(path).suffix.lower() not in suffixes:
            raise ValueError(f'the file is none of {", ".join(suffixes)}, by its suffix.')

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self.limits.pixels:
            raise LimitError(f'the image has {width} x {height} pixels, at most '
                             f'{self.limits.pixels / 1e6:g} million are allowed. Remedy: a smaller '
                             'image, or tools/predict.py.')

    def _check_video(self, path: str) -> None:
        try:
            with open_video(path, options=dict(format_whitelist=CONTAINERS,
                                               protocol_whitelist='file')) as container:
                stream = film(container)
                if stream is None:
                    raise ValueError('the file has no video stream.')
                self._check_pixels(stream.width, stream.height)
                if seconds(container) > self.limits.seconds or \
                        shown_frames(container, stream) > self.limits.frames:
                    raise LimitError(self._too_long())
        except import_av().FFmpegError as error:
            raise ValueError('the file cannot be read as a video.') from error

    def _too_long(self) -> str:
        return (f'the video is longer than {self.limits.seconds:g} seconds or '
                f'{self.limits.frames} frames. Remedy: a shorter video, or tools/predict.py.')


def _again(infer: AUInferencer, image: np.ndarray, rows: list) -> list:
    """The same faces, scored by another model."""
    faces = [row for row in rows if row.success]
    if not faces:
        return rows
    scores = infer.scores([crop_of_frame(image, row.box, infer.crop) for row in faces])
    return [infer.scored(row, values) for row, values in zip(faces, scores)]


def _slug(name: str) -> str:
    return ''.join(letter if letter.isalnum() or letter in '-_' else '-' for letter in name)


def _stem(path: str, name: str) -> str:
    return short_name(f'{_slug(name)}_{Path(path).stem}')


def purge(root: Path, keep: float = KEEP) -> None:
    """Remove what has not been touched for ``keep`` seconds below a folder."""
    oldest = time.time() - keep
    for entry in list(root.iterdir()):
        newest = max([item.lstat().st_mtime for item in (entry, *entry.rglob('*'))
                      if item.exists()], default=0)
        if newest < oldest:
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink()


def merge_rows(rows: Dict[str, List[FacePrediction]], aus: Dict[str, Tuple[int, ...]],
               intensity_aus: Optional[Dict[str, Tuple[int, ...]]] = None) -> dict:
    """face_id -> AU -> model -> (probability, present, intensity or None), of one frame; None: not
    predicted.

    Args:
        rows: Model -> its rows.
        aus, intensity_aus: Model -> its action units, and those with intensities.
    """
    numbers = sorted({au for names in aus.values() for au in names})
    faces: Dict[int, dict] = {}
    for model, found in rows.items():
        for row in found:
            if row.success:
                table = faces.setdefault(row.face_id, {au: dict.fromkeys(rows) for au in numbers})
                graded = dict(zip((intensity_aus or {}).get(model, ()), row.intensities or ()))
                for au, value, present in zip(aus[model], row.probabilities, row.present):
                    table[au][model] = value, present, graded.get(au)
    return faces
