# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Which face detector, by name: dlib, or any mmdet model."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Optional, Union

from fmae_iat_plugin.files import file_sha256
from fmae_iat_plugin.stack import use_stack

from .detections import Detector
from .structures import CropError


class DetectorSpec(NamedTuple):
    """A detector by name, to be built in each process.

    Attributes:
        detector (str): ``'dlib'``, or an mmdet config (``.py``).
        checkpoint (str, optional): Weights of the mmdet model: path or http(s) URL.
        label (int | str, optional): Class of the faces, by name or index. None: the only class,
            or the one named face.
        threshold (float, optional): Lowest score. None: 0 for dlib, 0.5 for mmdet.
        upsample (int): dlib: doublings of the image before detection.
        device (str): mmdet: ``'cpu'``, ``'cuda:0'``, ...
        batch_size (int): mmdet: images at a time.
    """

    detector: str = 'dlib'
    checkpoint: Optional[str] = None
    label: Union[int, str, None] = None
    threshold: Optional[float] = None
    upsample: int = 0
    device: str = 'cpu'
    batch_size: int = 8

    def build(self) -> Detector:
        """The detector; the same one for the same arguments within a process.

        Raises:
            CropError: If the arguments do not go together, or something is not installed.
        """
        return _build(self)

    def record(self) -> dict:
        """What decides its boxes; files by their content."""
        values = self._asdict()
        for name in ('device', 'batch_size'):
            del values[name]
        for name in ('detector', 'checkpoint'):
            path = Path(values[name] or '')
            if path.is_file():
                values[f'{name}_sha256'] = file_sha256(path)
        return values


@lru_cache(maxsize=2)
def _build(spec: DetectorSpec) -> Detector:
    if spec.detector == 'dlib':
        for name in ('checkpoint', 'label'):
            if getattr(spec, name) is not None:
                raise CropError(f'{name} {getattr(spec, name)!r} was given, but dlib has none. '
                                'Remedy: leave it out, or name an mmdet config as the detector.')
        if not 0 <= spec.upsample <= 4:
            raise CropError(f'upsample is {spec.upsample}. Remedy: give 0 to 4 doublings.')
        from .dlib_detector import DlibDetector
        return DlibDetector(0. if spec.threshold is None else spec.threshold, spec.upsample)
    if not spec.detector.endswith('.py'):
        raise CropError(f'detector {spec.detector!r} is neither dlib nor an mmdet config (a .py '
                        'file).')
    if spec.upsample:
        raise CropError('upsample is an option of dlib. Remedy: choose the size in the test '
                        'pipeline of the mmdet config.')
    if not spec.checkpoint:
        raise CropError(f'{spec.detector} needs weights. Remedy: give the checkpoint.')
    if spec.batch_size < 1:
        raise CropError(f'batch size {spec.batch_size}. Remedy: 1 or more.')
    use_stack()
    from .mmdet_detector import MMDetDetector
    return MMDetDetector(spec.detector, spec.checkpoint, label=spec.label, device=spec.device,
                         threshold=0.5 if spec.threshold is None else spec.threshold,
                         batch_size=spec.batch_size)


def build_detector(detector: str = 'dlib', **options) -> Detector:
    """Build a face detector; the arguments are those of :class:`DetectorSpec`."""
    return DetectorSpec(detector, **options).build()
