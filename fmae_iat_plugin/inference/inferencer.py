# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Action units of every face of images and videos, called as MMPretrain's inferencers are.

Frames are read in one thread and their faces found and cropped in others while the model works on
the faces before them; a few frames wait in between, so memory does not grow with a video. As many
threads look for faces as PyTorch uses (``OMP_NUM_THREADS``, ``torch.set_num_threads``), or as there
are cores where it is not used, if the detector allows it, and two batches are under way: whatever
the slowest stage is, no core waits for another stage.

PyTorch is imported only where it runs the model; see :mod:`fmae_iat_plugin.stack`.
"""

import os
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Callable, Iterator, List, Optional, Sequence, Union

import numpy as np

from fmae_iat_plugin.action_units import check_same_outputs, named_outputs, parse_au
from fmae_iat_plugin.datasets.cropping import checked_cropping
from fmae_iat_plugin.faces import CropOptions, DetectorSpec
from fmae_iat_plugin.faces.crop import crop_face, cut, halve
from fmae_iat_plugin.faces.provenance import crop_options, detector_spec, difference
from fmae_iat_plugin.faces.structures import DETECTED
from fmae_iat_plugin.faces.tracking import Tracker, select_faces
from fmae_iat_plugin.files import hold_folder
from fmae_iat_plugin.logs import logger
from fmae_iat_plugin.parallel import working_threads
from fmae_iat_plugin.skipped import Skip, report_skipped
from fmae_iat_plugin.stack import use_stack

from .ahead import map_ahead, prefetch
from .backends import open_model
from .default_model import default_model, describe
from .inputs import find_inputs, once, read_items
from .outputs import SKIPPED, Outputs
from .predictions import FacePrediction
from .settings import prediction_settings
from .smoothing import Smoother
from .writers import as_dict, build_writers, check_formats

AUTO = 'auto'  #: the detector of the model's training crops


def check_numbers(threshold: Union[float, Sequence[float], None] = None, smoothing: float = 0.,
                  batch_size: int = 1, stride: int = 1) -> None:
    """Before anything is loaded.

    Raises:
        ValueError: If an argument of :class:`AUInferencer` or of its calls is out of range.
    """
    values = np.atleast_1d(np.asarray(0.5 if threshold is None else threshold, dtype=object))
    if not all(isinstance(value, (int, float, np.number)) and 0 <= value <= 1 for value in values):
        raise ValueError(f'threshold is {threshold}. Remedy: a probability from 0 to 1.')
    if not 0 <= smoothing < float('inf'):
        raise ValueError(f'smoothing is {smoothing}. Remedy: seconds, 0 for none.')
    if batch_size < 1 or stride < 1:
        raise ValueError(f'batch_size {batch_size}, stride {stride}. Remedy: 1 or more.')


def detector_argument(name: str, weights: Optional[str] = None,
                      device: Optional[str] = None) -> Union[str, DetectorSpec, None]:
    """The detector that ``--detector`` names: none, auto, dlib or an mmdet config.

    Raises:
        ValueError: If weights were given for a detector that was not named.
    """
    if name == AUTO and weights is not None:
        raise ValueError('--detector-weights needs --detector CONFIG')
    return None if name == 'none' else name if name == AUTO else DetectorSpec(
        name, weights, device=device or 'cpu')


class AUInferencer:
    """Predicts action units.

    Args:
        model: A config of this repository, path or ``Config``; its adversary is not built. Or an
            exported ``.onnx`` file, run by ONNX Runtime, without PyTorch. Defaults to the model
            of the package, see :mod:`~.default_model`.
        weights: Checkpoint, opened without running code from it, or ``.onnx`` file. None: random
            weights, for tests.
        device: Defaults to the GPU if there is one.
        detector: ``'auto'``, that of the model's training crops, where the model notes it, else
            dlib; ``'dlib'``; a :class:`~fmae_iat_plugin.faces.DetectorSpec` (mmdet), any
            function from BGR images to boxes and scores, or None: every image is a face crop.
        crop: Which faces and how they are cropped; a dict changes single options, such as
            ``dict(margin=0.1)``. Defaults to all faces as the model's training crops, where it
            notes them, else to the published crop at 224 px; where the config's test pipeline has
            no ``Resize``, at the model's size. What differs from the training is logged.
        aus: Numbers of the action units, in the order of the model's outputs: for weights that do
            not note them. Defaults to those the checkpoint was trained with (its ``meta``), else
            ``aus`` of the config's test data set, or those of its protocol (BP4D, BP4D+, DISFA).
        threshold: Probability from which an action unit is present; a number, or one each.
            Defaults to the checkpoint's (``meta['thresholds']``), else the head's ``thr`` (0.5).
        memory: A face that was not found for so many frames that were looked at keeps its
            ``face_id`` if its box overlaps the one its motion predicts.
        smoothing: Time constant, in seconds, of an exponential moving average over the
            probabilities of each face of a video; thresholds apply to the smoothed ones. 0: none.

    Attributes:
        problems (list[Skip]): What could not be read in the last call.
        intensity_aus (tuple): Action units with intensities, in the order of the rows; empty where
            the model gives none.
        crop (CropOptions): How faces are cropped.
        noted (dict, optional): How those of the training were, where the model notes it.

    Raises:
        ValueError: If the weights do not fit, the action units cannot be told or are not those that
            the weights note, or a number is out of range.
    """

    def __init__(self, model: Any = None, weights: Optional[str] = None,
                 device: Optional[str] = None,
                 detector: Union[str, DetectorSpec, Callable, None] = AUTO,
                 crop: Union[CropOptions, dict, None] = None, aus: Optional[Sequence[int]] = None,
                 threshold: Union[float, Sequence[float], None] = None, memory: int = 15,
                 smoothing: float = 0.):
        own = model is None
        if own:
            if weights is not None:
                raise ValueError(f'weights {weights} were given without a model. Remedy: name its '
                                 'config as well; of an .onnx file, model=FILE.')
            model = default_model()
        recipe, self.backend = open_model(model, weights, device)
        if own:
            logger().info('default model %s', describe(self.backend.metadata))
        check_same_outputs(named_outputs(dict(aus=self.backend.aus)),
                           named_outputs(dict(aus=aus)), str(weights or model), '`aus`')
        named = aus or self.backend.aus or recipe.find_aus()
        self.aus = tuple(map(parse_au, named))
        number = self.backend.outputs
        if len(self.aus) != number:
            raise ValueError(f'{len(self.aus)} action units {self.aus} are named, the model has '
                             f'{number} outputs. Remedy: pass aus=(...), in the order of training.')
        check_numbers(threshold, smoothing)
        self.intensity_aus = self.backend.intensity_aus
        self.thresholds = self._thresholds(threshold, weights or model)
        self.pipeline, self.fixed_size = recipe.pipeline, recipe.size
        source = str(weights or model)
        noted = self.backend.cropping or recipe.cropping
        self.noted = noted and checked_cropping(noted, source)
        self.crop = crop_options(self.noted, crop, self.fixed_size, source)
        absent = ''
        if detector == AUTO:
            detector, absent = detector_spec(self.noted, device or 'cpu')
        elif isinstance(detector, str):
            detector = DetectorSpec(detector)
        self.detector = detector.build() if isinstance(detector, DetectorSpec) else detector
        self._say_difference(source, detector, absent)
        self.memory = memory
        self.problems: List[Skip] = []
        self.smoothing = smoothing
        self._ended = Event()
        self._made_with = model, weights, detector, threshold

    def _say_difference(self, source: str, detector, absent: str) -> None:
        """One line, if faces are found or cropped otherwise than for the training."""
        if detector is None:
            return
        record = detector.record() if isinstance(detector, DetectorSpec) else type(
            detector).__name__
        changed = difference(self.noted, record, self.crop)
        if changed or absent:
            logger().warning(
                '%s was trained on other face crops than are made here, so its scores may be '
                'worse: %s%s', source, changed, absent and f' ({absent} is not here)')

    def _thresholds(self, given, source) -> np.ndarray:
        """One for each action unit: those given, or else the model's."""
        thr = self.backend.threshold if given is None else given
        try:
            thresholds = np.broadcast_to(np.asarray(thr, dtype=np.float64), (len(self.aus), ))
        except (TypeError, ValueError) as error:
            raise ValueError(f'threshold {thr!r} does not fit. Remedy: one number, or '
                             f'{len(self.aus)}, one for each of {self.aus}.') from error
        if not ((thresholds >= 0) & (thresholds <= 1)).all():  # also NaN
            raise ValueError(f'{source} notes the thresholds {thr}. Remedy: threshold=..., '
                             'probabilities from 0 to 1.')
        return thresholds

    def __call__(self, inputs, return_datasamples: bool = False, batch_size: int = 32,
                 stride: int = 1, pred_out_dir: Optional[str] = None,
                 formats: Sequence[str] = ('openface', ), return_vis: bool = False,
                 show_dir: Optional[str] = None,
                 overwrite: bool = False) -> Union[list, dict]:
        """Predict; one result per face of each frame, and one per frame without a face.

        Args:
            inputs: Path of an image, video or folder, a pattern, an address, a camera, an image
                (uint8 BGR), or a list; see :func:`~.inputs.find_inputs`.
            return_datasamples: DataSamples (``pred_score`` ``[C]``, where the model gives them
                ``pred_intensity`` ``[K]``, the rest as metainfo) instead of dicts (the form of a
                JSON line).
            batch_size: Faces at a time.
            stride: Every ``stride``-th frame of a video.
            pred_out_dir: Write files there.
            formats: Which: openface, pyfeat, json, parquet.
            return_vis: A dict of ``predictions`` (the list) and ``visualization``, an annotated
                image (uint8 BGR) per frame.
            show_dir: Write annotated images and videos, and timelines of videos, there; see
                :class:`~.pictures.PictureWriter`.
            overwrite: Remove what an earlier call left in these folders. Otherwise a call with
                other inputs writes beside it, see :mod:`~.outputs`.

        Raises:
            FileNotFoundError, TypeError, ValueError: See :func:`~.inputs.find_inputs`; if nothing
            is left to predict. Other missing or unreadable inputs are listed in ``problems`` and
            logged, and the remaining ones are predicted.
        """
        results, drawn, on_frame = [], [], None
        unusable: List[Skip] = []
        items = find_inputs(inputs, unusable)  # before there is an output folder
        if pred_out_dir is not None or show_dir is not None:
            items = once(items)
        check_numbers(batch_size=batch_size, stride=stride)
        if pred_out_dir is not None:
            check_formats(formats)
        with ExitStack() as stack:
            outputs = self._claim(stack, items, stride, pred_out_dir, formats, show_dir, overwrite)
            writers = [] if pred_out_dir is None else [
                stack.enter_context(writer) for writer in build_writers(
                    formats, pred_out_dir, self.aus, outputs[pred_out_dir].names.__getitem__,
                    self.intensity_aus)]
            if return_vis or show_dir is not None:
                from .pictures import PictureWriter  # needs the extra `analysis`
                pictures = stack.enter_context(PictureWriter(
                    show_dir, self.aus, self.thresholds,
                    None if show_dir is None else outputs[show_dir].names.__getitem__,
                    self.intensity_aus))

                def on_frame(image, rows):
                    painted = pictures.write(image, rows)
                    if return_vis:
                        drawn.append(painted)
            for row in self.predict(items, batch_size, stride, on_frame):
                for writer in writers:
                    writer.write(row)
                results.append(self._datasample(row) if return_datasamples
                               else as_dict(row, self.aus, self.intensity_aus))
            self.problems[:0] = unusable
            if pred_out_dir is None:
                report_skipped('Prediction', self.problems)
            else:
                report_skipped('Prediction', [*outputs[pred_out_dir].kept, *self.problems],
                               str(Path(pred_out_dir, SKIPPED)))
        return dict(predictions=results, visualization=drawn) if return_vis else results

    def _claim(self, stack: ExitStack, items, stride: int, tables: Optional[str],
               formats: Sequence[str], pictures: Optional[str], overwrite: bool) -> dict:
        """The output folders by their names, each held and claimed once."""
        settings = dict(prediction_settings(*self._made_with, stride, self.smoothing),
                        aus=self.aus, crop=self.crop._asdict())
        claimed, found = {}, {}
        for folder in dict.fromkeys(folder for folder in (tables, pictures) if folder is not None):
            real = os.path.realpath(folder)
            if real not in claimed:
                same = [other is not None and os.path.realpath(other) == real
                        for other in (tables, pictures)]
                stack.enter_context(hold_folder(folder, 'a prediction'))
                claimed[real] = stack.enter_context(Outputs(
                    folder, items, settings, formats if same[0] else (), same[1], overwrite))
                claimed[real].clear()
            found[folder] = claimed[real]
        return found

    def predict(self, inputs, batch_size: int = 32, stride: int = 1,
                on_frame: Optional[Callable] = None) -> Iterator[FacePrediction]:
        """The results one after the other, while reading; the arguments are those of a call.

        Args:
            on_frame: Called with every frame that was looked at (uint8 BGR ``[H, W, 3]``) and its
                rows, before these are yielded. Some 70 frames are in memory then.
        """
        check_numbers(batch_size=batch_size, stride=stride)
        self.problems = []
        self._smooth = Smoother(self.smoothing)
        self._ended.clear()
        items = read_items(find_inputs(inputs, None, self.problems), stride, self.problems,
                           self._ended.is_set)
        keep = on_frame is not None
        held = 8 if keep else 256
        many = getattr(self.detector, 'thread_safe', self.detector is None)
        threads = working_threads() if many else 1
        with closing(prefetch(items, 16)) as frames, closing(prefetch(
                self._faces(frames, keep, threads), min(2 * batch_size, held))) as found:
            batches = _batches(found, batch_size, held)
            # the next batch begins when the first core is through with this one; one face has all
            scored = ((self._scored(1, batch) for batch in batches) if batch_size == 1 else
                      map_ahead(partial(self._scored, batch_size), batches,
                                min(2, working_threads())))
            with closing(scored):
                for batch, scores in scored:
                    yield from self._rows(batch, scores, on_frame)

    def end(self) -> None:
        """End cameras and streams at their current frame; the frames already read are predicted.

        Another thread or a signal handler may call this.
        """
        self._ended.set()

    def _faces(self, frames, keep: bool, threads: int) -> Iterator[tuple]:
        """(frame with its size for the image, [(face, crop)], image if kept) in order."""
        item, tracker, index, frames = None, None, 0, iter(frames)
        batches = iter(lambda: list(islice(frames, getattr(self.detector, 'batch_size', 1))), [])
        for looked in map_ahead(self._look, batches, threads):
            for source, frame, found in looked:
                if source is not item:
                    if tracker is not None:
                        yield from map(_with_crops, tracker.finish())
                    item, tracker = source, Tracker(self.memory if source.unit.related else None)
                index += 1
                height, width = frame.image.shape[:2]
                small = frame._replace(image=(width, height))
                by_box = {box: crop for (box, _), crop in found}
                image = frame.image if keep else None
                yield from map(_with_crops, tracker.push(
                    index, (small, by_box, image), [face for face, _ in found]))
        if tracker is not None:
            yield from map(_with_crops, tracker.finish())

    def _look(self, batch: list) -> list:
        """(item, frame, [((box, score), crop)]) of a batch of (item, frame)."""
        images = [frame.image for _, frame in batch]
        if self.detector and self.crop.halve:
            images = [halve(image) for image in images]
        detections = self.detector(images) if self.detector else [None] * len(batch)
        return [(source, frame, self._crops(image, found))
                for (source, frame), image, found in zip(batch, images, detections)]

    def _crops(self, image: np.ndarray, found) -> list:
        """[((box, score), crop)] of an image, which ``halve`` may have made; without a detector it
        is all a face. The boxes are in pixels of the frame."""
        height, width = image.shape[:2]
        if found is None:
            box = (0., 0., float(width), float(height))
            return [((box, None), image if self.fixed_size is None else
                     cut(image, box, self.fixed_size))]
        scale = 2 if self.crop.halve else 1
        return [((tuple(scale * side for side in box), score), crop_face(image, box, self.crop))
                for box, score in select_faces(found, width, height, self.crop.faces)]

    def scores(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities ``[n, C]`` of face crops, uint8 BGR, by the config's test pipeline; with
        intensities ``[n, C + K]``, these last."""
        return self.backend([self.pipeline(dict(img=crop)) for crop in crops])

    def _scored(self, batch_size: int, batch: list) -> tuple:
        """A batch of frames, and the probabilities of all their faces."""
        crops = [crop for _, faces, _ in batch for _, crop in faces]
        return batch, [row for first in range(0, len(crops), batch_size)
                       for row in self.scores(crops[first:first + batch_size])]

    def _rows(self, batch: list, found: list,
              on_frame: Optional[Callable] = None) -> Iterator[FacePrediction]:
        scores = iter(found)
        for frame, faces, image in batch:
            start, (width, height) = (frame.source, frame.number, frame.timestamp), frame.image
            rows = []
            for face, _ in faces:
                values = self._smooth(frame, face.track, next(scores))
                rows.append(self.scored(FacePrediction(*start, face.track - 1, True, face.score,
                                                       face.box, width, height), values))
            rows = rows or [FacePrediction(*start, 0, False, None, None, width,
                                           height)]
            if on_frame is not None:
                on_frame(image, rows)
            yield from rows

    def scored(self, row: FacePrediction, values: np.ndarray) -> FacePrediction:
        """A row of a face with its scores, as :meth:`scores` gives them, ``[C]`` or ``[C + K]``."""
        shown, graded = values[:len(self.aus)], values[len(self.aus):]
        return row._replace(probabilities=tuple(map(float, shown)),
                            present=tuple(map(bool, shown >= self.thresholds)),
                            intensities=tuple(map(float, graded)) if self.intensity_aus else None)

    def _datasample(self, row: FacePrediction):
        """The row as MMPretrain's ``DataSample``, which needs the stack."""
        use_stack()
        import torch
        from mmpretrain.structures import DataSample
        values = row._asdict()
        probabilities, present = values.pop('probabilities'), values.pop('present')
        graded = values.pop('intensities')
        sample = DataSample(metainfo=dict(values, img_path=row.input, aus=self.aus))
        if graded is not None:
            sample.set_metainfo(dict(intensity_aus=self.intensity_aus))
            sample.set_field(torch.tensor(graded), 'pred_intensity')
        if probabilities is not None:
            sample.set_pred_score(torch.tensor(probabilities))
            sample.set_pred_label(torch.tensor(np.flatnonzero(present)))
        return sample


def _batches(found, batch_size: int, held: int) -> Iterator[list]:
    """Frames that together have ``batch_size`` faces or more, but no more than ``held`` frames."""
    batch, faces = [], 0
    for entry in found:
        batch.append(entry)
        faces += len(entry[1])
        if faces >= batch_size or len(batch) >= held:
            yield batch
            batch, faces = [], 0
    yield batch


def _with_crops(released: tuple) -> tuple:
    """A frame with its found faces and their crops; faces are not bridged over missed frames."""
    (frame, crops, image), faces = released
    return frame, [(face, crops[face.box]) for face in faces if face.state == DETECTED], image
